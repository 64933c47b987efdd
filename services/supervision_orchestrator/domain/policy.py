"""How patient the orchestrator is. All durations in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Waits and thresholds; the defaults suit RingCentral's documented behaviour."""

    retry_first_ms: int = 1_000
    retry_max_ms: int = 30_000
    reply_timeout_ms: int = 20_000
    invite_timeout_ms: int = 10_000
    rtp_timeout_ms: int = 8_000
    healthy_ms: int = 10_000
    close_ms: int = 3_000
    recheck_ms: int = 120_000
    ring_ms: int = 15_000
    queue_ms: int = 5_000
    yield_ms: int = 60_000
    rate_window_ms: int = 60_000
    forget_ms: int = 24 * 3_600_000
    covered_gap_ms: int = 3_000
    too_short_ms: int = 3_000

    def backoff_ms(self, failures: int) -> int:
        """Wait before the next try after that many failures in a row: doubling, capped."""
        return min(self.retry_first_ms << min(max(failures - 1, 0), 20), self.retry_max_ms)


def after(now: datetime, ms: int) -> datetime:
    """`ms` later."""
    return now + timedelta(milliseconds=ms)


def elapsed_ms(start: datetime, end: datetime) -> int:
    """Whole milliseconds from `start` to `end`, never negative."""
    return max(round((end - start).total_seconds() * 1000), 0)
