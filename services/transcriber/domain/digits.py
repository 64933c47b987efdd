"""Digits in speech as it gets written: "4111-1111", "four one one one", "double four", "forty-one eleven", "oh".

Each word is given the digits it stands for. Words that people put between the groups of a number ("uh", "dash",
"got it") are fillers: they belong to a number without adding to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.transcriber.domain.vocabulary import FILLERS, PAUSES, PRONOUN_ONE

_UNITS = {
    word: str(i)
    for i, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
}
_UNITS |= {"nought": "0", "naught": "0", "niner": "9"}
_TEENS = {
    word: str(i + 10)
    for i, word in enumerate(
        ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
    )
}
_TENS = {
    word: str(i + 2)
    for i, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"])
}
_ZEROS = {"hundred": "00", "thousand": "000"}
TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
MAYBE_ZERO = frozenset({"oh", "o"})
_WRITTEN = re.compile(r"\d[\d\-\u2010-\u2015.,/()_]*")
_DASHES = re.compile(r"[-\u2010-\u2015]")
_NOT_DIGITS = re.compile(r"\D+")
MARKS = ".,;:!?"
"""What may stand behind a word."""
_EDGES = "\"'.,;:!?()[]#\u2026\u201c\u201d\u2018\u2019"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a word is to a number: its digits, a filler, or neither."""

    digits: str = ""
    filler: bool = False


OTHER = Heard()
FILLER = Heard(filler=True)


def plain_word(word: str) -> str:
    """A word in lower case without the punctuation around it."""
    return word.lower().strip(_EDGES)


def hear(words: Sequence[str]) -> list[Heard]:
    """The digits of each word, in context; as long as ``words``."""
    return hear_plain([plain_word(word) for word in words])


def hear_plain(plain: Sequence[str]) -> list[Heard]:
    """The same for words that ``plain_word`` was applied to."""
    out: list[Heard] = []
    times = 1
    for index, word in enumerate(plain):
        if word not in _KNOWN and not word[:1].isdecimal() and "-" not in word and word[:1] != "+":
            out.append(FILLER if word in FILLERS or not _DASHES.sub("", word) else OTHER)
            times = 1
            continue
        following = plain[index + 1] if index + 1 < len(plain) else None
        if word in TIMES and (following is None or _digits(following, None)):
            times = TIMES[word]
            out.append(FILLER)
            continue
        near = bool(out) and (bool(out[-1].digits) or times > 1)
        digits = _digits(word.removeprefix("+"), following)
        if word in MAYBE_ZERO and not (near or (following is not None and _is_number(following, plain, index + 1))):
            digits = ""
        if word == "one" and times == 1 and _no_digit(plain, index):
            out.append(FILLER if following in PAUSES else OTHER)
        elif digits:
            out.append(Heard(digits[0] * (times - 1) + digits))
        else:
            out.append(FILLER if word in FILLERS or not _DASHES.sub("", word) else OTHER)
        times = 1
    return out


def written_groups(word: str) -> tuple[int, ...]:
    """How many digits stand in each group of a written number; empty where it is none."""
    word = word.strip(_EDGES)
    return tuple(len(part) for part in _NOT_DIGITS.split(word) if part) if _WRITTEN.fullmatch(word) else ()


def is_tens(word: str) -> bool:
    """Whether a unit may complete this number word ("twenty")."""
    return word in _TENS


def is_unit(word: str) -> bool:
    """Whether this is the word of a single digit."""
    return word in _UNITS


def _no_digit(plain: Sequence[str], index: int) -> bool:
    following = plain[index + 1] if index + 1 < len(plain) else None
    if following in PAUSES or following in ("of", "more", "thing"):
        return True
    before = plain[index - 1] if index else ""
    return before in PRONOUN_ONE and (following is None or not _digits(following, None))


def _is_number(word: str, plain: Sequence[str], index: int) -> bool:
    if word in MAYBE_ZERO:
        return index + 1 < len(plain) and _is_number(plain[index + 1], plain, index + 1)
    return bool(_digits(word, None))


def _digits(word: str, following: str | None) -> str:
    """Digits of one word, or nothing; ``following`` tells "forty one" from "forty"."""
    if _WRITTEN.fullmatch(word):
        return "".join(c for c in word if c.isdecimal())
    parts = [part for part in _DASHES.split(word) if part]
    digits = ""
    for index, part in enumerate(parts):
        after = parts[index + 1] if index + 1 < len(parts) else following
        if part in _TENS:
            digits += _TENS[part] + ("" if after in _UNITS and _UNITS[after] != "0" else "0")
        elif part in MAYBE_ZERO:
            digits += "0"
        elif part.isdecimal():
            digits += part
        elif part in _UNITS or part in _TEENS or part in _ZEROS:
            digits += _UNITS.get(part) or _TEENS.get(part) or _ZEROS[part]
        else:
            return ""
    return digits


_KNOWN = frozenset(_UNITS) | frozenset(_TEENS) | frozenset(_TENS) | frozenset(_ZEROS) | frozenset(TIMES) | MAYBE_ZERO


def luhn_valid(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
