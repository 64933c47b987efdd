"""A clock that tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 15, 0, 0, tzinfo=UTC)


class FakeClock:
    """Starts at `START`; `advance_ms` moves wall and monotonic time together."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic_s = 0.0

    def now(self) -> datetime:
        """Wall clock, UTC."""
        return self._now

    def monotonic_s(self) -> float:
        """Seconds since the clock was made."""
        return self._monotonic_s

    def advance_ms(self, ms: int) -> None:
        """Let time pass."""
        self._now += timedelta(milliseconds=ms)
        self._monotonic_s += ms / 1000
