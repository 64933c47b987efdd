"""A leg's audio on the call's media clock: gaps kept, repeats dropped, bounded in length."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from services.transcriber.domain.endpointing import FRAME_MS, Anchor

JITTER_MS = 20
"""Media times this close to the expected one are the same time, rounded."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a chunk: ``gap_ms`` of audio were missing right before ``start_ms``; ``pcm16`` is its new part.

    ``skew_ms``: how far behind its own media time the chunk has been placed, because times are rounded.
    """

    start_ms: int
    gap_ms: int
    pcm16: bytes
    skew_ms: int = 0


@dataclass(slots=True)
class Timeline:
    """Samples by media time. Only what lies after ``trim`` is kept; missing audio reads as silence."""

    rate_hz: int
    start_ms: int = 0
    started: bool = False
    _pcm16: bytearray = field(default_factory=bytearray)
    _holes: deque[tuple[int, int, bool]] = field(default_factory=deque)

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

    def place(self, pcm16: bytes, media_time_ms: int, *, jitter_ms: int = JITTER_MS) -> Placed:
        """Where a chunk belongs, without adding it: audio already known is cut off its front."""
        if not self.started:
            return Placed(media_time_ms, 0, pcm16)
        ahead_ms = media_time_ms - self.end_ms
        if ahead_ms > jitter_ms:
            return Placed(media_time_ms, ahead_ms, pcm16)
        if ahead_ms < -jitter_ms:
            return Placed(self.end_ms, 0, pcm16[-ahead_ms * self._bytes_per_ms :])
        return Placed(self.end_ms, 0, pcm16, -ahead_ms)

    def append(self, pcm16: bytes) -> None:
        """Add audio that follows on what is there."""
        self.started = True
        self._pcm16 += pcm16

    def fill(self, gap_ms: int, *, missed: bool = True) -> None:
        """Add silence; ``missed``: for audio that ought to have been there."""
        self._holes.append((self.end_ms, self.end_ms + gap_ms, missed))
        self.append(bytes(gap_ms * self._bytes_per_ms))

    def missing_ms(self, anchor: Anchor) -> int:
        """How much of what is held from an anchor on was filled in for audio that is missing.

        Of a hole that began in the pre-roll, the last counts as missing before where it is less than a frame: there a
        successor cannot tell it from the padding of a frame.
        """
        since_ms = anchor.at_ms
        split_ms = since_ms if anchor.pre_roll_ms else 0
        parts = ((start, stop - max(start, since_ms)) for start, stop, missed in self._holes if missed)
        return sum(ms for start, ms in parts if ms >= (1 if start >= split_ms else FRAME_MS))

    def heard_ms(self, since_ms: int) -> int:
        """How much audio is held from ``since_ms`` on; negative where that is still to come."""
        filled_ms = sum(max(0, stop - max(start, since_ms)) for start, stop, _ in self._holes)
        return self.end_ms - max(since_ms, self.start_ms) - filled_ms

    def restart(self, at_ms: int) -> None:
        """Forget everything and go on at another media time."""
        self._pcm16.clear()
        self._holes.clear()
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
        while self._holes and self._holes[0][1] <= self.start_ms:
            self._holes.popleft()
