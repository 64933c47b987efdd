"""The test conversations in tests/data are what they say they are: audio, times and known words agree."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

FOLDER = Path(__file__).resolve().parents[2] / "data" / "conversations"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
ROLES = ("agent", "customer")
DIGITS = {word: str(i) for i, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])}
pytestmark = pytest.mark.parametrize("name", NAMES)


@functools.cache
def document(name: str) -> dict[str, Any]:
    """The known words of a conversation."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return loaded


@functools.cache
def audio(name: str) -> npt.NDArray[np.float64]:
    """Samples in -1..1, shape (samples, 2)."""
    samples, rate = soundfile.read(FOLDER / f"{name}.flac", dtype="float64")
    assert rate == 8000
    return np.asarray(samples)


def level_db(samples: npt.NDArray[np.float64]) -> float:
    """Root mean square in dB under full scale."""
    return float(10 * np.log10(np.mean(samples**2) + 1e-12))


def cut(name: str, role: str, start_ms: int, end_ms: int) -> npt.NDArray[np.float64]:
    """One leg between two times."""
    return audio(name)[start_ms * 8 : end_ms * 8, ROLES.index(role)]


def other(role: str) -> str:
    """The other side."""
    return "customer" if role == "agent" else "agent"


def leg(name: str, role: str) -> list[dict[str, Any]]:
    """One side's turns."""
    return [turn for turn in document(name)["turns"] if turn["role"] == role]


def quiet_spans(name: str, role: str) -> list[tuple[int, int]]:
    """Where a side says nothing: between its turns, a tenth of a second off each."""
    edges = [0, *(ms for turn in leg(name, role) for ms in (turn["start_ms"], turn["end_ms"]))]
    edges.append(document(name)["duration_ms"])
    spans = [(a + 100, b - 100) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [(a, b) for a, b in spans if b - a >= 100]


def test_is_stereo_telephone_audio_of_two_to_four_minutes(name: str) -> None:
    info = soundfile.info(FOLDER / f"{name}.flac")
    assert (info.samplerate, info.channels, info.format) == (8000, 2, "FLAC")
    assert document(name)["name"] == name
    assert abs(info.frames / 8 - document(name)["duration_ms"]) <= 20
    assert 120_000 <= document(name)["duration_ms"] <= 240_000


def test_turns_lie_inside_and_each_leg_speaks_one_word_at_a_time(name: str) -> None:
    for role in ROLES:
        at_ms = 400
        for turn in leg(name, role):
            words = turn["words"]
            assert " ".join(word["text"] for word in words) == turn["text"]
            assert (turn["start_ms"], turn["end_ms"]) == (words[0]["start_ms"], words[-1]["end_ms"])
            for word in words:
                assert at_ms <= word["start_ms"] < word["end_ms"], (turn["text"], word)
                at_ms = word["end_ms"]
        assert at_ms <= document(name)["duration_ms"] - 600


def test_each_turn_is_heard_on_its_own_leg(name: str) -> None:
    noise_db = {
        role: level_db(np.concatenate([cut(name, role, *span) for span in quiet_spans(name, role)]))
        for role in ROLES
    }
    for turn in document(name)["turns"]:
        heard_db = level_db(cut(name, turn["role"], turn["start_ms"], turn["end_ms"]))
        assert -30 < heard_db < -15, turn["text"]
        assert heard_db > noise_db[other(turn["role"])] + 10, turn["text"]


def test_the_other_leg_holds_only_line_noise_where_it_does_not_speak(name: str) -> None:
    for role in ROLES:
        for start_ms, end_ms in quiet_spans(name, role):
            assert -62 < level_db(cut(name, role, start_ms, end_ms)) < -50, (role, start_ms)


def test_starts_and_ends_quiet(name: str) -> None:
    duration_ms = document(name)["duration_ms"]
    for role in ROLES:
        assert level_db(cut(name, role, 0, 400)) < -50
        assert level_db(cut(name, role, duration_ms - 600, duration_ms)) < -50


def test_has_a_hold_in_which_both_sides_are_quiet(name: str) -> None:
    assert document(name)["holds"]
    for start_ms, end_ms in document(name)["holds"]:
        assert 8_000 <= end_ms - start_ms <= 15_000
        for role in ROLES:
            assert level_db(cut(name, role, start_ms, end_ms)) < -50


def test_the_sides_overlap_where_it_is_said(name: str) -> None:
    spans = document(name)["overlaps"]
    assert sum(end - start >= 300 for start, end in spans) >= 2
    for start_ms, end_ms in spans:
        for role in ROLES:
            assert any(t["start_ms"] <= start_ms and end_ms <= t["end_ms"] for t in leg(name, role))


def test_card_numbers_pass_the_luhn_check_and_entities_are_in_the_text(name: str) -> None:
    entities = [(turn, e) for turn in document(name)["turns"] for e in turn["entities"]]
    assert {"card", "name", "address"} <= {e["type"] for _, e in entities}
    for turn, entity in entities:
        assert entity["text"] in turn["text"]
        if entity["type"] != "card":
            continue
        digits = [int(DIGITS[word]) for word in entity["text"].replace(",", "").split()]
        doubled = [sum(divmod(2 * d, 10)) if i % 2 else d for i, d in enumerate(reversed(digits))]
        assert len(digits) == 16
        assert sum(doubled) % 10 == 0


def test_legs_begin_and_end_with_ordinary_words(name: str) -> None:
    ordinary = {"thank", "good", "hello", "goodbye", "day", "house"}
    for role in ROLES:
        turns = leg(name, role)
        first, last = turns[0]["words"][0]["text"], turns[-1]["words"][-1]["text"]
        assert {first.strip(".,").lower(), last.strip(".,").lower()} <= ordinary
