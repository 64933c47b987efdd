"""The real clock: UTC wall time, and simulated seconds that may pass faster than real ones."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """Implements `domain.ports.Clock`; needs a running loop. `speed` simulated seconds pass in a real one.

    Only durations are compressed. `now` is real, because a client compares the times that it reads with its own.
    """

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def now(self) -> datetime:
        """Aware UTC, real."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Simulated seconds; at speed 1 the loop's own time, which `SuperviseLeg.play` counts in."""
        return asyncio.get_running_loop().time() * self._speed

    async def sleep(self, seconds: float) -> None:
        """Wait simulated seconds; yields at least once."""
        await asyncio.sleep(max(0.0, seconds) / self._speed)
