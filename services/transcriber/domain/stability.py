"""Partials that mostly grow: words on which two hypotheses in a row agree are taken as said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.transcriber.domain.recognition import RecognizedWord

UNFORCED_WORDS = 2
"""Agreed words that the next decode may still change: the last ones were heard with little after them."""


def plain(word: str) -> str:
    """A word without its case and punctuation, for comparison."""
    return "".join(c for c in word.lower() if c.isalnum())


def agreed(one: Sequence[RecognizedWord], other: Sequence[RecognizedWord]) -> int:
    """How many words two hypotheses begin with alike."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if plain(left.text) != plain(right.text):
            break
        count += 1
    return count


@dataclass(slots=True)
class Stabilizer:
    """Local agreement over the hypotheses of one utterance."""

    _last: tuple[RecognizedWord, ...] = ()
    _prefix: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """Text for the next decode to take as said."""
        return " ".join(self._prefix)

    def take(self, words: tuple[RecognizedWord, ...]) -> None:
        """Learn from a new hypothesis."""
        count = agreed(self._last, words) - UNFORCED_WORDS
        if count > len(self._prefix):
            self._prefix = tuple(word.text for word in words[:count])
        self._last = words

    def distrust(self) -> None:
        """Forget what was agreed: the decoder contradicted it."""
        self._prefix = ()
