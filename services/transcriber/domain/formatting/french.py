"""French: times, dates, money, percentages, numbers, spelling, e-mail."""

from __future__ import annotations

from collections.abc import Sequence

from services.transcriber.domain.formatting.addresses import Addresses
from services.transcriber.domain.formatting.cardinals import Cardinal, Cardinals
from services.transcriber.domain.formatting.row import Piece, Row, Rule, as_spoken
from services.transcriber.domain.formatting.spelled import Signs

_SMALL = [
    "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze", "treize",
    "quatorze", "quinze", "seize",
]  # fmt: skip
_TENS = {20: "vingt", 30: "trente", 40: "quarante", 50: "cinquante", 60: "soixante"}
_MONTHS = frozenset(
    [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "aout",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ]
)
_HOURS = frozenset(["heure", "heures"])
WRITTEN_FROM = 10


def _below_hundred() -> dict[tuple[str, ...], int]:
    out: dict[tuple[str, ...], int] = {(word,): value for value, word in enumerate(_SMALL, 1)}
    out |= {("dix", word): 10 + value for value, word in enumerate(_SMALL[6:9], 7)}
    teens = dict(out)
    for tens, word in _TENS.items():
        out[(word,)] = tens
        most = 20 if tens == 60 else 10
        for words, value in teens.items():
            if value < most:
                out[word, *words] = tens + value
                if value in (1, 11):
                    out[word, "et", *words] = tens + value
    out["quatre", "vingt"] = 80
    out |= {("quatre", "vingt", *words): 80 + value for words, value in teens.items() if value < 20}
    for tens, word in ((70, "septante"), (90, "nonante")):
        out[(word,)] = tens
        out |= {(word, *words): tens + value for words, value in teens.items() if value < 10}
    return out


def _below_thousand() -> dict[tuple[str, ...], int]:
    small = _below_hundred()
    out = dict(small)
    for hundreds in range(1, 10):
        head = ("cent",) if hundreds == 1 else (_SMALL[hundreds - 1], "cent")
        out[head] = 100 * hundreds
        out |= {(*head, *words): 100 * hundreds + value for words, value in small.items()}
    return out


CARDINALS = Cardinals(
    _below_thousand(), "mille", bare_thousand=True, links=frozenset(["et"]),
    same={"cents": "cent", "vingts": "vingt", "une": "un"},
)  # fmt: skip
SIGNS = Signs(
    digits={"zéro": "0"} | {word: str(value) for value, word in enumerate(_SMALL[:9], 1)},
    times={"double": 2, "triple": 3},
    likes=(("comme",),),
    counted=_MONTHS | _HOURS | {"cent", "cents", "mille", "euro", "euros", "centime", "centimes", "pour", "pourcent"},
)
ADDRESSES = Addresses(
    announced_by=frozenset(["email", "e-mail", "mail", "mél", "adresse", "courriel"]),
    at=frozenset(["arobase"]),
    joints={"point": ".", "tiret": "-", "souligné": "_", "underscore": "_"},
    top_levels=frozenset(["fr", "com", "org", "net", "be", "ch", "ca", "eu", "info"]),
    outside=frozenset(["est", "c'est", "mail", "e-mail", "email", "adresse", "courriel", "à"]),
)


def _time(row: Row, index: int) -> Sequence[Piece]:
    """ "quinze heures trente" """
    hour = CARDINALS.read(row, index)
    if hour is None or hour.value > 24 or row.next(hour.stop - 1) not in _HOURS:
        return ()
    hours = hour.stop
    minute = None if row.end_mark(hours) else CARDINALS.read(row, hours + 1)
    if minute is not None and minute.value < 60:
        return [Piece(minute.stop, f"{hour.value} h {minute.value:02}")]
    if row.next(hours) == "et" and row.at(hours + 2) in ("demie", "demi", "quart"):
        return [Piece(hours + 3, f"{hour.value} h {15 if row.at(hours + 2) == 'quart' else 30}")]
    if hour.value < WRITTEN_FROM and not {"à", "vers", "avant", "après", "dès"} & set(row.before(index)):
        return ()
    return [Piece(hours + 1, f"{hour.value} h")]


def _date(row: Row, index: int) -> Sequence[Piece]:
    """ "premier juin", "seize mars deux mille vingt-six" """
    first = row.plain[index] in ("premier", "1er")
    day = Cardinal(index + 1, 1) if first else CARDINALS.read(row, index)
    if day is None or day.value > 31 or row.next(day.stop - 1) not in _MONTHS:
        return ()
    pieces = [Piece(day.stop, "1er" if first else str(day.value)), *as_spoken(row, day.stop, day.stop + 1)]
    year = None if row.end_mark(day.stop) else CARDINALS.read(row, day.stop + 1)
    if year is not None and 1900 <= year.value < 2100:
        pieces.append(Piece(year.stop, str(year.value)))
    return pieces


def _number(row: Row, index: int) -> Sequence[Piece]:
    """Amounts, percentages, and any number from ten on."""
    number = CARDINALS.read(row, index)
    if number is None:
        return ()
    following = row.next(number.stop - 1)
    if following and CARDINALS.is_word(following):
        stop = number.stop
        while CARDINALS.is_word(row.at(stop)) and not row.end_mark(stop - 1):
            stop += 1
        return as_spoken(row, index, stop)
    if following in ("euro", "euros"):
        return _euros(row, number)
    if following == "pour" and row.next(number.stop) in ("cent", "cents"):
        return [Piece(number.stop + 2, f"{number.value} %")]
    if following == "pourcent":
        return [Piece(number.stop + 1, f"{number.value} %")]
    if number.value < WRITTEN_FROM or row.plain[index].isdecimal():
        return ()
    return [Piece(number.stop, str(number.value))]


def _euros(row: Row, number: Cardinal) -> Sequence[Piece]:
    at = number.stop + 1
    if not row.end_mark(at - 1):
        at += row.at(at) == "et"
        cents = CARDINALS.read(row, at)
        if cents is not None and cents.value < 100 and row.next(cents.stop - 1) in ("centime", "centimes"):
            return [Piece(cents.stop + 1, f"{number.value},{cents.value:02} €")]
    return [Piece(number.stop + 1, f"{number.value} €")]


FRENCH: tuple[Rule, ...] = (ADDRESSES, SIGNS.letters, _time, SIGNS.number, _date, _number)
