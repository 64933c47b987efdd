"""The feeling in an utterance, and its mean over a call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

LABEL_FROM = 0.05
"""VADER's own threshold (Hutto and Gilbert, 2014)."""


class SentimentScorer(Protocol):
    """Rates a text."""

    def score(self, text: str) -> float:
        """-1 to 1."""
        ...


@dataclass(frozen=True, slots=True)
class Mean:
    """A running mean."""

    total: float = 0.0
    count: int = 0

    def add(self, value: float) -> Mean:
        """With one more value."""
        return Mean(round(self.total + value, 6), self.count + 1)

    @property
    def value(self) -> float:
        """The mean; 0 of nothing."""
        return round(self.total / self.count, 3) if self.count else 0.0


def label(score: float) -> str:
    """`positive`, `neutral` or `negative`."""
    if score >= LABEL_FROM:
        return "positive"
    return "negative" if score <= -LABEL_FROM else "neutral"
