"""G.711 code words (ITU-T G.711): A-law is turned into mu-law, so that one codec leaves the gateway."""

from __future__ import annotations

MU_LAW_SILENCE = 0xFF
_BIAS = 0x84
_CLIP = 32635


def _linear_from_a_law(code: int) -> int:
    code ^= 0x55
    segment, step = (code & 0x70) >> 4, code & 0x0F
    magnitude = (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


def _mu_law_from_linear(sample: int) -> int:
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | (exponent << 4) | mantissa) & 0xFF


_MU_LAW_OF_A_LAW = bytes(_mu_law_from_linear(_linear_from_a_law(code)) for code in range(256))


def mu_law_from_a_law(payload: bytes) -> bytes:
    """Return `payload` (A-law, one byte a sample) as mu-law of the same length."""
    return payload.translate(_MU_LAW_OF_A_LAW)
