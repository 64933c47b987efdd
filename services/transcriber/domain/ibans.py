"""International bank account numbers (ISO 13616): written whole, in groups, or spelled letter by letter."""

from __future__ import annotations

import re

from services.transcriber.domain.cues import Topic, directly, governing
from services.transcriber.domain.secret import Secret, Span, Speech, Tail

LENGTHS = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20,
    "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24,
    "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26, "UA": 29,
}  # fmt: skip
LEAST_UNASKED, LEAST_ASKED = 12, 4
FILLER_WORDS = 4
_BLOCK = re.compile(r"[A-Z0-9]+(?:[- ][A-Z0-9]+)*")


def valid_iban(text: str) -> bool:
    """The check of ISO 7064, and the length of the country's numbers."""
    if LENGTHS.get(text[:2]) != len(text):
        return False
    return int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def find_ibans(speech: Speech) -> tuple[list[Span], list[Tail]]:
    """Account numbers, and where one may be coming."""
    spans: list[Span] = []
    tails: list[Tail] = []
    index = 0
    while index < speech.size:
        found = None if index in speech.taken else _read(speech, index)
        if found is None:
            index += 1
            continue
        text, stop, ends = found
        asked = _asked(speech, index)
        country = text[:2] in LENGTHS
        done = valid_iban(text)
        open_end = not done and not ends and len(text) < 34
        least = LEAST_ASKED if asked else LEAST_UNASKED
        if done or (len(text) >= least and (asked or (country and text[2:4].isdecimal()))):
            spans.append(Span(index, stop, Secret.IBAN, text))
            if done:
                speech.answered(Topic.IBAN, index, stop)
        if open_end and (country or len(text) < 2 or asked) and not speech.ended:
            firm = asked or country
            tails.append(Tail(index, stop, firm=firm))
            if firm:
                speech.take(index, stop)
        if spans and spans[-1].first == index:
            speech.take(index, stop)
        index = stop
    return spans, tails


def _asked(speech: Speech, index: int) -> bool:
    cue = governing(speech.cues, index)
    if cue is None or cue.topic is not Topic.IBAN:
        return False
    return not cue.follows_number or directly(speech.plain, cue, index)


def _read(speech: Speech, first: int) -> tuple[str, int, bool] | None:
    """Letters and digits from here on, one past the last, and whether other words follow."""
    text, index, stop, fillers = "", first, first, 0
    while index < speech.size and index not in speech.taken:
        block, size = _block(speech, index, bool(text))
        if block:
            text += block
            index += size
            stop, fillers = index, 0
            if not text[:2].isalpha() and not _asked(speech, first):
                return None
            if valid_iban(text):
                break
        elif text and speech.plain[index:] in (["as"], ["as", "in"]):
            index, stop = speech.size, speech.size
        elif text and speech.heard[index].filler and fillers < FILLER_WORDS:
            index, fillers = index + 1, fillers + 1
        else:
            break
    if not text:
        return None
    return text, stop, any(not speech.heard[i].filler for i in range(stop, speech.size))


def _block(speech: Speech, index: int, begun: bool) -> tuple[str, int]:
    raw = speech.raw[index].strip(".,;:!?\"'()")
    if len(raw) == 1 and raw.isascii() and raw.isalpha() and (raw.isupper() or begun):
        if not begun and raw in ("I", "A") and not _letter_follows(speech, index):
            return "", 1
        if begun and raw in ("a", "i"):
            return "", 1
        if speech.plain[index + 1 : index + 3] == ["as", "in"] and index + 3 < speech.size:
            return raw.upper(), 4
        return raw.upper(), 1
    digits = speech.heard[index].digits
    if digits:
        return digits, 1
    if _BLOCK.fullmatch(raw) and raw.isascii() and (begun or raw[:2] in LENGTHS) and len(raw) != 3:
        if raw.isalpha() and len(raw) > 4:
            return "", 1
        return "".join(c for c in raw if c.isalnum()), 1
    return "", 1


def _letter_follows(speech: Speech, index: int) -> bool:
    return index + 1 < speech.size and len(speech.plain[index + 1]) == 1
