"""What the talk is about when a number comes: "card number", "date of birth", "order number".

A cue is a phrase that names a topic. It governs the numbers that follow within ``REACH`` words, until another cue
does. ``Asked`` is a cue that lies before the words at hand, ``Ask`` one of another leg of the call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.transcriber.domain.vocabulary import CONNECTORS

REACH = 25
WEAK_REACH = 12
OWN_REACH = 8
MENTION_REACH = 8
BANK_MEMORY = 30
PHRASE_WORDS = 4
"""Of a phrase at most so many words lie before its last one."""


class Topic(StrEnum):
    """What a number may belong to. OWN is the company's own: order, ticket, model, extension, zip code."""

    CARD = "card"
    CODE = "code"
    ENDING = "ending"
    SOCIAL = "social"
    TAX = "tax"
    BANK = "bank"
    IBAN = "iban"
    PHONE = "phone"
    EMAIL = "email"
    BIRTH = "birth"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class Cue:
    """A topic named by words that end before ``stop`` (negative where it lies before the words at hand).

    A strong cue announces a number ("card number"), a weak one is a mention ("my card"). ``direct`` tells for one
    before the words at hand whether nothing but connecting words came since. ``other``: another leg's speaker named it.
    """

    topic: Topic
    strong: bool
    stop: int
    first: int = 0
    direct: bool = True
    follows_number: bool = False
    other: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """What an utterance asks the other legs of its call for; ``at_ms`` is when the asking words end."""

    topic: Topic
    strong: bool
    at_ms: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A cue ``age`` words ago."""

    topic: Topic
    strong: bool = True
    age: int = 0
    direct: bool = True
    follows_number: bool = False

    def cue(self) -> Cue:
        """As a cue before the first word."""
        return Cue(self.topic, self.strong, -self.age, -self.age, self.direct, self.follows_number)


_STRONG = {
    Topic.CARD: """card number; card numbers; credit card number; debit card number; number on the card;
        number on my card; number on your card; number of the card; number of my card; number of your card;
        number of the new card; number on the front; card is; long number; visa number; mastercard number;
        sixteen digit; 16 digit; number of that card; number of this card;
        numéro de carte; numéro de ma carte; numéro de votre carte; numéro de la carte; carte bancaire; carte bleue;
        carte de crédit; carte est""",
    Topic.CODE: """security code; cvv; cvc; cvv2; card verification; digits on the back; three digits; code on the back;
        number on the back;
        code de sécurité; cryptogramme; trois chiffres; chiffres au dos""",
    Topic.ENDING: """ending in; ending with; ending on; ends in; ends with; last four digits; last four; last 4;
        last 4 digits; last three; last three digits""",
    Topic.SOCIAL: """social security number; social security; social; ssn; s.s.n; social insurance;
        social insurance number;
        sécurité sociale; numéro de sécu; sécu""",
    Topic.TAX: """ein; itin; tax id; tax i.d; tax number; tax identification; taxpayer; employer identification;
        employer identification number; vat number; vat id; utr; tax id number; tax identification number""",
    Topic.BANK: """bank account; bank account number; checking account; checking account number; savings account;
        savings account number; routing number; routing; sort code; transit number; bank details;
        compte bancaire; numéro de compte; rib""",
    Topic.IBAN: "iban; i.b.a.n; international bank account number; iban number",
    Topic.PHONE: """phone number; cell number; mobile number; cell phone number; telephone number; callback number;
        call back number; contact number; best number; call me at; call me on; call me back at; call me back on;
        reach me at; reach me on; call you on; call you at; call you back on; call you back; number to reach;
        number can we; number can i; area code; my number is; my cell is; my mobile is; phone is; text me at;
        my cell; my mobile; home number; work number; number for you; home phone;
        numéro de téléphone; téléphone est; joindre au; rappeler au; appeler au; mon numéro; mon portable;
        numéro de portable; mon mobile""",
    Topic.EMAIL: """email; e-mail; email address; e-mail address; mail address; write to; mail me at; write me at;
        adresse mail; adresse e-mail; mail; courriel; mél""",
    Topic.BIRTH: """date of birth; birth date; birthdate; birthday; dob; d.o.b; born; birth; day of birth;
        date de naissance; né le; née le; naissance""",
    Topic.OWN: """order number; order id; order; tracking number; tracking; ticket number; ticket; reference number;
        reference; confirmation number; confirmation code; confirmation; case number; case; invoice; invoice number;
        serial number; serial; model; model number; zip code; zip; postal code; postcode; extension; ext;
        account number; account id; customer number; customer id; member number; membership number; policy number;
        booking; booking number; claim number; contract number; expires; expires in; expiry; expiration; expiry date;
        expiration date; valid until; apartment; room; building; floor; version; firmware; flight; flight number;
        part number; house number; item; item number; product; sku; meter; toll free; toll-free; hotline; street;
        transaction number; transaction id; job number; request number; imei; gate; station; channel;
        numéro de commande; commande; référence; dossier; numéro de dossier; numéro client; code postal; facture""",
}  # fmt: skip
_WEAK = {
    Topic.CARD: """card; credit card; debit card; visa; mastercard; amex; american express; charge it to; pay with;
        carte; visa""",
    Topic.BANK: "bank; checking; savings; bank's; refund to; direct deposit",
    Topic.PHONE: """phone; cell; mobile; call; telephone; text; cell phone; reach me; landline;
        téléphone; portable; numéro""",
    Topic.OWN: "account",
}


def _table() -> dict[str, list[tuple[tuple[str, ...], Topic, bool]]]:
    table: dict[str, list[tuple[tuple[str, ...], Topic, bool]]] = {}
    for phrases, strong in ((_STRONG, True), (_WEAK, False)):
        for topic, text in phrases.items():
            for phrase in text.split(";"):
                words = tuple(phrase.split())
                table.setdefault(words[0], []).append((words, topic, strong))
    for entries in table.values():
        entries.sort(key=lambda entry: (-len(entry[0]), not entry[2]))
    return table


_TABLE = _table()
_NO_CUE = {("social", "media"), ("social", "network"), ("order", "to"), ("in", "order"), ("phone", "call")}


def cues(
    plain: Sequence[str],
    asked: Asked | None = None,
    before: Sequence[str] = (),
    asides: Sequence[tuple[int, Ask]] = (),
) -> list[Cue]:
    """All cues in words as ``plain_word`` gives them, in order; ``asked`` first.

    A cue may begin in the words ``before``; those that end there are what ``asked`` tells of. ``asides`` are what other
    legs asked for, each with the word before which it did.
    """
    out = [asked.cue()] if asked is not None else []
    index = -len(before)
    plain = [*before, *plain]
    waiting = list(asides)
    while index < len(plain) - len(before):
        while waiting and waiting[0][0] <= index:
            _put_in(out, waiting.pop(0)[1], index)
        entry = _at(plain, index + len(before))
        if entry is None or index + len(entry[0]) <= 0:
            index += 1
            continue
        words, topic, strong = entry
        stop = index + len(words)
        if topic is Topic.OWN and words[0] == "account" and _of_a_bank(out, index):
            topic, strong = Topic.BANK, True
        if topic is Topic.ENDING and out and out[-1].topic is Topic.SOCIAL and index - out[-1].stop < REACH:
            topic = Topic.SOCIAL
        # A mention ("on the account") takes nothing from what was announced just before.
        if strong or not (out and out[-1].strong and index - out[-1].stop < MENTION_REACH):
            out.append(Cue(topic, strong, stop, index))
        index = stop
    for at, ask in waiting:
        _put_in(out, ask, at)
    return out


def _put_in(out: list[Cue], ask: Ask, at: int) -> None:
    """What another leg asks for. A mention there ("your account") takes nothing from what was announced here."""
    announced = governing(out, at)
    if ask.strong or announced is None or not announced.strong:
        out.append(Cue(ask.topic, ask.strong, at, at, other=True))


def begun(plain: Sequence[str]) -> int:
    """How many words at the end may be the beginning of a phrase, or tell that the next word is none."""
    for size in range(min(PHRASE_WORDS, len(plain)), 0, -1):
        end = tuple(plain[len(plain) - size :])
        if any(len(words) > size and words[:size] == end for words, _, _ in _TABLE.get(end[0], ())):
            return size
    return int(bool(plain) and any(first == plain[-1] for first, _ in _NO_CUE))


def _at(plain: Sequence[str], index: int) -> tuple[tuple[str, ...], Topic, bool] | None:
    for entry in _TABLE.get(plain[index], ()):  # the longest first
        size = len(entry[0])
        if size == 1 or tuple(plain[index : index + size]) == entry[0]:
            around = (tuple(plain[index : index + 2]), tuple(plain[max(0, index - 1) : index + 1]))
            return None if size == 1 and (around[0] in _NO_CUE or around[1] in _NO_CUE) else entry
    return None


def _of_a_bank(before: Iterable[Cue], index: int) -> bool:
    return any(cue.topic is Topic.BANK and index - cue.stop <= BANK_MEMORY for cue in before)


def directly(plain: Sequence[str], cue: Cue, first: int) -> bool:
    """Whether nothing but connecting words stands between a cue and a word."""
    between = plain[max(0, cue.stop) : first]
    return (cue.stop >= 0 or cue.direct) and all(word in CONNECTORS for word in between)


def governing(found: Sequence[Cue], first: int) -> Cue | None:
    """The cue that a number at ``first`` belongs to."""
    for cue in reversed(found):
        if cue.stop <= first:
            reach = OWN_REACH if cue.topic is Topic.OWN else REACH if cue.strong else WEAK_REACH
            return cue if first - cue.stop <= reach else None
    return None


def carried(plain: Sequence[str], found: Sequence[Cue], stop: int) -> Asked | None:
    """What is still asked for after the words before ``stop``."""
    cue = governing(found, stop)
    if cue is None:
        return None
    return Asked(cue.topic, cue.strong, stop - cue.stop, directly(plain, cue, stop), cue.follows_number)
