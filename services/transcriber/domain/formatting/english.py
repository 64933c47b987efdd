"""English: times, dates, money, percentages, numbers, spelling, e-mail."""

from __future__ import annotations

import re
from collections.abc import Sequence

from services.transcriber.domain.formatting.addresses import Addresses
from services.transcriber.domain.formatting.cardinals import Cardinal, Cardinals
from services.transcriber.domain.formatting.row import Piece, Row, Rule, as_spoken
from services.transcriber.domain.formatting.spelled import Signs
from services.transcriber.domain.vocabulary import MONTHS, NOT_LOCAL, ORDINALS, TOP_LEVELS

_UNITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = [
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_BEFORE_TIME = frozenset(["at", "by", "until", "till", "before", "after", "around", "about", "from", "since"])
_BEFORE_MERIDIEM = frozenset(["am", "pm", "a.m", "p.m"])
_PARTS_OF_DAY = frozenset(["morning", "afternoon", "evening"])
_SCALES = frozenset(["hundred", "thousand", "million", "billion"])
_DOTTED_TIME = re.compile(r"(1?\d|2[0-3])[.:]([0-5]\d)")
_SIGNS = {"dollars": "$", "dollar": "$", "euros": "€", "euro": "€"}
WRITTEN_FROM = 10
GROUPED_FROM = 10_000


def _below_thousand() -> dict[tuple[str, ...], int]:
    small: dict[tuple[str, ...], int] = {(word,): value for value, word in enumerate(_UNITS + _TEENS, 1)}
    for tens, word in enumerate(_TENS, 2):
        small[(word,)] = 10 * tens
        small |= {(word, unit): 10 * tens + value for value, unit in enumerate(_UNITS, 1)}
    out = dict(small)
    for words, value in small.items():
        if value < 20:
            hundreds = 100 * value
            heads = [(*words, "hundred"), *([("a", "hundred")] if value == 1 else [])]
            for head in heads:
                out[head] = hundreds
                for more, rest in small.items():
                    out[*head, *more] = out[*head, "and", *more] = hundreds + rest
    return out


CARDINALS = Cardinals(_below_thousand(), "thousand", bare_thousand=False, links=frozenset(["and"]))
_DIGITS = {"zero": "0", "oh": "0"} | {word: str(value) for value, word in enumerate(_UNITS, 1)}
SIGNS = Signs(
    digits=_DIGITS,
    times={"double": 2, "triple": 3, "treble": 3},
    likes=(("as", "in"), ("for",), ("like",)),
    counted=_SCALES | set(_SIGNS) | _BEFORE_MERIDIEM | {"percent", "cents", "cent", "o'clock"},
)
ADDRESSES = Addresses(
    announced_by=frozenset(["email", "e-mail", "mail", "address"]),
    at=frozenset(["at"]),
    joints={"dot": ".", "point": ".", "underscore": "_", "dash": "-", "hyphen": "-"},
    top_levels=TOP_LEVELS,
    outside=NOT_LOCAL | {"email", "e-mail", "mail", "address", "to", "the", "my", "your", "a", "of"},
)


def _hour(row: Row, index: int) -> int:
    word = row.at(index)
    hour = int(word) if word.isdecimal() and len(word) <= 2 else (CARDINALS.below_thousand.get((word,)) or 0)
    return hour if 1 <= hour <= 12 else 0


def _part_of_day(row: Row, last: int) -> bool:
    word = row.next(last)
    return word in _BEFORE_MERIDIEM or (
        word == "in" and row.at(last + 2) == "the" and row.at(last + 3) in _PARTS_OF_DAY
    )


def _time(row: Row, index: int) -> Sequence[Piece]:
    """ "six forty five in the morning", "half past ten", "a quarter to four"."""
    dotted = _DOTTED_TIME.fullmatch(row.plain[index])
    if dotted:
        return [Piece(index + 1, f"{dotted[1]}:{dotted[2]}")] if _part_of_day(row, index) else ()
    if past := _past(row, index):
        return past
    hour = _hour(row, index)
    if not hour or row.end_mark(index):
        return ()
    if row.at(index + 1) == "o'clock":
        return [Piece(index + 1, str(hour))]
    minute = _minute(row, index + 1)
    if minute is None:
        return [Piece(index + 1, str(hour))] if row.at(index + 1) in _BEFORE_MERIDIEM else ()
    last = minute.stop - 1
    following = row.next(last)
    named = row.capital(minute.stop) if following else False
    at = bool(_BEFORE_TIME & set(row.before(index))) and not (CARDINALS.is_word(following) or following in _SIGNS)
    if (at and not named and following not in _SCALES | {"percent", "cents"}) or _part_of_day(row, last):
        return [Piece(minute.stop, f"{hour}:{minute.value:02}")]
    return ()


def _minute(row: Row, index: int) -> Cardinal | None:
    if row.at(index) in ("oh", "o") and not row.end_mark(index):
        unit = CARDINALS.below_thousand.get((row.at(index + 1),))
        return Cardinal(index + 2, unit) if unit is not None and unit < 10 else None
    found = CARDINALS.read(row, index)
    return found if found is not None and 10 <= found.value <= 59 else None


def _past(row: Row, index: int) -> Sequence[Piece]:
    at = index + 1 if row.plain[index] == "a" and row.at(index + 1) == "quarter" else index
    word, turn = row.at(at), row.next(at) if row.at(at) in ("half", "quarter") else ""
    hour = _hour(row, at + 2) if turn in ("past", "to") else 0
    if not hour or (word == "half" and turn == "to"):
        return ()
    minute = 30 if word == "half" else 15
    if turn == "to":
        hour, minute = hour - 1 or 12, 45
    return [Piece(at + 3, f"{hour}:{minute:02}")]


def _ordinal(row: Row, index: int) -> Cardinal | None:
    """ "twenty third", "sixteenth"."""
    word = row.at(index)
    head, _, tail = word.rpartition("-")
    if word in ORDINALS:
        return Cardinal(index + 1, ORDINALS[word])
    tens = CARDINALS.below_thousand.get((head or word,), 0)
    if tens not in (20, 30):
        return None
    unit = ORDINALS.get(tail if head else row.next(index), 99)
    return Cardinal(index + (1 if head else 2), tens + unit) if unit < 10 and tens + unit <= 31 else None


def _nth(value: int) -> str:
    ending = "th" if value in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def _month(row: Row, index: int) -> bool:
    word = row.at(index)
    return word in MONTHS and (word not in ("may", "march", "mar", "sept") or row.capital(index))


def _date(row: Row, index: int) -> Sequence[Piece]:
    """ "ninth of March", "March fifth twenty twenty four", "the sixteenth"."""
    after_month = index > 0 and _month(row, index - 1) and not row.end_mark(index - 1)
    day = _ordinal(row, index)
    if day is None:
        number = CARDINALS.read(row, index) if after_month and row.plain[index] != "a" else None
        if number is None or number.value > 31 or row.plain[index].isdecimal():
            return ()
        if row.next(number.stop - 1) in {*_SIGNS, "percent"}:
            return ()
        day, text = number, str(number.value)
    else:
        of_month = row.next(day.stop - 1) == "of" and _month(row, day.stop + 1)
        if day.value < WRITTEN_FROM and not (after_month or of_month):
            return ()
        text = _nth(day.value)
    pieces = [Piece(day.stop, text)]
    if after_month and row.end_mark(day.stop - 1).strip(",") == "" and (year := _year(row, day.stop)):
        pieces.append(Piece(year.stop, str(year.value)))
    return pieces


def _year(row: Row, index: int) -> Cardinal | None:
    """ "nineteen ninety eight", "twenty oh five", "two thousand and four"."""
    word = row.at(index)
    if word in ("nineteen", "twenty") and not row.end_mark(index):
        century = 1900 if word == "nineteen" else 2000
        if row.at(index + 1) == "oh":
            unit = CARDINALS.below_thousand.get((row.at(index + 2),), 99)
            return Cardinal(index + 3, century + unit) if unit < 10 else None
        rest = CARDINALS.read(row, index + 1)
        if rest is not None and 10 <= rest.value <= 99 and not row.plain[index + 1].isdecimal():
            return Cardinal(rest.stop, century + rest.value)
        return None
    number = CARDINALS.read(row, index) if word == "two" else None
    return number if number is not None and 2000 <= number.value < 2100 else None


def _number(row: Row, index: int) -> Sequence[Piece]:
    """Amounts, percentages, years, and any number from ten on."""
    year = _year(row, index)
    if year and not CARDINALS.is_word(row.next(year.stop - 1)) and row.next(year.stop - 1) not in _SIGNS:
        return [Piece(year.stop, str(year.value))]
    number = CARDINALS.read(row, index)
    if number is None:
        return ()
    last = number.stop - 1
    following = row.next(last)
    if following and CARDINALS.is_word(following):
        return as_spoken(row, index, _cluster_stop(row, index))
    if following in _SIGNS:
        return _money(row, number, _SIGNS[following])
    if following == "percent":
        return [Piece(number.stop + 1, f"{number.value}%")]
    if number.value < WRITTEN_FROM or row.plain[index].isdecimal():
        return ()
    return [Piece(number.stop, _figure(number.value))]


def _cluster_stop(row: Row, index: int) -> int:
    """One past number words that follow each other without making one number."""
    while CARDINALS.is_word(row.at(index)) and not row.end_mark(index):
        index += 1
    return index + 1 if CARDINALS.is_word(row.at(index)) else index


def _money(row: Row, number: Cardinal, sign: str) -> Sequence[Piece]:
    whole = f"{sign}{_figure(number.value)}"
    last = number.stop
    if sign == "$" and row.next(last) == "and":
        cents = CARDINALS.read(row, last + 2)
        if cents is not None and cents.value < 100 and row.next(cents.stop - 1) in ("cents", "cent"):
            return [Piece(cents.stop + 1, f"{whole}.{cents.value:02}")]
    return [Piece(number.stop + 1, whole)]


def _figure(value: int) -> str:
    return f"{value:,}" if value >= GROUPED_FROM else str(value)


ENGLISH: tuple[Rule, ...] = (ADDRESSES, SIGNS.letters, _time, SIGNS.number, _date, _number)
