"""Samples as a leg brings them, and as Whisper's front takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soxr

WHISPER_HZ = 16_000
TAKEN_HZ = (8_000, WHISPER_HZ)

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sound:
    """Float samples in -1..1, at one of the rates of ``TAKEN_HZ``."""

    samples: Samples
    rate_hz: int

    @property
    def duration_s(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate_hz


def sound_of(pcm16: bytes, rate_hz: int) -> Sound:
    """Signed 16-bit little-endian mono, brought to 16 kHz where Whisper's front does not take its own rate."""
    if rate_hz in TAKEN_HZ:
        return Sound(_floats(pcm16), rate_hz)
    return Sound(to_whisper_rate(pcm16, rate_hz), WHISPER_HZ)


def to_whisper_rate(pcm16: bytes, rate_hz: int) -> Samples:
    """Signed 16-bit little-endian mono at ``rate_hz`` as float samples in -1..1 at 16 kHz."""
    if rate_hz == WHISPER_HZ:
        return _floats(pcm16)
    resampled: Samples = soxr.resample(_floats(pcm16), rate_hz, WHISPER_HZ, quality="HQ").astype(np.float32)
    return resampled


def _floats(pcm16: bytes) -> Samples:
    return np.frombuffer(pcm16, dtype="<i2").astype(np.float32) / 32768.0
