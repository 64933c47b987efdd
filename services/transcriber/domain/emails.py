"""E-mail addresses, written or said: "j.smith@gmail.com", "john dot smith at my company dot com"."""

from __future__ import annotations

from services.transcriber.domain.cues import Topic, governing
from services.transcriber.domain.digits import MARKS
from services.transcriber.domain.secret import Secret, Span, Speech, Tail
from services.transcriber.domain.vocabulary import MAIL_HOSTS, MAILBOXES, NOT_LOCAL, NOT_NAMES, STOP_WORDS, TOP_LEVELS

_JOINTS = frozenset(["dot", "underscore", "dash", "hyphen", "point", "period", "minus", "plus", "score"])
_DOTS = frozenset(["dot", "point", "period"])
_TELLING = frozenset(["is", "est", "it's", "c'est", "that's", "be"])
ASKED_WORDS, UNASKED_WORDS = 4, 2
DOMAIN_WORDS = 5
NEAR_CUE = 14


def find_emails(speech: Speech) -> tuple[list[Span], list[Tail]]:
    """Addresses, and where one may be coming."""
    spans: list[Span] = []
    index = 0
    while index < speech.size:
        span = _at(speech, index, spans[-1].stop if spans else 0)
        if span is not None:
            spans.append(span)
            speech.answered(Topic.EMAIL, span.first, span.stop)
            index = span.stop
        else:
            index += 1
    tails = [Tail(s.first, s.stop) for s in spans if not _complete(speech, s) and _ends_in(speech, s)]
    tail = _tail(speech, spans)
    asked = _bound(speech, speech.size, spans[-1].stop if spans else 0)[1]
    if tail is not None and speech.ended and asked and _looks_spelled(speech, tail.first, tail.stop, 2):
        spans.append(Span(tail.first, tail.stop, Secret.EMAIL))
    elif tail is not None:
        tails.append(tail)
    for span in spans:
        speech.take(span.first, span.stop)
    return spans, tails


def _at(speech: Speech, index: int, least: int) -> Span | None:
    word = speech.plain[index]
    bound, asked = _bound(speech, index, least)
    if "@" in word:
        domain = word.split("@", 1)[1]
        stop = index + 1
        if "." not in domain or (stop < speech.size and speech.plain[stop] in _DOTS):
            stop = _top_levels(speech, stop)
        return Span(_local(speech, index, bound, asked), stop, Secret.EMAIL)
    if word == "at":
        found = _domain(speech, index + 1)
        if found is None or (index > least and speech.plain[index - 1] in NOT_LOCAL):
            return None
        first = _local(speech, index, bound, asked)
        return Span(first, found, Secret.EMAIL) if first < index or (asked and index == least) else None
    if asked and _written_domain(word):
        first = _local(speech, index, bound, asked)
        return Span(first, index + 1, Secret.EMAIL)
    return None


def _bound(speech: Speech, index: int, least: int) -> tuple[int, bool]:
    cue = governing(speech.cues, index)
    if cue is not None and cue.topic is Topic.EMAIL and not cue.follows_number:
        return max(least, cue.stop, 0), True
    return least, False


def _written_domain(word: str) -> bool:
    head, dot, top = word.rpartition(".")
    return bool(dot and head) and top in TOP_LEVELS and not head.isdecimal()


def _top_levels(speech: Speech, index: int) -> int:
    while index + 1 < speech.size and speech.plain[index] in _DOTS and speech.plain[index + 1] in TOP_LEVELS:
        index += 2
    return index


def _domain(speech: Speech, first: int) -> int | None:
    """One past a domain that begins at ``first``."""
    for index in range(first, min(first + DOMAIN_WORDS, speech.size)):
        word = speech.plain[index]
        if _written_domain(word):
            return _top_levels(speech, index + 1)
        if word in _DOTS and index > first and index + 1 < speech.size:
            host = speech.plain[index + 1]
            if host in TOP_LEVELS:
                return _top_levels(speech, index)
        elif word in MAIL_HOSTS and (index + 1 == speech.size or speech.plain[index + 1] not in (*_DOTS, "mail")):
            return index + 1
        elif word in STOP_WORDS and word not in _JOINTS and not (word == "my" and index == first):
            return None
    return None


def _ends_in(speech: Speech, span: Span) -> bool:
    return all(word in _DOTS for word in speech.plain[span.stop : speech.size])


def _complete(speech: Speech, span: Span) -> bool:
    last = speech.plain[span.stop - 1]
    # ".co" mostly goes on with ".uk".
    written = _written_domain(last.rsplit("@", 1)[-1]) and not last.endswith(".co")
    return written or (last in TOP_LEVELS and last != "co")


def _local(speech: Speech, stop: int, bound: int, asked: bool) -> int:
    """Where the part before "at" begins, going back from ``stop``."""
    plain = speech.plain
    room = ASKED_WORDS if asked else UNASKED_WORDS
    first = stop
    while first > bound:
        word, raw = plain[first - 1], speech.raw[first - 1]
        if first < stop and raw[-1:] in ".?!" and len(word) > 1:
            break
        if first - 4 >= bound and plain[first - 3 : first - 1] == ["as", "in"] and len(plain[first - 4]) == 1:
            first -= 4
        elif first - 3 >= bound and plain[first - 2] in ("for", "like") and _letter(plain[first - 3]):
            first -= 3
        elif _spelled(speech, first - 1) or (first < stop and plain[first] in _JOINTS):
            first -= 1
        elif (word not in STOP_WORDS or _mailbox(speech, first - 1, asked)) and room and any(c.isalpha() for c in word):
            first, room = first - 1, room - 1
        else:
            break
    while first < stop and plain[first] in (*_JOINTS, "a"):
        first += 1
    return first


def _mailbox(speech: Speech, index: int, asked: bool) -> bool:
    """Whether a word that begins no name does begin this one: "the email is contact dot …"."""
    return asked and speech.plain[index] in MAILBOXES and index > 0 and speech.plain[index - 1] in _TELLING


def _spelled(speech: Speech, index: int) -> bool:
    word = speech.plain[index]
    following = speech.plain[index + 1] if index + 1 < speech.size else ""
    before = speech.plain[index - 1] if index else ""
    if word in ("i", "a") and not (_letter(before) or _letter(following) or following in _JOINTS or following == "at"):
        return False
    return word in _JOINTS or bool(speech.heard[index].digits) or _letter(word)


def _letter(word: str) -> bool:
    return len(word) == 1 and word.isalpha()


def _tail(speech: Speech, spans: list[Span]) -> Tail | None:
    """What the words end in, where it may turn out to be the beginning of an address."""
    least = spans[-1].stop if spans else 0
    for index in range(max(least, speech.size - DOMAIN_WORDS), speech.size):
        if speech.plain[index] == "at" and _opens_domain(speech, index + 1):
            bound, asked = _bound(speech, index, least)
            before = _local(speech, index, bound, asked)
            if before < index and speech.plain[index - 1] not in NOT_LOCAL:
                return Tail(before, speech.size, firm=asked or _looks_spelled(speech, before, index))
    stop = _before_spelling(speech)
    if speech.size and speech.raw[-1][-1:] == "?":
        return None
    bound, asked = _bound(speech, speech.size, least)
    first = _local(speech, stop, bound, asked)
    if first == stop:
        return None
    cue = governing(speech.cues, speech.size)
    if asked and cue is not None and first - cue.stop <= NEAR_CUE:
        return Tail(first, speech.size)
    words = [word.rstrip(MARKS) for word in speech.raw[first:] if word.lower() not in _JOINTS]
    names = all(word[:1].isupper() or not word.isalpha() or len(word) == 1 for word in words)
    names = names and not _introduced(speech, first)
    spelled = _looks_spelled(speech, first, speech.size)
    return Tail(first, speech.size, firm=spelled) if names or spelled else None


def _introduced(speech: Speech, first: int) -> bool:
    """Whether what has capital letters from ``first`` on was called a person, a company or a street, or names nobody.

    "my name is Daniel Carter", "thank you for calling Harbor", "42 Maple Street": no mailbox is introduced like that.
    """
    while first and speech.raw[first - 1][:1].isupper() and speech.raw[first - 1][-1:] not in ".?!":
        first -= 1
    before = speech.plain[max(0, first - 2) : first]
    numbered = any(heard.digits for heard in speech.heard[max(0, first - 1) : first + 1])
    return numbered or speech.plain[first] in NOT_NAMES or before[-1:] == ["calling"] or before == ["name", "is"]


def _before_spelling(speech: Speech) -> int:
    """Without an unfinished "as in" behind a letter."""
    for begun in (["as", "in"], ["as"], ["for"], ["like"]):
        at = speech.size - len(begun)
        if at > 0 and speech.plain[at:] == begun and _letter(speech.plain[at - 1]):
            return at
    return speech.size


def _opens_domain(speech: Speech, first: int) -> bool:
    words = speech.plain[first:]
    if words[:1] == ["my"]:
        words = words[1:]
    return all(word not in STOP_WORDS or word in _JOINTS for word in words)


def _looks_spelled(speech: Speech, first: int, stop: int, letters: int = 1) -> bool:
    words = speech.plain[first:stop]
    spelled = sum(_letter(speech.plain[i]) and _spelled(speech, i) for i in range(first, stop))
    return any(word in _JOINTS for word in words) or spelled >= letters
