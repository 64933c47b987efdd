"""The audio of open calls on local disk: one sparse file of samples a leg, written at its place in time.

Writing by position makes a replay harmless and a gap silent. Layout: `<spool>/<call>/<leg>.pcm`, 16-bit
little-endian mono at `SPOOL_RATE_HZ`. One thread.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import BinaryIO

import numpy as np

from services.chassis.audio import Samples

SPOOL_RATE_HZ = 8_000


class Spool:
    """Files of all open calls; handles stay open until `discard`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[tuple[str, str], BinaryIO] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, call_id: str, leg_id: str, media_time_ms: int, samples: Samples, rate_hz: int) -> None:
        """Put samples at their place on the call's media clock."""
        if rate_hz == 2 * SPOOL_RATE_HZ:
            samples = samples[: len(samples) // 2 * 2].reshape(-1, 2).mean(axis=1).astype(np.int16)
        file = self._file(call_id, leg_id)
        file.seek(media_time_ms * SPOOL_RATE_HZ // 1000 * 2)
        file.write(samples.astype("<i2").tobytes())

    def read(self, call_id: str, leg_id: str, start: int, count: int) -> Samples:
        """`count` samples from sample `start`, silence where nothing was written."""
        file = self._file(call_id, leg_id)
        file.flush()
        file.seek(start * 2)
        found = np.frombuffer(file.read(count * 2), dtype="<i2").astype(np.int16)
        return np.pad(found, (0, count - len(found)))

    def discard(self, call_id: str) -> None:
        """Close and delete the files of a call."""
        for key in [key for key in self._files if key[0] == call_id]:
            self._files.pop(key).close()
        shutil.rmtree(self._call_folder(call_id), ignore_errors=True)

    def close(self) -> None:
        """Close all files; they stay for the next start."""
        for file in self._files.values():
            file.close()
        self._files.clear()

    def _file(self, call_id: str, leg_id: str) -> BinaryIO:
        file = self._files.get((call_id, leg_id))
        if file is None:
            folder = self._call_folder(call_id)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{_name(leg_id)}.pcm"
            path.touch()
            file = self._files[call_id, leg_id] = path.open("r+b")
        return file

    def _call_folder(self, call_id: str) -> Path:
        return self._folder / _name(call_id)


def _name(text: str) -> str:
    """Ids are opaque: a digest is a safe file name whatever they hold."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]
