"""Audio whose words are known: the repository's conversations, or a folder of WAV or FLAC with text beside it.

In a folder, ``NAME.txt`` holds what is said in a mono file, ``NAME.json`` (as `tests/data/README.md` describes it)
what is said on both sides of a stereo one. Where there is only text, words have no known times and latencies are left
out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from services.cli.domain.conversation import SPEAKERS, SpokenWord, known_words

RATE_HZ = 8_000
CONVERSATIONS = Path(__file__).resolve().parents[2] / "data" / "conversations"
SUFFIXES = (".wav", ".flac")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One side of a call: 8 kHz signed 16-bit samples, and what is said in them."""

    name: str
    role: str
    pcm16: bytes
    text: str
    words: tuple[SpokenWord, ...] = ()

    @property
    def duration_ms(self) -> int:
        """Length of the audio."""
        return len(self.pcm16) // 2 * 1000 // RATE_HZ


@dataclass(frozen=True, slots=True)
class Call:
    """One or two legs that are heard at the same time."""

    name: str
    legs: tuple[Leg, ...]


def calls() -> list[Call]:
    """Those in the folder that DATA names, or the repository's."""
    folder = Path(os.environ.get("DATA") or CONVERSATIONS)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    found = [call for path in files if (call := _read(path)) is not None]
    if not found:
        raise SystemExit(f"DATA: {folder} holds no WAV or FLAC with a .txt or .json of the same name beside it")
    return found


def _read(path: Path) -> Call | None:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if rate_hz != RATE_HZ:
        samples = soxr.resample(samples, rate_hz, RATE_HZ)
    sides = [_pcm16(samples[:, side]) for side in range(samples.shape[1])]
    document = path.with_suffix(".json")
    if document.is_file() and len(sides) == 2:
        known = known_words(json.loads(document.read_text(encoding="utf-8")))
        legs = [
            Leg(
                name=f"{path.stem}/{speaker}", role=speaker, pcm16=sides[side],
                text=" ".join(word.text for word in known.words[speaker]), words=known.words[speaker],
            )
            for side, speaker in enumerate(SPEAKERS)
        ]  # fmt: skip
        return Call(path.stem, tuple(legs))
    text = path.with_suffix(".txt")
    if text.is_file() and len(sides) == 1:
        said = " ".join(text.read_text(encoding="utf-8").split())
        return Call(path.stem, (Leg(name=path.stem, role="unknown", pcm16=sides[0], text=said),))
    return None


def _pcm16(samples: np.ndarray) -> bytes:
    return (np.clip(samples, -1.0, 32767 / 32768) * 32768).round().astype("<i2").tobytes()


def legs_of(found: Sequence[Call]) -> list[Leg]:
    """All legs."""
    return [leg for call in found for leg in call.legs]


def cut(call: Call, from_ms: int) -> Call:
    """The call from a moment on, its words' times counted from there."""
    return Call(
        call.name,
        tuple(
            Leg(
                name=leg.name,
                role=leg.role,
                pcm16=leg.pcm16[from_ms * RATE_HZ // 1000 * 2 :],
                text=" ".join(w.text for w in leg.words if w.start_ms >= from_ms),
                words=tuple(
                    SpokenWord(text=w.text, start_ms=w.start_ms - from_ms, end_ms=w.end_ms - from_ms)
                    for w in leg.words
                    if w.start_ms >= from_ms
                ),
            )
            for leg in call.legs
        ),
    )
