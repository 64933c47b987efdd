"""Sound to log-mel frames, as Whisper was trained on.

Half the sampling rate, half the samples in a frame: the spectrum of telephone audio is that of the same audio brought
to 16 kHz, whose upper half is empty, but for the fall of the resampling's filter. So it is taken at 8 kHz, at a quarter
of the cost.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

from services.transcriber.adapters.onnx_graph import Floats
from services.transcriber.adapters.runtime import FRAMES_PER_S, Stage
from services.transcriber.adapters.sound import WHISPER_HZ, Sound, to_whisper_rate

WINDOWS_PER_S = 40
WINDOW = WHISPER_HZ // WINDOWS_PER_S
"""Samples of 16 kHz of which a frame is made."""
LEAST_POWER = 1e-10
RANGE = 8.0
"""Powers of ten below the loudest, down to which frames tell anything."""


class Front:
    """Thread-safe."""

    def __init__(self, mels: int, stage: Stage) -> None:
        """``mels``: how many bands the model has."""
        self._filters: Floats = FeatureExtractor.get_mel_filters(WHISPER_HZ, WINDOW, mels).T.astype(np.float32)
        self._stage = stage

    def mel(self, sound: Sound, frames: int) -> Floats:
        """[1, mels, frames], with silence behind the sound or cut off."""
        with self._stage("front"):
            step, size = sound.rate_hz // FRAMES_PER_S, sound.rate_hz // WINDOWS_PER_S
            padded = np.zeros(frames * step, dtype=np.float32)
            padded[: len(sound.samples)] = sound.samples[: len(padded)]
            padded = np.pad(padded, size // 2, mode="reflect")
            windows = np.lib.stride_tricks.sliding_window_view(padded, size)[::step][:frames]
            spectrum = np.fft.rfft(windows * _window(size))
            power = (spectrum.real**2 + spectrum.imag**2) * _gains(sound.rate_hz)
            bands = np.log10(np.maximum(power @ self._filters[: size // 2 + 1], LEAST_POWER))
            scaled = (np.maximum(bands, bands.max() - RANGE) + 4.0) / 4.0
            return np.ascontiguousarray(scaled.T[np.newaxis], dtype=np.float32)


@cache
def _window(size: int) -> Floats:
    """How much each sample of a window counts."""
    return np.hanning(size + 1)[:-1].astype(np.float32)


@cache
def _gains(rate_hz: int) -> Floats:
    """What becomes of the power at each frequency of a window where audio is brought to Whisper's rate."""
    step = 4
    click = np.zeros(step * rate_hz // WINDOWS_PER_S, dtype="<i2")
    click[len(click) // 2] = 2**14
    brought = np.abs(np.fft.rfft(to_whisper_rate(click.tobytes(), rate_hz)))[::step]
    gains: Floats = ((brought * 2) ** 2).astype(np.float32)[: rate_hz // WINDOWS_PER_S // 2 + 1]
    return gains
