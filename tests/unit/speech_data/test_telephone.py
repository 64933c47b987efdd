"""The harder telephone speech: at least twenty minutes with the conversations, a part of it held out."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

DATA = Path(__file__).resolve().parents[2] / "data"
FOLDERS = ("telephone", "held_out")
PATHS = [path for folder in FOLDERS for path in sorted((DATA / folder).glob("*.json"))]
ROLES = ("agent", "customer")
harder = pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")


@functools.cache
def document(path: Path) -> dict[str, Any]:
    """The known words of a conversation."""
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@functools.cache
def audio(path: Path) -> npt.NDArray[np.int16]:
    """Samples, shape (samples, 2)."""
    samples, rate = soundfile.read(path.with_suffix(".flac"), dtype="int16")
    assert rate == 8000
    return np.asarray(samples)


def level_db(samples: npt.NDArray[np.int16]) -> float:
    """Root mean square in dB under full scale."""
    return float(10 * np.log10(np.mean((samples / 32768.0) ** 2) + 1e-12))


def test_there_are_twenty_minutes_in_many_voices_and_a_quarter_is_held_out() -> None:
    plain = sorted((DATA / "conversations").glob("*.json"))
    minutes = {
        part: sum(document(path)["duration_ms"] for path in paths) / 60_000
        for part, paths in (
            ("open", [*plain, *(p for p in PATHS if p.parent.name == "telephone")]),
            ("held_out", [p for p in PATHS if p.parent.name == "held_out"]),
        )
    }
    assert sum(minutes.values()) >= 20
    assert minutes["held_out"] >= 5
    assert {v for path in [*plain, *PATHS] for v in document(path)["voices"].values()} == {
        "hibari-heart", "piper-joe", "flite-rms", "flite-slt", "flite-awb",
    }  # fmt: skip
    lines = [line for path in PATHS for line in document(path)["lines"].values()]
    assert {line["noise"] for line in lines} == {"white", "traffic", "voices"}
    assert sum(line["loss"] > 0 for line in lines) >= 3


@harder
def test_words_lie_in_order_inside_the_call(path: Path) -> None:
    told = document(path)
    assert abs(len(audio(path)) / 8 - told["duration_ms"]) <= 20
    for role in ROLES:
        at_ms = 0
        for turn in (turn for turn in told["turns"] if turn["role"] == role):
            assert " ".join(word["text"] for word in turn["words"]) == turn["text"]
            for word in turn["words"]:
                assert at_ms <= word["start_ms"] < word["end_ms"], (turn["text"], word)
                at_ms = word["end_ms"]
            assert all(entity["text"] in turn["text"] for entity in turn["entities"])
        assert at_ms < told["duration_ms"]


@harder
def test_each_turn_stands_out_from_its_lines_noise(path: Path) -> None:
    told = document(path)
    for turn in told["turns"]:
        line = told["lines"][turn["role"]]
        heard = audio(path)[turn["start_ms"] * 8 : turn["end_ms"] * 8, ROLES.index(turn["role"])]
        assert line["level_dbfs"] - 9 < level_db(heard) < line["level_dbfs"] + 5, turn["text"]
        assert level_db(heard) > line["noise_dbfs"] + 6, turn["text"]
    for start_ms, end_ms in told["holds"]:
        for side, role in enumerate(ROLES):
            quiet = audio(path)[(start_ms + 300) * 8 : (end_ms - 300) * 8, side]
            assert abs(level_db(quiet) - told["lines"][role]["noise_dbfs"]) < 4


@harder
def test_lost_packets_are_silent_and_as_many_as_told(path: Path) -> None:
    told = document(path)
    for side, role in enumerate(ROLES):
        lost = told["lost"][role]
        assert all(not audio(path)[start * 8 : end * 8, side].any() for start, end in lost)
        share = sum(end - start for start, end in lost) / told["duration_ms"]
        assert abs(share - told["lines"][role]["loss"]) <= 0.006


def test_it_holds_long_turns_and_interjections_under_a_second() -> None:
    lengths = [turn["end_ms"] - turn["start_ms"] for path in PATHS for turn in document(path)["turns"]]
    assert sum(length >= 12_000 for length in lengths) >= 6
    assert sum(length < 1_000 for length in lengths) >= 30
