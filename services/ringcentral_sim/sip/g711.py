"""G.711 companding of 16-bit PCM by table, both laws (ITU-T G.711)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]


def _mu_law_table() -> NDArray[np.uint8]:
    # 14-bit magnitude, biased by 33 so that each segment starts at a power of two.
    linear = np.arange(-32768, 32768, dtype=np.int32) >> 2
    negative = linear < 0
    magnitude = np.minimum(np.abs(linear), 8158) + 33
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 5
    code = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    return _by_bit_pattern(code ^ np.where(negative, 0x7F, 0xFF))


def _a_law_table() -> NDArray[np.uint8]:
    # 13-bit magnitude; the two lowest segments are one straight line.
    linear = np.arange(-32768, 32768, dtype=np.int32) >> 3
    negative = linear < 0
    magnitude = np.where(negative, -linear - 1, linear)
    segment = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 4, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    return _by_bit_pattern(code ^ np.where(negative, 0x55, 0xD5))


def _by_bit_pattern(codes: NDArray[np.int32]) -> NDArray[np.uint8]:
    """From the order of the values to the order of their unsigned bit patterns, so that a view indexes."""
    return np.roll(codes, -32768).astype(np.uint8)


_MU_LAW = _mu_law_table()
_A_LAW = _a_law_table()


def encode_mu_law(pcm: Pcm) -> bytes:
    """One byte a sample."""
    return _MU_LAW[np.ascontiguousarray(pcm, dtype=np.int16).view(np.uint16)].tobytes()


def encode_a_law(pcm: Pcm) -> bytes:
    """One byte a sample."""
    return _A_LAW[np.ascontiguousarray(pcm, dtype=np.int16).view(np.uint16)].tobytes()
