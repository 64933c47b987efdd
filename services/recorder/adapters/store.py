"""Finished recordings: mixed down from the spool to FLAC and put where the setting says."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
import soundfile

from services.chassis.audio import Samples
from services.chassis.errors import SettingError, Transient
from services.recorder.adapters.spool import SPOOL_RATE_HZ, Spool
from services.recorder.domain.call import Layout, OpenCall, channels_of, file_stem, layout_of
from services.recorder.domain.muting import Muted

BLOCK_SAMPLES = SPOOL_RATE_HZ * 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A recording in its place."""

    uri: str
    layout: Layout
    channels: int
    duration_ms: int
    sha256: str


class RecordingStore:
    """Writes recordings to a folder or to whatever address fsspec knows."""

    def __init__(self, destination: str) -> None:
        try:
            self._files, self._root = fsspec.url_to_fs(destination)
            self._files.makedirs(self._root, exist_ok=True)
        except (ValueError, ImportError, OSError) as error:
            raise SettingError(
                f"RECORDER_DESTINATION: {destination} cannot be written to ({type(error).__name__})"
            ) from None

    def store(self, call: OpenCall, spool: Spool, muted: Mapping[str, Sequence[Muted]]) -> Stored:
        """Write one call's file, replacing an earlier one of the same name whole; ``muted`` is by leg id.

        Raises Transient when the store is full or away.
        """
        layout = layout_of(call.legs.values())
        channels = 2 if layout == "stereo" else 1
        target = f"{self._root}/{file_stem(call)}.flac"
        with tempfile.TemporaryDirectory(prefix="recording-") as folder:
            local = Path(folder) / "call.flac"
            with soundfile.SoundFile(local, "w", SPOOL_RATE_HZ, channels, "PCM_16", format="FLAC") as file:
                self._write(call, spool, muted, layout, channels, file)
            digest = hashlib.sha256(local.read_bytes()).hexdigest()
            try:
                self._files.put_file(str(local), f"{target}.part")
                self._files.mv(f"{target}.part", target)
            except OSError as error:
                raise Transient(
                    f"RECORDER_DESTINATION: the recording could not be stored ({type(error).__name__})"
                ) from None
        return Stored(
            uri=self._files.unstrip_protocol(target).removeprefix("file://"), layout=layout, channels=channels,
            duration_ms=call.duration_ms, sha256=digest,
        )  # fmt: skip

    @staticmethod
    def _write(
        call: OpenCall, spool: Spool, muted: Mapping[str, Sequence[Muted]], layout: Layout, channels: int,
        file: soundfile.SoundFile,
    ) -> None:  # fmt: skip
        total = call.duration_ms * SPOOL_RATE_HZ // 1000
        for start in range(0, total, BLOCK_SAMPLES):
            count = min(BLOCK_SAMPLES, total - start)
            block: np.ndarray[tuple[int, int], np.dtype[np.int32]] = np.zeros((count, channels), dtype=np.int32)
            for leg in call.legs.values():
                samples: Samples = spool.read(call.call_id, leg.leg_id, start, count)
                for span in muted.get(leg.leg_id, ()):
                    first, stop = (ms * SPOOL_RATE_HZ // 1000 - start for ms in (span.start_ms, span.end_ms))
                    samples[max(0, first) : max(0, stop)] = 0
                for channel in channels_of(leg, layout):
                    block[:, channel] += samples
            file.write(np.clip(block, -32768, 32767).astype(np.int16))
