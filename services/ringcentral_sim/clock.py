"""The real clock: UTC wall time, and the running event loop's time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """Implements `domain.ports.Clock`; needs a running loop."""

    def now(self) -> datetime:
        """Aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The loop's own time, which `SuperviseLeg.play` counts in."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Yield at least once."""
        await asyncio.sleep(max(0.0, seconds))
