"""Sample rates: whatever a leg brings, to the 16 kHz float samples that Whisper was trained on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

WHISPER_HZ = 16_000

Samples = npt.NDArray[np.float32]


def to_whisper_rate(pcm16: bytes, rate_hz: int) -> Samples:
    """Signed 16-bit little-endian mono at ``rate_hz`` as float samples in -1..1 at 16 kHz."""
    samples = np.frombuffer(pcm16, dtype="<i2").astype(np.float32) / 32768.0
    if rate_hz == WHISPER_HZ:
        return samples
    resampled: Samples = soxr.resample(samples, rate_hz, WHISPER_HZ, quality="HQ").astype(np.float32)
    return resampled
