"""What is hidden and where: the terms all detectors share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from services.transcriber.domain.cues import Ask, Asked, Cue, Topic, cues
from services.transcriber.domain.digits import TIMES, Heard, hear_plain, plain_word
from services.transcriber.domain.tongues import in_detectors_terms

LEAST_TELLING = 7


class Secret(StrEnum):
    """What was hidden; the value is the wire's name for it."""

    PAYMENT_CARD = "payment_card"
    BANK_ACCOUNT = "bank_account"
    IBAN = "iban"
    SOCIAL_SECURITY = "social_security"
    TAX_NUMBER = "tax_number"
    PHONE = "phone"
    EMAIL = "email"
    DATE_OF_BIRTH = "date_of_birth"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Span:
    """Words ``first`` up to and without ``stop``; ``digits`` of them, for marks that show the last."""

    first: int
    stop: int
    secret: Secret
    digits: str = ""

    @property
    def telling(self) -> bool:
        """Whether it is long enough to be marked before its end is heard."""
        return len(self.digits) >= LEAST_TELLING


@dataclass(frozen=True, slots=True)
class Tail:
    """From word ``first`` on, the next words decide what this is; ``stop`` is one past what belongs to it so far.

    A final waits for a ``firm`` one; another is only kept from partials.
    """

    first: int
    stop: int
    firm: bool = True


@dataclass(slots=True)
class Speech:
    """Words as the detectors see them; nothing follows where they have ``ended``."""

    raw: Sequence[str]
    plain: list[str]
    heard: list[Heard]
    cues: list[Cue]
    ended: bool
    language: str = "en"
    taken: set[int] = field(default_factory=set)
    """Words that a detector has claimed."""
    units: list[tuple[int, int]] = field(default_factory=list)
    """First and one past the last word of each number or date, hidden or not."""
    spent: dict[Cue, int] = field(default_factory=dict)
    """Cues whose number has come, with one past its last word."""

    def cues_at(self, stop: int) -> list[Cue]:
        """The cues that are not spent before ``stop``."""
        return [cue for cue in self.cues if self.spent.get(cue, stop + 1) > stop]

    @property
    def size(self) -> int:
        """How many words."""
        return len(self.plain)

    def mere_filler(self, index: int) -> bool:
        """Whether a word tells nothing of the number it stands in."""
        return self.heard[index].filler and self.plain[index] not in TIMES

    def take(self, first: int, stop: int) -> None:
        """Claim words: they are no part of another number."""
        self.taken.update(range(first, stop))
        self.units.append((first, stop))

    def answered(self, topic: Topic, first: int, stop: int, *, whole: bool = True) -> None:
        """A topic's number has come; where it is whole, only what follows directly still belongs to it."""
        self.cues.append(Cue(topic, True, stop, first, follows_number=whole))
        self.cues.sort(key=lambda cue: (cue.stop, cue.other))


def speech(
    words: Sequence[str],
    asked: Asked | None,
    before: Sequence[str],
    *,
    asides: Sequence[tuple[int, Ask]] = (),
    ended: bool,
    language: str = "en",
) -> Speech:
    """Prepare words of a language; nothing follows where they have ``ended``.

    ``before`` are the words right before, as far as a phrase that names a topic may have begun in them.
    """
    plain = [plain_word(word) for word in words]
    found = cues(plain, asked, [plain_word(word) for word in before], asides)
    plain = [in_detectors_terms(word, language) for word in plain]
    # "sixteen digit", "last four": numbers that name what is wanted are none themselves.
    hidden = {index for cue in found if cue.stop > 0 for index in range(max(0, cue.first), cue.stop)}
    heard = [Heard() if index in hidden else heard for index, heard in enumerate(hear_plain(plain))]
    return Speech(words, plain, heard, found, ended, language)
