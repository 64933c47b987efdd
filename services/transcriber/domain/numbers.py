"""Where numbers that must not be shown stand in a row of words, and where one may still be coming.

    run     digit words with nothing but a few fillers between them
    group   runs with at most LOOSE_WORDS other words between them: a card read out with remarks in between

A run of 13 digits or more is hidden whole, with a valid check digit or not: one digit misheard breaks the check, and
a number shown cannot be taken back. Runs of a group are hidden together where they add up to a valid card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.transcriber.domain.digits import hear, luhn_valid

CARD_LEAST, CARD_MOST = 13, 19
FILLER_WORDS = 3
LOOSE_WORDS = 4
SHOWN_DIGITS = 4
"""So many digits of a number may be seen before it is known what they belong to."""


class Secret(StrEnum):
    """What was hidden; the value is the wire's name for it."""

    PAYMENT_CARD = "payment_card"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Span:
    """Words ``first`` up to and without ``stop``."""

    first: int
    stop: int
    secret: Secret


@dataclass(frozen=True, slots=True)
class Run:
    """A run of digit words; ``starts`` holds the words that carry digits."""

    first: int
    stop: int
    digits: str
    counts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The secrets in a row of words.

    ``open_first`` is the first word of a number that the next words may complete, ``hold_first`` the first word of
    it that must not be shown yet; None where nothing is open. ``open_stop`` is one past its last word so far.
    """

    spans: tuple[Span, ...]
    open_first: int | None = None
    hold_first: int | None = None
    open_stop: int = 0


def find(words: Sequence[str]) -> Numbers:
    """Look through the words, those already published included: a number may have begun before."""
    runs = _runs(words)
    spans: list[Span] = []
    groups = _groups(runs)
    for group in groups:
        spans.extend(_secrets(group))
    if not groups or len(words) - groups[-1][-1].stop > LOOSE_WORDS:
        return Numbers(tuple(spans))
    last = groups[-1]
    hidden = {index for span in spans for index in range(span.first, span.stop)}
    seen = 0
    for run in last:
        for index, count in run.counts:
            seen += count
            if seen > SHOWN_DIGITS and index not in hidden:
                return Numbers(tuple(spans), last[0].first, index, last[-1].stop)
    return Numbers(tuple(spans), last[0].first, None, last[-1].stop)


def _runs(words: Sequence[str]) -> list[Run]:
    runs: list[Run] = []
    counts: list[tuple[int, int]] = []
    digits = ""
    fillers = 0
    for index, heard in enumerate([*hear(words), None]):
        if heard is not None and heard.digits:
            counts.append((index, len(heard.digits)))
            digits += heard.digits
            fillers = 0
        elif heard is not None and heard.filler and fillers < FILLER_WORDS:
            fillers += 1
        elif counts:
            runs.append(Run(counts[0][0], counts[-1][0] + 1, digits, tuple(counts)))
            counts, digits, fillers = [], "", 0
    return runs


def _groups(runs: Sequence[Run]) -> list[list[Run]]:
    groups: list[list[Run]] = []
    for run in runs:
        if groups and run.first - groups[-1][-1].stop <= LOOSE_WORDS:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def _secrets(group: Sequence[Run]) -> list[Span]:
    found: dict[int, Secret] = {}
    for index, run in enumerate(group):
        if len(run.digits) >= CARD_LEAST:
            found[index] = Secret.PAYMENT_CARD if _holds_card(run.digits) else Secret.OTHER
    for first in range(len(group)):
        digits = ""
        for last in range(first, len(group)):
            digits += group[last].digits
            if len(digits) > CARD_MOST:
                break
            if last > first and len(digits) >= CARD_LEAST and luhn_valid(digits):
                found |= dict.fromkeys(range(first, last + 1), Secret.PAYMENT_CARD)
    return [Span(group[index].first, group[index].stop, secret) for index, secret in sorted(found.items())]


def _holds_card(digits: str) -> bool:
    if len(digits) <= CARD_MOST:
        return luhn_valid(digits)
    sizes = range(CARD_LEAST, CARD_MOST + 1)
    return any(luhn_valid(digits[i : i + size]) for size in sizes for i in range(len(digits) - size + 1))
