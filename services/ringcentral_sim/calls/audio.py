"""Recordings to play: a stereo file becomes two 8 kHz sources (left agent, right customer)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from services.ringcentral_sim.domain.ports import PcmSource

RATE_HZ = 8000
WANTED = "wanted: a stereo WAV or FLAC file, left channel the agent, right channel the customer"


class BadAudio(Exception):
    """The file cannot be played; the text is one line that says what is wanted."""


@dataclass(frozen=True, slots=True)
class Samples:
    """A `PcmSource` over an array; `offset` is the position in it that a reader calls 0."""

    data: NDArray[np.int16]
    offset: int = 0

    def read(self, position_samples: int, count: int) -> NDArray[np.int16]:
        """Zeros before the first and after the last sample."""
        out = np.zeros(count, dtype=np.int16)
        start = self.offset + position_samples
        low, high = max(start, 0), min(start + count, len(self.data))
        if low < high:
            out[low - start : high - start] = self.data[low:high]
        return out

    def moved(self, offset: int) -> Samples:
        """The same recording, read from `offset` samples further on."""
        return Samples(self.data, self.offset + offset)


@dataclass(frozen=True, slots=True)
class Recording:
    """Both sides of a conversation, equally long; one without samples is `silent_s` of silence."""

    agent: Samples
    customer: Samples
    silent_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.silent_s or len(self.agent.data) / RATE_HZ

    def side(self, name: str) -> Samples:
        """`agent`, `customer`, `mixed` (both) or `none` (silence)."""
        match name:
            case "agent":
                return self.agent
            case "customer":
                return self.customer
            case "mixed":
                total = self.agent.data.astype(np.int32) + self.customer.data.astype(np.int32)
                return Samples(np.clip(total, -32768, 32767).astype(np.int16))
            case _:
                return Samples(np.zeros(0, dtype=np.int16))


def silent_recording(duration_s: float) -> Recording:
    """For calls without a file; it takes no memory, whatever its length."""
    quiet = Samples(np.zeros(0, dtype=np.int16))
    return Recording(quiet, quiet, duration_s)


def load_recording(path: Path) -> Recording:
    """Read and resample; blocking, so call it off the loop. Raises BadAudio."""
    if not path.is_file():
        raise BadAudio(f"{path.name}: no such file; {WANTED}")
    if path.stat().st_size == 0:
        raise BadAudio(f"{path.name}: the file is empty; {WANTED}")
    try:
        data, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        raise BadAudio(f"{path.name}: cannot be read as audio; {WANTED}") from None
    if data.shape[1] != 2:
        count = "one channel (mono)" if data.shape[1] == 1 else f"{data.shape[1]} channels"
        raise BadAudio(f"{path.name}: has {count}; {WANTED}")
    if data.shape[0] == 0:
        raise BadAudio(f"{path.name}: holds no samples (zero length); {WANTED}")
    if rate != RATE_HZ:
        data = soxr.resample(data, rate, RATE_HZ)
    pcm = np.clip(np.rint(data * 32768.0), -32768, 32767).astype(np.int16)
    return Recording(Samples(np.ascontiguousarray(pcm[:, 0])), Samples(np.ascontiguousarray(pcm[:, 1])))


def source_at(recording: Recording, side: str, position_samples: int) -> PcmSource:
    """What a leg that starts at `position_samples` of the conversation hears."""
    return recording.side(side).moved(position_samples)
