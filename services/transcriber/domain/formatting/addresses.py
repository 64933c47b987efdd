"""E-mail addresses as they are spoken: only after a word that announces one, and where the redaction lets them pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from services.transcriber.domain.formatting.row import Piece, Row

NEAR = 8
LONGEST_PART = 3


@dataclass(frozen=True)
class Addresses:
    """A language's words around an address."""

    announced_by: Set[str]
    at: Set[str]
    joints: Mapping[str, str]
    top_levels: Set[str]
    outside: Set[str]
    """Words that no address begins with."""

    def __call__(self, row: Row, index: int) -> Sequence[Piece]:
        """An address that begins at a word."""
        if not self.announced_by & set(row.before(index, NEAR)) or row.plain[index] in self.outside:
            return ()
        local, at = self._part(row, index)
        if not local or row.at(at) not in self.at or row.end_mark(at - 1):
            return ()
        domain, stop = self._part(row, at + 1)
        if "." not in domain or domain.rsplit(".", 1)[1] not in self.top_levels:
            return ()
        return [Piece(stop, f"{local}@{domain}")]

    def _part(self, row: Row, index: int) -> tuple[str, int]:
        """Words with joints between them ("john dot smith"), and one past them."""
        word = row.at(index)
        if not word or not _simple(word):
            return "", index
        text, at = word, index + 1
        for _ in range(LONGEST_PART):
            if row.end_mark(at - 1) or row.at(at) not in self.joints or not _simple(row.at(at + 1)):
                break
            text += self.joints[row.at(at)] + row.at(at + 1)
            at += 2
        return text, at


def _simple(word: str) -> bool:
    return bool(word) and all(c.isalnum() or c in "._-" for c in word)
