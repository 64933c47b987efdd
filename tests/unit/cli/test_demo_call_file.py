from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.cli.adapters.audio_file import BadCallFile, open_conversation


def write(path: Path, channels: int, seconds: float) -> Path:
    soundfile.write(path, np.zeros((int(8000 * seconds), channels)), 8000)
    return path


def test_any_stereo_file_is_a_call(tmp_path: Path) -> None:
    call = open_conversation(write(tmp_path / "mine.wav", 2, 2.5))
    assert (call.duration_ms, call.known) == (2500, None)


def broken(folder: Path) -> Path:
    path = folder / "broken.wav"
    path.write_bytes(b"RIFF....nothing of the kind")
    return path


def cut(folder: Path) -> Path:
    whole = write(folder / "whole.flac", 2, 20.0)
    soundfile.write(whole, np.random.default_rng(1).normal(0, 0.1, (160_000, 2)), 8000)
    path = folder / "cut.flac"
    path.write_bytes(whole.read_bytes()[:40_000])
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda f: write(f / "mono.wav", 1, 2.0), "this is mono"),
        (lambda f: write(f / "three.wav", 3, 2.0), "3 channels"),
        (lambda f: write(f / "short.wav", 2, 0.5), "only 500 ms"),
        (lambda f: f / "absent.wav", "no such file"),
        (broken, "not audio that can be read"),
        (cut, "breaks off"),
    ],
    ids=["mono", "three channels", "short", "absent", "broken", "cut"],
)
def test_a_file_that_is_no_call_gets_one_line_that_says_what_is_wanted(tmp_path: Path, make: object, says: str) -> None:
    with pytest.raises(BadCallFile) as caught:
        open_conversation(make(tmp_path))  # type: ignore[operator]
    assert says in str(caught.value)
    assert "stereo WAV or FLAC" in str(caught.value)
    assert "\n" not in str(caught.value)
