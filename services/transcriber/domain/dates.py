"""Dates in words and figures, and which of them say when somebody was born.

Hidden is a date after words such as "date of birth", and any whole date of a year up to ``BORN_UNTIL``: on the phone
hardly any other date lies so far back. Other dates are claimed, so that no number is seen in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.transcriber.domain.cues import Topic, directly, governing
from services.transcriber.domain.digits import is_tens, is_unit
from services.transcriber.domain.secret import Secret, Span, Speech, Tail
from services.transcriber.domain.vocabulary import MONTHS, ORDINALS, WORDY_MONTHS, WORDY_ORDINALS

BORN_FROM, BORN_UNTIL, LAST_YEAR = 1900, 2010, 2039
_FIGURES = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4}|\d{2})|((?:19|20)\d\d)-(\d\d)-(\d\d)")
_ORDINAL = re.compile(r"(\d{1,2})(st|nd|rd|th)")


@dataclass(frozen=True, slots=True)
class _Date:
    first: int
    stop: int
    has_day: bool
    year: int | None


def find_dates(speech: Speech) -> tuple[list[Span], list[Tail]]:
    """Dates of birth, and where one may be coming. All dates are claimed."""
    spans: list[Span] = []
    tails: list[Tail] = []
    index = 0
    while index < speech.size:
        date = None if index in speech.taken else _date(speech, index)
        if date is None:
            index += 1
            continue
        born = _birth_is_asked(speech, date.first)
        if born or (date.has_day and date.year is not None and BORN_FROM <= date.year <= BORN_UNTIL):
            spans.append(Span(date.first, date.stop, Secret.DATE_OF_BIRTH))
            if date.has_day and date.year is not None:
                speech.answered(Topic.BIRTH, date.first, date.stop)
        if date.year is None and not speech.ended and _nothing_after(speech, date.stop):
            tails.append(Tail(date.first, date.stop, firm=born))
        speech.take(date.first, date.stop)
        index = date.stop
    tail = _ordinal_tail(speech)
    if tail is not None and speech.ended and tail.firm:
        spans.append(Span(tail.first, tail.stop, Secret.DATE_OF_BIRTH))
    elif tail is not None:
        tails.append(tail)
    return spans, tails


def _birth_is_asked(speech: Speech, first: int) -> bool:
    cue = governing(speech.cues, first)
    return (
        cue is not None and cue.topic is Topic.BIRTH and (not cue.follows_number or directly(speech.plain, cue, first))
    )


def _nothing_after(speech: Speech, stop: int) -> bool:
    return all(speech.heard[index].filler for index in range(stop, speech.size))


def _date(speech: Speech, index: int) -> _Date | None:
    figures = _FIGURES.fullmatch(speech.plain[index])
    if figures:
        figure = int(figures[3] or figures[4])
        month, day = int(figures[1] or figures[5]), int(figures[2] or figures[6])
        if min(month, day) < 1 or min(month, day) > 12 or max(month, day) > 31:
            return None
        asked = _birth_is_asked(speech, index)
        if figure < 100 and not asked and "/" not in speech.plain[index]:
            return None
        return _Date(index, index + 1, True, figure if figure > 99 else 1900 + figure if figure > 26 else 2000 + figure)
    if not _is_month(speech, index):
        return None
    first, has_day = _day_before(speech, index)
    stop = index + 1
    if not has_day:
        stop, has_day = _day_after(speech, stop)
    stop, year = _year(speech, stop)
    return _Date(first, stop, has_day, year)


def _is_month(speech: Speech, index: int) -> bool:
    word = speech.plain[index]
    if word not in MONTHS:
        return False
    if word not in WORDY_MONTHS:
        return True
    capital = speech.raw[index][:1].isupper() and index > 0
    before = speech.plain[index - 1] if index else ""
    after = speech.plain[index + 1] if index + 1 < speech.size else ""
    dated = _ordinal(after) or before == "of" or (index + 1 < speech.size and speech.heard[index + 1].digits)
    at_tail = index + 1 == speech.size and not speech.ended
    return bool(capital or dated or at_tail or (index and speech.heard[index - 1].digits) or _ordinal(before))


def _ordinal(word: str) -> bool:
    return word in ORDINALS or _ORDINAL.fullmatch(word) is not None


def _free(speech: Speech, index: int) -> bool:
    return 0 <= index < speech.size and index not in speech.taken


def _day_before(speech: Speech, month: int) -> tuple[int, bool]:
    at = month - 2 if month > 1 and speech.plain[month - 1] == "of" else month - 1
    if not _free(speech, at):
        return month, False
    word, digits = speech.plain[at], speech.heard[at].digits
    if _ordinal(word) or (digits and len(digits) <= 2 and 1 <= int(digits) <= 31):
        tens = _free(speech, at - 1) and is_tens(speech.plain[at - 1]) and (word in ORDINALS or is_unit(word))
        return at - tens, True
    return month, False


def _day_after(speech: Speech, index: int) -> tuple[int, bool]:
    at = index + 1 if index < speech.size and speech.plain[index] == "the" else index
    if not _free(speech, at):
        return index, False
    word, digits = speech.plain[at], speech.heard[at].digits
    if _ordinal(word):
        return at + 1, True
    if not digits or len(digits) > 2 or not 1 <= int(digits) <= 31:
        return index, False
    if is_tens(word) and _free(speech, at + 1):
        following = speech.plain[at + 1]
        if following in ORDINALS and ORDINALS[following] < 10:
            return at + 2, True
        if is_unit(following):
            return at + 2, True
    return at + 1, True


def _year(speech: Speech, index: int) -> tuple[int, int | None]:
    """One past the year that begins about here, and the year; the place itself without one."""
    at, skipped = index, 0
    while _free(speech, at) and not speech.heard[at].digits and skipped < 2:
        if not (speech.heard[at].filler or speech.plain[at] in ("of", "in", "the", "year", "'")):
            return index, None
        at, skipped = at + 1, skipped + 1
    digits, stop = "", at
    while _free(speech, stop) and speech.heard[stop].digits and len(digits) < 4:
        digits += speech.heard[stop].digits
        stop += 1
    if digits == "2000" and speech.plain[stop - 1] == "thousand":
        unit = stop + 1 if _free(speech, stop) and speech.plain[stop] == "and" else stop
        if _free(speech, unit) and not speech.plain[unit][:1].isdecimal() and len(speech.heard[unit].digits) in (1, 2):
            return unit + 1, 2000 + int(speech.heard[unit].digits)
    if len(digits) == 4 and BORN_FROM <= int(digits) <= LAST_YEAR:
        return stop, int(digits)
    if len(digits) == 2 and _birth_is_asked(speech, index):
        # "nineteen" may go on with "eighty four", and "84" stands for itself.
        return stop, None if digits in ("19", "20") and stop == speech.size else 1900 + int(digits)
    return index, None


def _passes(speech: Speech, index: int) -> bool:
    return speech.heard[index].filler or speech.plain[index] == "of"


def _ordinal_tail(speech: Speech) -> Tail | None:
    """ "the fourteenth (of)" at the end, before the month is heard."""
    stop = speech.size
    while stop and not _ordinal(speech.plain[stop - 1]) and _passes(speech, stop - 1):
        stop -= 1
    at = stop - 1
    if at < 0 or at in speech.taken or not _ordinal(speech.plain[at]):
        return None
    first = at - 1 if at and is_tens(speech.plain[at - 1]) else at
    asked = _birth_is_asked(speech, first)
    if not asked and speech.plain[at] in WORDY_ORDINALS and speech.size - at > 3:
        return None
    return Tail(first, stop, firm=asked)
