"""What is said sign by sign: names and codes in letters ("C as in Charlie"), numbers in digits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from services.transcriber.domain.formatting.row import Piece, Row, as_spoken

LEAST_LETTERS, LEAST_SIGNS, LEAST_DIGITS = 2, 3, 3
_DASHED = re.compile(r"[A-Z0-9](?:-[A-Z0-9])+")


@dataclass(frozen=True)
class Signs:
    """The words of a language for digits and for spelling."""

    digits: Mapping[str, str]
    times: Mapping[str, int]
    likes: Sequence[tuple[str, ...]]
    """ "as in", "for": what stands between a letter and the word that tells it."""
    counted: Set[str]
    """ "hundred", "dollars": a digit before such a word is none of a row of digits."""

    def letters(self, row: Row, index: int) -> Sequence[Piece]:
        """A spelled name or code; it begins with a letter."""
        if not self._letter(row, index) and not _DASHED.fullmatch(row.raw[index].strip(".,;:!?")):
            return ()
        text, at = "", index
        while True:
            signs, stop = self._sign(row, at, begun=bool(text))
            if not signs:
                break
            text, at = text + signs, stop
            if row.end_mark(at - 1).strip(","):
                break
        enough = sum(c.isalpha() for c in text) >= LEAST_LETTERS and len(text) >= LEAST_SIGNS
        return [Piece(at, text)] if enough and not text.isdecimal() else ()

    def number(self, row: Row, index: int) -> Sequence[Piece]:
        """Three digits or more, one by one; a comma parts groups."""
        groups: list[str] = []
        pieces: list[Piece] = []
        at, comma = index, True
        while True:
            digits, stop = self._digit(row, at)
            if not digits or (not groups and row.at(at) in ("oh", "o")):
                break
            if comma:
                groups.append("")
            groups[-1] += digits
            at = stop
            mark = row.end_mark(at - 1)
            comma = mark == ","
            pieces = [*pieces[: len(groups) - 1], Piece(at, groups[-1])]
            if mark and not comma:
                break
        whole = "".join(groups)
        if len(whole) < LEAST_DIGITS:
            return ()
        if all(len(group) == 1 for group in groups):
            if all(int(b) - int(a) == 1 for a, b in pairwise(whole)):
                return as_spoken(row, index, at)  # somebody counts
            return [Piece(at, whole)]
        return _joined(row, pieces)

    def _letter(self, row: Row, index: int) -> bool:
        word = row.raw[index].strip(".,;:!?\"'") if row.at(index) else ""
        return len(word) == 1 and word.isalpha() and word.isupper()

    def _sign(self, row: Row, index: int, *, begun: bool) -> tuple[str, int]:
        word = row.at(index)
        dashed = row.raw[index].strip(".,;:!?") if word else ""
        if _DASHED.fullmatch(dashed):
            return dashed.replace("-", ""), index + 1
        if self._letter(row, index):
            return dashed.strip("\"'"), self._told(row, index)
        if begun and word in self.times and not row.end_mark(index):
            signs, stop = self._sign(row, index + 1, begun=True)
            return signs[:1] * (self.times[word] - 1) + signs, stop
        if begun and (word in self.digits or (word.isdecimal() and len(word) == 1)):
            return (self.digits.get(word) or word), index + 1
        return "", index

    def _told(self, row: Row, index: int) -> int:
        """One past a letter and the word that tells which one it is."""
        if row.end_mark(index):
            return index + 1
        for like in self.likes:
            if all(row.at(index + 1 + i) == word for i, word in enumerate(like)):
                told = index + 1 + len(like)
                letter = row.plain[index]
                if row.at(told)[:1] == letter and len(row.at(told)) > 1:
                    return told + 1
        return index + 1

    def _digit(self, row: Row, index: int) -> tuple[str, int]:
        word = row.at(index)
        if word in self.times and not row.end_mark(index):
            digit = self.digits.get(row.at(index + 1), "")
            return digit * self.times[word], index + 2
        if word not in self.digits or row.next(index) in self.counted:
            return "", index
        return self.digits[word], index + 1


def _joined(row: Row, pieces: Sequence[Piece]) -> list[Piece]:
    """Groups as words of their own, without the commas between them."""
    text = " ".join(piece.text for piece in pieces)
    return [Piece(pieces[-1].stop, text)] if pieces else []
