"""Silero's voice detector by onnxruntime: one session a process, a small recurrent state per leg.

Half of a leg is silence, and silence costs nothing: frames below any voice are not looked at once some have gone by,
and behind them the network begins afresh.

The ``silero-vad`` package is never imported, because its modules want torch; only its ONNX file is read.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from services.chassis.errors import Fatal

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
        """Load the model on one thread."""
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(path or silero_file()), providers=["CPUExecutionProvider"], sess_options=options
        )

    def detector(self, rate_hz: int) -> SileroDetector:
        """A voice detector for one leg of 8 or 16 kHz."""
        return SileroDetector(self._session, rate_hz)


class SileroDetector:
    """A ``VoiceDetector`` for one leg."""

    def __init__(self, session: onnxruntime.InferenceSession, rate_hz: int) -> None:
        """Remember nothing yet."""
        self._session = session
        self._rate = np.array(rate_hz, dtype=np.int64)
        self._frame, self._keep = FRAME_SAMPLES[rate_hz], CONTEXT_SAMPLES[rate_hz]
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._quiet = 0
        self._forget()

    def _forget(self) -> None:
        self._state = np.zeros((2, 1, 128), dtype=np.float32)
        self._context: npt.NDArray[np.float32] = np.zeros(self._keep, dtype=np.float32)

    def probabilities(self, pcm16: bytes) -> list[float]:
        """A probability for each whole frame."""
        samples = np.frombuffer(pcm16, dtype="<i2").astype(np.float32)
        out: list[float] = []
        for at in range(0, len(samples) - self._frame + 1, self._frame):
            frame = samples[at : at + self._frame]
            self._quiet = self._quiet + 1 if float(frame @ frame) < QUIET_RMS**2 * self._frame else 0
            if self._quiet >= QUIET_FRAMES:
                if self._quiet == QUIET_FRAMES:
                    self._forget()
                out.append(0.0)
                continue
            frame = frame / 32768.0
            fed = np.concatenate([self._context, frame])[np.newaxis]
            probability, self._state = self._session.run(None, {"input": fed, "state": self._state, "sr": self._rate})
            self._context = frame[-self._keep :]
            out.append(float(probability[0, 0]))
        return out
