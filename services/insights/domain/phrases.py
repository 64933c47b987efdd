"""Phrases in speech that was written down by a machine: inflections, small gaps, and near misses.

A phrase matches by its words' stems, in order and next to each other, so that "cancel my contract" is found in
"cancelling my contracts". `*` in a phrase stands for up to three words.

A near miss is one word of the phrase that was heard slightly wrong: a letter more, less, other or swapped (two in words
of nine letters and more), or cut in two ("super visor"). The word must be long enough to be told from others, at least
one other word of the phrase must be there exactly (a phrase of one word needs seven letters), and a word that the
rules themselves use is never taken for another ("change the card" is not "charge the card").
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import OSA

from services.insights.domain.text import STOP_WORDS, stem, words

GAP = "*"
GAP_WORDS = 3
NEAR_LETTERS, NEAR_LETTERS_ALONE, TWO_EDITS_LETTERS = 5, 7, 9
Phrase = tuple[str, ...]
"""Stems, and `*` for a gap."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An utterance, ready to be matched. `stems[i]` is the i-th word's, `joined[i]` that of it and the next as one."""

    stems: tuple[str, ...]
    joined: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Heard:
        """Take an utterance's words."""
        found = words(text)
        joined = tuple(stem(first + second) for first, second in itertools.pairwise(found))
        return cls(tuple(map(stem, found)), joined)


@dataclass(frozen=True, slots=True)
class Found:
    """A phrase of the set that was said. `owner` is whatever it was put in with."""

    owner: int
    exactly: bool


def read_phrase(text: str) -> Phrase:
    """The phrase as it is matched. Raises ValueError for one without a word."""
    phrase = tuple(
        part for piece in text.split() for part in ((GAP,) if piece == GAP else tuple(map(stem, words(piece))))
    )
    if not any(part != GAP for part in phrase):
        raise ValueError("has no word")
    return phrase


class PhraseSet:
    """Many phrases, matched at once: only those are looked at of which all words were said, but for one near miss."""

    def __init__(self, phrases: Iterable[tuple[int, Phrase, bool]]) -> None:
        """`(owner, phrase, near)` each; `near` allows near misses."""
        self._phrases = list(phrases)
        self._by_word: dict[str, list[int]] = {}
        self._wants: list[int] = []
        self._alone: list[int] = []
        for at, (_, phrase, near) in enumerate(self._phrases):
            said = [word for word in phrase if word != GAP]
            self._wants.append(len(set(said)))
            for word in set(said):
                self._by_word.setdefault(word, []).append(at)
            if near and len(said) == 1 and len(said[0]) >= NEAR_LETTERS_ALONE:
                self._alone.append(at)
        self._known = frozenset(self._by_word)

    def find(self, heard: Heard) -> tuple[Found, ...]:
        """What was said, by the phrases' order."""
        there: dict[int, int] = {}
        for word in {*heard.stems, *heard.joined}:
            for at in self._by_word.get(word, ()):
                there[at] = there.get(at, 0) + 1
        strange = [word for word in (*heard.stems, *heard.joined) if self._strange(word)]
        slips = 1 if strange else 0
        candidates = {at for at, count in there.items() if count >= self._wants[at] - slips}
        candidates |= {at for at in self._alone if any(near(self._words(at)[0], word) for word in strange)}
        found = []
        for at in sorted(candidates):
            owner, phrase, allowed = self._phrases[at]
            if _said(phrase, heard, frozenset()):
                found.append(Found(owner, True))
            elif allowed and strange and _said(phrase, heard, frozenset(strange)):
                found.append(Found(owner, False))
        return tuple(found)

    def _words(self, at: int) -> list[str]:
        return [word for word in self._phrases[at][1] if word != GAP]

    def _strange(self, word: str) -> bool:
        return len(word) >= NEAR_LETTERS - 1 and word not in self._known and word not in STOP_WORDS


def near(word: str, heard: str) -> bool:
    """Whether `heard` is `word` with a slip in it."""
    if len(word) < NEAR_LETTERS or word[0] != heard[0]:
        return False
    allowed = 2 if len(word) >= TWO_EDITS_LETTERS else 1
    return bool(OSA.distance(word, heard, score_cutoff=allowed) <= allowed)


def _said(phrase: Phrase, heard: Heard, strange: frozenset[str]) -> bool:
    """Whether the phrase is there; `strange` words may stand for one of its own each, in all once."""
    alone = sum(word != GAP for word in phrase) == 1
    return any(_from(phrase, heard, at, strange, slips=1, alone=alone) for at in range(len(heard.stems)))


def _from(phrase: Sequence[str], heard: Heard, at: int, strange: frozenset[str], *, slips: int, alone: bool) -> bool:
    if not phrase:
        return True
    first, rest = phrase[0], phrase[1:]
    if first == GAP:
        return any(_from(rest, heard, at + skip, strange, slips=slips, alone=alone) for skip in range(GAP_WORDS + 1))
    if at >= len(heard.stems):
        return False
    if heard.stems[at] == first and _from(rest, heard, at + 1, strange, slips=slips, alone=alone):
        return True
    whole = at < len(heard.joined) and heard.joined[at] == first and len(first) >= NEAR_LETTERS
    if whole and _from(rest, heard, at + 2, strange, slips=slips, alone=alone):
        return True
    if not slips or (alone and len(first) < NEAR_LETTERS_ALONE):
        return False
    slipped = heard.stems[at] in strange and near(first, heard.stems[at])
    return slipped and _from(rest, heard, at + 1, strange, slips=0, alone=alone)
