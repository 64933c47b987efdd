"""The feeling in an utterance, and its course over a call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

LABEL_FROM = 0.05
"""VADER's own threshold (Hutto and Gilbert, 2014)."""
STRETCHES = 20
RUNNING_OVER = 8
RUNNING_WEIGHT = 0.3
Side = Literal["agent", "customer"]
SIDES: tuple[Side, ...] = ("agent", "customer")


class SentimentScorer(Protocol):
    """Rates a text."""

    def score(self, text: str) -> float:
        """-1 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Felt:
    """The sentiment of an utterance, and where on the media clock it was said."""

    side: Side
    from_ms: int
    to_ms: int
    score: float


@dataclass(frozen=True, slots=True)
class Point:
    """One side's mean over a stretch of the call."""

    side: Side
    start_ms: int
    end_ms: int
    score: float


def mean(felt: Iterable[Felt], side: Side) -> float:
    """Of one side; 0 of nothing."""
    scores = [each.score for each in felt if each.side == side]
    return round(sum(scores) / len(scores), 3) if scores else 0.0


def latest(felt: Sequence[Felt], side: Side | None, count: int) -> list[float]:
    """The newest scores of a side (None: of anyone), the newest last."""
    ordered = sorted((each for each in felt if side is None or each.side == side), key=lambda each: each.from_ms)
    return [each.score for each in ordered[-count:]]


def running(felt: Sequence[Felt], side: Side) -> float:
    """How one side feels by now: each utterance moves it three tenths of the way."""
    scores = latest(felt[-4 * RUNNING_OVER :], side, RUNNING_OVER)
    value = scores[0] if scores else 0.0
    for score in scores[1:]:
        value += RUNNING_WEIGHT * (score - value)
    return round(value, 3)


def course(felt: Sequence[Felt]) -> tuple[Point, ...]:
    """Both sides over the call, in at most twenty stretches of the same length; those without a word left out."""
    if not felt:
        return ()
    end_ms = max(each.to_ms for each in felt)
    stretches = min(STRETCHES, max(1, end_ms // 5_000))
    width = -(-end_ms // stretches) or 1
    cells: dict[tuple[int, Side], list[Felt]] = {}
    for each in felt:
        cells.setdefault((min(each.from_ms // width, stretches - 1), each.side), []).append(each)
    return tuple(
        Point(side, at * width, min((at + 1) * width, end_ms), mean(found, side))
        for (at, side), found in sorted(cells.items())
    )


def thirds(felt: Sequence[Felt], side: Side) -> tuple[float, float]:
    """The mean of the first third of a side's utterances, and of the last."""
    ordered = sorted((each for each in felt if each.side == side), key=lambda each: each.from_ms)
    third = -(-len(ordered) // 3)
    return mean(ordered[:third], side), mean(ordered[-third:] if third else (), side)


def label(score: float) -> str:
    """`positive`, `neutral` or `negative`."""
    if score >= LABEL_FROM:
        return "positive"
    return "negative" if score <= -LABEL_FROM else "neutral"
