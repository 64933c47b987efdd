"""Digits in speech as it gets written: "4111-1111", "four one one one", "double four", "forty-one eleven", "oh".

Each word is given the digits it stands for. Words that people put between the groups of a number ("uh", "dash",
"and then") are fillers: they belong to a number without adding to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

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
_TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
_MAYBE_ZERO = frozenset({"oh", "o"})
_FILLERS = frozenset(
    [
        "uh",
        "um",
        "er",
        "erm",
        "eh",
        "ah",
        "hmm",
        "mm",
        "mhm",
        "and",
        "then",
        "dash",
        "hyphen",
        "space",
        "dot",
        "point",
        "okay",
        "ok",
        "so",
        "yeah",
        "yes",
        "right",
        "to",
        "too",
        "for",
        "well",
        "sorry",
        "next",
        "it's",
        "like",
    ]
)
_WRITTEN = re.compile(r"\d[\d\-\u2010-\u2015.,/()_]*")
_DASHES = re.compile(r"[-\u2010-\u2015]")
_EDGES = "\"'.,;:!?()[]\u2026\u201c\u201d\u2018\u2019"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a word is to a number: its digits, a filler, or neither."""

    digits: str = ""
    filler: bool = False


OTHER = Heard()
FILLER = Heard(filler=True)


def hear(words: Sequence[str]) -> list[Heard]:
    """The digits of each word, in context; as long as ``words``."""
    plain = [word.lower().strip(_EDGES) for word in words]
    out: list[Heard] = []
    times = 1
    for index, word in enumerate(plain):
        following = plain[index + 1] if index + 1 < len(plain) else None
        if word in _TIMES and (following is None or _digits(following, None)):
            times = _TIMES[word]
            out.append(FILLER)
            continue
        near = bool(out) and (bool(out[-1].digits) or times > 1)
        digits = _digits(word, following)
        if word in _MAYBE_ZERO and not (near or (following is not None and _is_number(following))):
            digits = ""
        if digits:
            out.append(Heard(digits[0] * (times - 1) + digits))
        else:
            out.append(FILLER if word in _FILLERS or not _DASHES.sub("", word) else OTHER)
        times = 1
    return out


def _is_number(word: str) -> bool:
    return word not in _MAYBE_ZERO and bool(_digits(word, None))


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
        elif part in _MAYBE_ZERO:
            digits += "0"
        elif part.isdecimal():
            digits += part
        elif part in _UNITS or part in _TEENS or part in _ZEROS:
            digits += _UNITS.get(part) or _TEENS.get(part) or _ZEROS[part]
        else:
            return ""
    return digits


def luhn_valid(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
