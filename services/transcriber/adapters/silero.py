"""Silero's voice detector by onnxruntime: one session a process, a small recurrent state per leg.

Half of a leg is silence, and silence costs nothing: frames below any voice are not looked at once some have gone by,
and behind them the network begins afresh.

The ``silero-vad`` package is never imported, because its modules want torch; only its ONNX file is read.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import onnxruntime

from services.chassis.errors import Fatal
from services.transcriber.adapters.onnx_graph import Floats, session
from services.transcriber.adapters.voice_graph import HIDDEN, voice_graph

FRAME_SAMPLES = {8_000: 256, 16_000: 512}
QUIET_RMS = 64.0
"""Of samples up to 32768: -54 dBFS, where a telephone's line noise is and no voice is understood."""
QUIET_FRAMES = 8
"""Speech has shorter silences within."""
CONTEXT_SAMPLES = {8_000: 32, 16_000: 64}


def silero_file() -> Path:
    """Where the installed ``silero-vad`` keeps its model. Raises Fatal where there is none."""
    try:
        files = metadata.files("silero-vad") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "silero_vad.onnx":
            return Path(str(file.locate()))
    raise Fatal("the package silero-vad, which holds silero_vad.onnx, is not installed")


class SileroModel:
    """The loaded network; ``detector`` gives each leg its own memory. Its detectors share one thread."""

    def __init__(self, path: Path | None = None) -> None:
        """Load ``path``, or what is installed, for each rate. Raises Fatal where it is missing or another network."""
        file = path or silero_file()
        self._networks = {rate_hz: session(voice_graph(file, rate_hz)) for rate_hz in FRAME_SAMPLES}

    def detector(self, rate_hz: int) -> SileroDetector:
        """A voice detector for one leg of 8 or 16 kHz."""
        return SileroDetector(self._networks[rate_hz], rate_hz)


class SileroDetector:
    """A ``VoiceDetector`` for one leg."""

    def __init__(self, network: onnxruntime.InferenceSession, rate_hz: int) -> None:
        """Remember nothing yet."""
        self._network = network
        self._frame, self._keep = FRAME_SAMPLES[rate_hz], CONTEXT_SAMPLES[rate_hz]
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._quiet = 0
        self._forget()

    def _forget(self) -> None:
        self._h = self._c = np.zeros((1, 1, HIDDEN), dtype=np.float32)
        self._context: Floats = np.zeros(self._keep, dtype=np.float32)

    def probabilities(self, pcm16: bytes) -> list[float]:
        """A probability for each whole frame; frames that are heard one after the other are heard in one go."""
        samples = np.frombuffer(pcm16, dtype="<i2").astype(np.float32)
        frames = samples[: len(samples) // self._frame * self._frame].reshape(-1, self._frame)
        quiet = np.einsum("ij,ij->i", frames, frames) < QUIET_RMS**2 * self._frame
        if not self._quiet and not quiet.any():
            return self._heard(frames)
        out: list[float] = []
        heard_from = 0
        for number, is_quiet in enumerate(quiet.tolist()):
            self._quiet = self._quiet + 1 if is_quiet else 0
            if self._quiet >= QUIET_FRAMES:
                out += self._heard(frames[heard_from:number])
                heard_from = number + 1
                if self._quiet == QUIET_FRAMES:
                    self._forget()
                out.append(0.0)
        return out + self._heard(frames[heard_from:])

    def _heard(self, frames: Floats) -> list[float]:
        if not len(frames):
            return []
        frames = frames / 32768.0
        ends = np.concatenate([self._context[np.newaxis], frames[:, -self._keep :]])
        fed = {"frames": np.concatenate([ends[:-1], frames], axis=1), "h": self._h, "c": self._c}
        probability, self._h, self._c = self._network.run(None, fed)
        self._context = ends[-1]
        out: list[float] = probability.tolist()
        return out
