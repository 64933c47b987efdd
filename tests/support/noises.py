"""What a line carries when nobody speaks, as 8 kHz signed 16-bit samples that went through G.711 mu-law. Seeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

RATE_HZ = 8_000
Audio = npt.NDArray[np.float64]

# Frequencies in Hz, then on and off in turn, in seconds (ITU-T E.180).
RINGS: tuple[tuple[tuple[int, ...], tuple[float, ...]], ...] = (
    ((440, 480), (2.0, 4.0)),
    ((400, 450), (0.4, 0.2, 0.4, 2.0)),
    ((425,), (1.0, 4.0)),
    ((440,), (1.5, 3.5)),
    ((480, 620), (0.5, 0.5)),
)


def silence(seconds: float) -> bytes:
    """Nothing at all, then the faintest noise that a line has."""
    quiet = _seconds(seconds)
    rng = np.random.default_rng(1)
    noise = rng.standard_normal(len(quiet))
    third = len(quiet) // 3
    quiet[third : 2 * third] = _level(noise[third : 2 * third], -70)
    quiet[2 * third :] = _level(noise[2 * third :], -60)
    return telephone(quiet)


def ring_back(seconds: float) -> bytes:
    """Ring-back tones of several countries and a busy tone, each for a while, loud and faint."""
    parts = [
        _level_peak(_cadence(tones, cadence, seconds / len(RINGS)), level)
        for (tones, cadence), level in zip(RINGS, (-12, -18, -24, -15, -20), strict=True)
    ]
    rng = np.random.default_rng(2)
    sound = _fit(np.concatenate(parts), seconds)
    return telephone(sound + _level(rng.standard_normal(len(sound)), -58))


def line_noise(seconds: float) -> bytes:
    """Hiss, rumble, hum, crackle and bursts, from faint to louder than a quiet speaker."""
    rng = np.random.default_rng(3)
    kinds: Sequence[Callable[[Audio, np.random.Generator], Audio]] = (_hiss, _rumble, _hum, _crackle, _bursts)
    levels = (-50, -40, -30)
    part = _seconds(seconds / (len(kinds) * len(levels)))
    sounds = [_level(kind(part, rng), level) for level in levels for kind in kinds]
    return telephone(_fit(np.concatenate(sounds), seconds))


def music(seconds: float) -> bytes:
    """Chords, a lead and drums: what synthesizers play to people on hold."""
    rng = np.random.default_rng(4)
    beat = 0.5
    out = _seconds(seconds)
    scale = 220.0 * 2.0 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12)
    for number in range(int(seconds / beat)):
        at = int(number * beat * RATE_HZ)
        chord = scale[[number // 4 * 3 % 7, (number // 4 * 3 + 2) % 7, (number // 4 * 3 + 4) % 7]]
        for hz in chord:
            _add(out, at, 0.25 * _note(hz, beat, decay=1.0))
        _add(out, at, 0.6 * _note(2 * scale[int(rng.integers(8))], beat * float(rng.choice([0.5, 1.0])), decay=3.0))
        _add(out, at, 0.4 * rng.standard_normal(RATE_HZ // 12) * np.exp(-np.arange(RATE_HZ // 12) / 90.0))
    return telephone(_level(out, -20))


def telephone(sound: Audio) -> bytes:
    """Through G.711 mu-law and back (ITU-T G.711)."""
    scaled = np.sign(sound) * np.log1p(255 * np.minimum(np.abs(sound), 1.0)) / np.log(256)
    coded = np.round(scaled * 127) / 127
    back = np.sign(coded) * (np.power(256.0, np.abs(coded)) - 1) / 255
    return np.asarray(np.round(back * 32_000), dtype="<i2").tobytes()


def _seconds(seconds: float) -> Audio:
    return np.zeros(round(seconds * RATE_HZ))


def _fit(sound: Audio, seconds: float) -> Audio:
    return np.resize(sound, round(seconds * RATE_HZ))


def _level(sound: Audio, dbfs: float) -> Audio:
    power = float(np.sqrt(np.mean(sound**2))) or 1.0
    return np.asarray(sound * (10 ** (dbfs / 20) / power))


def _level_peak(sound: Audio, dbfs: float) -> Audio:
    return np.asarray(sound * (10 ** (dbfs / 20) / float(np.abs(sound).max())))


def _add(out: Audio, at: int, sound: Audio) -> None:
    part = sound[: len(out) - at]
    out[at : at + len(part)] += part


def _note(hz: float, seconds: float, *, decay: float) -> Audio:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    voices = sum(np.sin(2 * np.pi * hz * k * t) / k**1.5 for k in (1, 2, 3, 4) if hz * k < 3_400)
    return np.asarray(voices * np.exp(-decay * t) * np.minimum(1.0, 40 * t))


def _cadence(tones: Sequence[int], cadence: Sequence[float], seconds: float) -> Audio:
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    edges = np.cumsum([0.0, *cadence])
    place = np.searchsorted(edges, t % edges[-1], side="right") - 1
    tone = sum(np.sin(2 * np.pi * hz * t) for hz in tones)
    return np.asarray(tone * (place % 2 == 0))


def _hiss(part: Audio, rng: np.random.Generator) -> Audio:
    return rng.standard_normal(len(part))


def _rumble(part: Audio, rng: np.random.Generator) -> Audio:
    spectrum = np.fft.rfft(rng.standard_normal(len(part)))
    spectrum /= np.maximum(np.arange(len(spectrum)) * RATE_HZ / len(part), 60.0)
    return np.fft.irfft(spectrum, len(part))


def _hum(part: Audio, rng: np.random.Generator) -> Audio:
    t = np.arange(len(part)) / RATE_HZ
    harmonics = sum(np.sin(2 * np.pi * 60 * k * t + rng.uniform(0, 6)) / k for k in range(1, 12))
    return np.asarray(harmonics + 0.05 * rng.standard_normal(len(part)))


def _crackle(part: Audio, rng: np.random.Generator) -> Audio:
    clicks = (rng.random(len(part)) < 0.002) * rng.standard_normal(len(part))
    return np.asarray(np.convolve(clicks, np.exp(-np.arange(40) / 8.0), mode="same") + 1e-3 * _hiss(part, rng))


def _bursts(part: Audio, rng: np.random.Generator) -> Audio:
    swell = np.abs(np.sin(np.pi * np.arange(len(part)) / RATE_HZ * 0.7)) ** 6
    return np.asarray(_hiss(part, rng) * swell)
