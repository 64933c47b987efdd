"""Numbers in words: a language gives the words below a thousand, this reads them in a row."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from services.transcriber.domain.formatting.row import Row


@dataclass(frozen=True, slots=True)
class Cardinal:
    """A number read from words up to ``stop``."""

    stop: int
    value: int


@dataclass(frozen=True)
class Cardinals:
    """The numbers of a language. ``below_thousand`` has every way to say one, its words in order."""

    below_thousand: Mapping[tuple[str, ...], int]
    thousand: str
    bare_thousand: bool
    """Whether "thousand" alone is one thousand (French)."""
    links: Set[str] = frozenset()
    same: Mapping[str, str] = field(default_factory=dict)
    """Other forms of number words."""

    def __post_init__(self) -> None:
        vocabulary = {part for words in self.below_thousand for part in words} | {self.thousand}
        object.__setattr__(self, "_vocabulary", frozenset(vocabulary - self.links))

    def is_word(self, word: str) -> bool:
        """Whether a word is nothing but number words, or digits."""
        return word.isdecimal() or (bool(word) and all(part in self._parts for part in self._split(word)))

    def value(self, word: str) -> int | None:
        """What a single word with its hyphens is ("quatre-vingt-dix")."""
        return self._value(self._split(word))

    def read(self, row: Row, index: int) -> Cardinal | None:
        """The longest number that begins at a word."""
        if row.at(index).isdecimal():
            return Cardinal(index + 1, int(row.at(index)))
        parts: tuple[str, ...] = ()
        found: Cardinal | None = None
        at = index
        while word := row.at(at):
            here = self._split(word)
            if not all(part in self._parts or (part in self.links and parts) for part in here):
                break
            parts += here
            at += 1
            value = self._value(parts)
            if value is not None:
                found = Cardinal(at, value)
            if row.end_mark(at - 1):
                break
        return found

    @property
    def _parts(self) -> frozenset[str]:
        vocabulary: frozenset[str] = self.__dict__["_vocabulary"]
        return vocabulary

    def _split(self, word: str) -> tuple[str, ...]:
        return tuple(self.same.get(part, part) for part in word.replace("\u2010", "-").split("-"))

    def _value(self, parts: tuple[str, ...]) -> int | None:
        if self.thousand not in parts:
            return self.below_thousand.get(parts)
        at = parts.index(self.thousand)
        head, tail = parts[:at], parts[at + 1 :]
        if tail[:1] and tail[0] in self.links:
            tail = tail[1:] or ("",)
        many = 1 if not head and self.bare_thousand else self.below_thousand.get(head)
        rest = self.below_thousand.get(tail) if tail else 0
        return None if not many or rest is None or (tail and not rest) else many * 1000 + rest
