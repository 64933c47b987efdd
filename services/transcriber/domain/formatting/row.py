"""Words read from the left, by rules that may look ahead but are told on when they look past the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_EDGES = "\"'.,;:!?()\u2026\u201c\u201d\u00ab\u00bb"
_BREAKS = ".,;:!?\u2026"


class Row:
    """The words of an utterance; with ``ended`` nothing follows them."""

    def __init__(self, words: Sequence[str], *, ended: bool) -> None:
        self.raw = tuple(words)
        self.plain = tuple(word.lower().replace("\u2019", "'").strip(_EDGES) for word in words)
        self.ended = ended
        self.looked_past = False

    def __len__(self) -> int:
        return len(self.raw)

    def at(self, index: int) -> str:
        """A word in lower case without punctuation around it; empty where there is none."""
        if index < len(self.raw):
            return self.plain[index]
        self.looked_past = self.looked_past or not self.ended
        return ""

    def next(self, index: int) -> str:
        """The word behind one, if no punctuation parts them."""
        return "" if self.end_mark(index) else self.at(index + 1)

    def before(self, index: int, words: int = 1) -> tuple[str, ...]:
        """The last words before one."""
        return self.plain[max(0, index - words) : index]

    def end_mark(self, index: int) -> str:
        """The punctuation behind a word."""
        word = self.raw[index]
        return word[len(word.rstrip(_BREAKS)) :]

    def capital(self, index: int) -> bool:
        """Whether a word begins with a capital letter."""
        self.at(index)
        return index < len(self.raw) and self.raw[index][:1].isupper()


@dataclass(frozen=True, slots=True)
class Piece:
    """Words up to ``stop`` are written as ``text``, without the last one's punctuation."""

    stop: int
    text: str


class Rule(Protocol):
    """What becomes of the words from ``index`` on; empty where the rule does not apply."""

    def __call__(self, row: Row, index: int) -> Sequence[Piece]:
        """The pieces, in order, the first beginning at ``index``."""
        ...


def written(row: Row, rules: Sequence[Rule]) -> list[tuple[int, Piece]]:
    """Each piece with its first word, up to where the words to come decide."""
    out: list[tuple[int, Piece]] = []
    index = 0
    while index < len(row):
        row.looked_past = False
        pieces = next((pieces for rule in rules if (pieces := rule(row, index))), ())
        if row.looked_past:
            break
        if not pieces:
            pieces = (Piece(index + 1, row.raw[index].removesuffix(row.end_mark(index))),)
        for piece in pieces:
            out.append((index, Piece(piece.stop, piece.text + row.end_mark(piece.stop - 1))))
            index = piece.stop
    return out


def as_spoken(row: Row, index: int, stop: int) -> list[Piece]:
    """Words left as they are."""
    return [Piece(i + 1, row.raw[i].removesuffix(row.end_mark(i))) for i in range(index, stop)]
