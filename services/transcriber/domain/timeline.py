"""A leg's audio on the call's media clock: gaps kept, repeats dropped, bounded in length."""

from __future__ import annotations

from dataclasses import dataclass, field

JITTER_MS = 20
"""Media times this close to the expected one are the same time, rounded."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a chunk: ``gap_ms`` of audio were missing right before ``start_ms``; ``pcm16`` is its new part."""

    start_ms: int
    gap_ms: int
    pcm16: bytes


@dataclass(slots=True)
class Timeline:
    """Samples by media time. Only what lies after ``trim`` is kept; missing audio reads as silence."""

    rate_hz: int
    start_ms: int = 0
    started: bool = False
    _pcm16: bytearray = field(default_factory=bytearray)

    @property
    def _bytes_per_ms(self) -> int:
        return self.rate_hz * 2 // 1000

    @property
    def end_ms(self) -> int:
        """Media time up to which audio is known."""
        return self.start_ms + len(self._pcm16) // self._bytes_per_ms

    @property
    def held_ms(self) -> int:
        """How much is held in memory."""
        return len(self._pcm16) // self._bytes_per_ms

    def place(self, pcm16: bytes, media_time_ms: int) -> Placed:
        """Where a chunk belongs, without adding it: audio already known is cut off its front."""
        if not self.started:
            return Placed(media_time_ms, 0, pcm16)
        ahead_ms = media_time_ms - self.end_ms
        if ahead_ms > JITTER_MS:
            return Placed(media_time_ms, ahead_ms, pcm16)
        if ahead_ms < -JITTER_MS:
            return Placed(self.end_ms, 0, pcm16[-ahead_ms * self._bytes_per_ms :])
        return Placed(self.end_ms, 0, pcm16)

    def append(self, pcm16: bytes) -> None:
        """Add audio that follows on what is there."""
        self.started = True
        self._pcm16 += pcm16

    def restart(self, at_ms: int) -> None:
        """Forget everything and go on at another media time."""
        self._pcm16.clear()
        self.start_ms, self.started = at_ms, True

    def slice(self, from_ms: int, to_ms: int) -> bytes:
        """Samples between two media times, as far as they are held."""
        low = max(0, from_ms - self.start_ms) * self._bytes_per_ms
        high = max(0, to_ms - self.start_ms) * self._bytes_per_ms
        return bytes(self._pcm16[low:high])

    def trim(self, before_ms: int) -> None:
        """Let go of what is older than ``before_ms``."""
        drop_ms = min(before_ms - self.start_ms, self.held_ms)
        if drop_ms > 0:
            del self._pcm16[: drop_ms * self._bytes_per_ms]
            self.start_ms += drop_ms
