"""The samples of an `audio.chunks` record.

G.711 µ-law (ITU-T G.711) by table: 256 entries, a lookup a sample.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from services.chassis.errors import Poison
from services.contracts.records import AudioChunk

Samples = NDArray[np.int16]


@cache
def ulaw_table() -> Samples:
    """What each µ-law byte stands for, as signed 16-bit samples."""
    codes = ~np.arange(256, dtype=np.uint8)
    exponent = ((codes >> 4) & 0x07).astype(np.int32)
    mantissa = (codes & 0x0F).astype(np.int32)
    magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84
    return np.where(codes & 0x80, -magnitude, magnitude).astype(np.int16)


def samples_of(chunk: AudioChunk, value: bytes | None) -> Samples:
    """Mono samples at `chunk.sample_rate_hz`; raises Poison(`bad_audio_length`) when value and headers disagree."""
    data = value or b""
    width_bytes = 1 if chunk.codec == "pcmu" else 2
    wanted = chunk.duration_ms * chunk.sample_rate_hz // 1000 * width_bytes
    if len(data) != wanted:
        raise Poison("bad_audio_length", f"{len(data)} bytes where duration_ms={chunk.duration_ms} asks for {wanted}")
    if chunk.codec == "pcmu":
        return ulaw_table()[np.frombuffer(data, dtype=np.uint8)]
    return np.frombuffer(data, dtype="<i2").astype(np.int16, copy=False)
