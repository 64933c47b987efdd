"""Numbers in a row of words: which of them nobody may see, and where one may still be coming.

    run     digit words with nothing but fillers between them
    group   runs of four digits or more with at most LOOSE_WORDS other words between them: a card read out with remarks

What a run is comes from its length, its check digits and the topic that governs it. Length is judged generously: one
digit misheard, lost or doubled changes it and breaks the check, and a number shown cannot be taken back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import phonenumbers

from services.transcriber.domain.cues import Cue, Topic, directly, governing
from services.transcriber.domain.digits import MAYBE_ZERO, TIMES, is_tens, luhn_valid, written_groups
from services.transcriber.domain.secret import Secret, Span, Speech, Tail
from services.transcriber.domain.vocabulary import UNITS

CARD_LEAST, CARD_MOST = 13, 19
NEARLY_CARD = 11
FILLER_WORDS = 6
LOOSE_WORDS = 4
LOOSE_DIGITS = 4
SHORT_CODE = 4

SECRETS = {
    Topic.CARD: Secret.PAYMENT_CARD,
    Topic.CODE: Secret.PAYMENT_CARD,
    Topic.SOCIAL: Secret.SOCIAL_SECURITY,
    Topic.TAX: Secret.TAX_NUMBER,
    Topic.BANK: Secret.BANK_ACCOUNT,
    Topic.IBAN: Secret.IBAN,
    Topic.PHONE: Secret.PHONE,
    Topic.BIRTH: Secret.DATE_OF_BIRTH,
}
TOPICS = {secret: topic for topic, secret in SECRETS.items() if topic is not Topic.CODE}
_LEAST = {
    Topic.CARD: 4, Topic.CODE: 3, Topic.SOCIAL: 4, Topic.TAX: 5, Topic.BANK: 5, Topic.IBAN: 6, Topic.PHONE: 7,
    Topic.BIRTH: 4,
}  # fmt: skip
"""Digits from which a number with other words between it and its topic is taken for the topic's."""
_WHOLE = {Topic.CARD: 13, Topic.SOCIAL: 9, Topic.TAX: 9, Topic.BANK: 7, Topic.IBAN: 15, Topic.PHONE: 7, Topic.BIRTH: 4}
"""Digits from which a topic's number is taken to be complete."""
_LEAST_WEAK = {Topic.CARD: NEARLY_CARD, Topic.BANK: 6, Topic.PHONE: 7}
_TOLL_FREE = re.compile(r"1?8(00|33|44|55|66|77|88)\d{7}")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True, slots=True)
class Run:
    """A run of digit words; ``counts`` has each word's place and how many digits it carries."""

    first: int
    stop: int
    digits: str
    counts: tuple[tuple[int, int], ...]


def find_numbers(speech: Speech) -> tuple[list[Span], list[Tail]]:
    """Numbers to hide, and where one may be coming. Adds a cue behind each, for what is said to correct it."""
    runs = _runs(speech)
    found: list[Span] = []
    tails: list[Tail] = []
    cards = {span.first: span for span in _joined_cards(runs)}
    for run in runs:
        speech.units.append((run.first, run.stop))
        cue = governing(speech.cues_at(run.first), run.first)
        secret = Secret.PAYMENT_CARD if run.first in cards else _secret(speech, run, cue)
        if _may_go_on(speech, run, cue):
            # What is hidden anyway need not wait, but where only its length tells what it is.
            sure = secret is not None and (len(run.digits) >= CARD_LEAST or (cue is not None and cue.strong))
            # An order number that has been announced is taken at its word.
            sure = sure or (cue is not None and cue.strong and cue.topic is Topic.OWN)
            tails.append(Tail(run.first, run.stop, firm=not sure))
        if secret is not None:
            found.append(Span(run.first, run.stop, secret, run.digits))
            topic = TOPICS.get(secret, Topic.CARD)
            speech.answered(topic, run.first, run.stop, whole=len(run.digits) >= _WHOLE[topic])
        elif cue is not None and cue.topic is Topic.OWN:
            # One number a cue: the next needs its own.
            speech.spent[cue] = run.stop
    if not speech.ended:
        tails.extend(_unheard_zero(speech))
        tails.extend(_joining(speech, runs))
    return found, tails


def _runs(speech: Speech) -> list[Run]:
    runs: list[Run] = []
    counts: list[tuple[int, int]] = []
    digits, fillers = "", 0

    def close() -> None:
        nonlocal counts, digits, fillers
        run = _without_quantity(speech, counts, digits)
        if run is not None:
            runs.append(run)
        counts, digits, fillers = [], "", 0

    for index, heard in enumerate(speech.heard):
        if heard.digits and index not in speech.taken:
            counts.append((index, len(heard.digits)))
            digits += heard.digits
            fillers = 0
        elif counts and heard.filler and fillers < FILLER_WORDS and index not in speech.taken:
            fillers += 1
        elif counts:
            close()
    if counts:
        close()
    return runs


def _without_quantity(speech: Speech, counts: list[tuple[int, int]], digits: str) -> Run | None:
    """The run without what its last words count ("10 minutes"); "20 dollars 49" and prices go too."""
    last = counts[-1][0]
    # The unit must be there to stay: a partial's last word may turn into the next digit.
    if last + 1 < speech.size and speech.plain[last + 1] in UNITS:
        drop = 2 if len(counts) > 1 and is_tens(speech.plain[counts[-2][0]]) and counts[-2][0] == last - 1 else 1
        if len(digits) >= CARD_LEAST and luhn_valid(digits):
            drop = 0
        for _ in range(drop):
            digits = digits[: -counts[-1][1]]
            counts = counts[:-1]
    if not counts:
        return None
    return Run(counts[0][0], counts[-1][0] + 1, digits, tuple(counts))


def _secret(speech: Speech, run: Run, cue: Cue | None) -> Secret | None:
    digits, size = run.digits, len(run.digits)
    topic = cue.topic if cue is not None else None
    if _TOLL_FREE.fullmatch(digits) and topic not in (Topic.CARD, Topic.SOCIAL, Topic.BANK):
        return None
    if cue is not None and topic is Topic.OWN:
        card = CARD_LEAST <= size <= CARD_MOST and digits[0] in "3456" and luhn_valid(digits)
        return Secret.PAYMENT_CARD if card else None
    if cue is not None and topic is Topic.ENDING and size <= SHORT_CODE:
        return None
    if cue is not None and topic in SECRETS and _belongs(speech, run, cue):
        return SECRETS[cue.topic]
    if size >= CARD_LEAST:
        return Secret.PAYMENT_CARD if _holds_card(digits) else Secret.OTHER
    return _by_shape(speech, run)


def _belongs(speech: Speech, run: Run, cue: Cue) -> bool:
    size = len(run.digits)
    direct = directly(speech.plain, cue, run.first)
    if cue.topic is Topic.BIRTH and size > 8:
        return False
    if not cue.strong:
        return size >= _LEAST_WEAK.get(cue.topic, CARD_LEAST)
    if direct:
        return True
    if cue.follows_number:
        return False
    if cue.topic is Topic.CODE:
        return size in (3, 4)
    if cue.topic is not Topic.BIRTH and _YEAR.fullmatch(run.digits):
        return False
    return size >= _LEAST[cue.topic]


def _by_shape(speech: Speech, run: Run) -> Secret | None:
    digits, size = run.digits, len(run.digits)
    groups = written_groups(speech.plain[run.first]) if run.stop - run.first == 1 else ()
    sizes = groups or tuple(count for _, count in run.counts)
    if groups == (2, 7):
        return Secret.TAX_NUMBER
    if size == 9:
        if digits[0] == "9" and digits[3] in "5-9789" and sizes == (3, 2, 4):
            return Secret.TAX_NUMBER
        if sizes != (3, 2, 4) and not _social_valid(digits):
            return Secret.BANK_ACCOUNT if routing_valid(digits) else Secret.OTHER
        return Secret.SOCIAL_SECURITY
    if _international(speech, run) and size >= 7:
        return Secret.PHONE
    if groups == (3, 4):
        return Secret.PHONE
    if size in (10, 11) and _phone_possible(digits, speech.language):
        return Secret.PHONE
    return Secret.OTHER if size >= NEARLY_CARD else None


def _international(speech: Speech, run: Run) -> bool:
    before = speech.plain[run.first - 1] if run.first else ""
    return before == "plus" or speech.plain[run.first][:1] == "+"


def _phone_possible(digits: str, language: str) -> bool:
    for region in ("US", "GB", *(["FR"] if language == "fr" else [])):
        if region != "US" and digits[0] != "0":
            continue
        try:
            number = phonenumbers.parse(digits, region)
        except phonenumbers.NumberParseException:
            continue
        national = str(number.national_number)
        fictional = len(national) == 10 and national[0] in "23456789" and national[3] in "23456789"
        if phonenumbers.is_valid_number(number) or (region == "US" and fictional):
            return True
    return digits[0] == "0" and digits[1] in "127"


def _social_valid(digits: str) -> bool:
    """Whether a number like this was ever given out (SSA: areas 000, 666 and 900 up never were)."""
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def routing_valid(digits: str) -> bool:
    """The check of American routing numbers."""
    return len(digits) == 9 and sum(int(d) * w for d, w in zip(digits, (3, 7, 1) * 3, strict=True)) % 10 == 0


def _holds_card(digits: str) -> bool:
    if len(digits) <= CARD_MOST:
        return luhn_valid(digits)
    sizes = range(CARD_LEAST, CARD_MOST + 1)
    return any(luhn_valid(digits[i : i + size]) for size in sizes for i in range(len(digits) - size + 1))


def _joined_cards(runs: Sequence[Run]) -> list[Span]:
    """Runs that make a valid card together."""
    spans: list[Span] = []
    for first in range(len(runs)):
        digits = ""
        for last in range(first, len(runs)):
            if last > first and runs[last].first - runs[last - 1].stop > LOOSE_WORDS:
                break
            digits += runs[last].digits
            if len(digits) > CARD_MOST:
                break
            if last > first and len(digits) >= CARD_LEAST and luhn_valid(digits):
                members = runs[first : last + 1]
                spans.extend(Span(run.first, run.stop, Secret.PAYMENT_CARD, run.digits) for run in members)
    return spans


def _joining(speech: Speech, runs: Sequence[Run]) -> list[Tail]:
    """The groups at the end that may make a card with one more."""
    first, size = speech.size, 0
    members = 0
    for run in reversed([run for run in runs if len(run.digits) >= LOOSE_DIGITS]):
        size += len(run.digits)
        if first - run.stop > LOOSE_WORDS or size >= CARD_MOST:
            break
        first, members = run.first, members + 1
    return [Tail(first, speech.size, firm=False)] if members > 1 else []


def _unheard_zero(speech: Speech) -> list[Tail]:
    """ "oh" and "double" at the end: the next word tells whether they belong to a number."""
    first = speech.size
    while first and (speech.plain[first - 1] in MAYBE_ZERO or speech.plain[first - 1] in TIMES):
        first -= 1
    if first == speech.size:
        return []
    cue = governing(speech.cues, first)
    asked = cue is not None and cue.strong and cue.topic in SECRETS and directly(speech.plain, cue, first)
    return [Tail(first, speech.size, firm=asked)]


def _may_go_on(speech: Speech, run: Run, cue: Cue | None) -> bool:
    """Whether the next words can make another number of this run."""
    if speech.ended:
        return False
    words = range(run.stop, speech.size)
    if all(speech.heard[index].filler for index in words):
        return len(words) <= FILLER_WORDS
    loose = len(run.digits) >= LOOSE_DIGITS and not _YEAR.fullmatch(run.digits)
    loose = loose and not (cue is not None and cue.topic is Topic.OWN)
    others = [index for index in words if index in speech.taken or not speech.heard[index].digits]
    return loose and len(others) == len(words) <= LOOSE_WORDS
