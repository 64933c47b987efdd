"""Sliding-window rate limits with a penalty that every request restarts.

Limits are counted in simulated seconds; what the headers say is in the client's (see `domain.pace`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.ringcentral_sim.domain.pace import Pace

WINDOW_S = 60.0
DEFAULT_LIMITS: Mapping[str, int] = {"light": 50, "medium": 40, "heavy": 10, "auth": 5}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the request may pass, and what the headers say (client's seconds).

    `announced`: it came although the caller had been told to wait, and had had the time to read that.
    """

    allowed: bool
    group: str
    limit: int
    remaining: int
    window_s: int
    retry_after_s: int
    announced: bool = False

    def headers(self) -> dict[str, str]:
        """X-Rate-Limit headers, with Retry-After when refused."""
        made = {
            "X-Rate-Limit-Group": self.group,
            "X-Rate-Limit-Limit": str(self.limit),
            "X-Rate-Limit-Remaining": str(self.remaining),
            "X-Rate-Limit-Window": str(self.window_s),
        }
        if not self.allowed:
            made["Retry-After"] = str(self.retry_after_s)
        return made


@dataclass(slots=True)
class _Bucket:
    passed: deque[float] = field(default_factory=deque)
    penalty_until: float = -math.inf
    announced_at: float = math.inf


@dataclass(slots=True)
class RateLimiter:
    """Counts requests per (key, group); at most `limit` pass in any window (t-60 s, t].

    A request within `grace_s` after a penalty was first announced may have been under way: it restarts the penalty
    like any other, but does not count as a violation.
    """

    limits: Mapping[str, int]
    window_s: float = WINDOW_S
    penalty_s: float = WINDOW_S
    grace_s: float = 0.0
    pace: Pace = field(default_factory=Pace)
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def check(self, key: str, group: str, now_s: float) -> Verdict:
        """Count one request at `now_s` (monotonic, never decreasing); group names are lower case."""
        limit = self.limits[group]
        bucket = self._buckets.setdefault((key, group), _Bucket())
        while bucket.passed and bucket.passed[0] <= now_s - self.window_s:
            bucket.passed.popleft()
        if now_s < bucket.penalty_until or len(bucket.passed) >= limit:
            return self._refuse(bucket, group, now_s)
        bucket.passed.append(now_s)
        return Verdict(True, group, limit, limit - len(bucket.passed), self.pace.wait_s(self.window_s), 0)

    def punish(self, key: str, group: str, now_s: float) -> Verdict:
        """Fault: refuse one request that was within its limits, and begin (or restart) the penalty."""
        return self._refuse(self._buckets.setdefault((key, group), _Bucket()), group, now_s)

    def _refuse(self, bucket: _Bucket, group: str, now_s: float) -> Verdict:
        restarted = now_s < bucket.penalty_until
        if not restarted:
            bucket.announced_at = now_s
        bucket.penalty_until = now_s + self.penalty_s
        return Verdict(
            False,
            group,
            self.limits[group],
            0,
            self.pace.wait_s(self.window_s),
            self.pace.wait_s(self.penalty_s),
            announced=restarted and now_s > bucket.announced_at + self.grace_s,
        )
