"""Sliding-window rate limits with a penalty that every request restarts."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

WINDOW_S = 60.0
DEFAULT_LIMITS: Mapping[str, int] = {"light": 50, "medium": 40, "heavy": 10, "auth": 5}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the request may pass, and what the headers say."""

    allowed: bool
    group: str
    limit: int
    remaining: int
    window_s: int
    retry_after_s: int

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


@dataclass(slots=True)
class RateLimiter:
    """Counts requests per (key, group); at most `limit` pass in any window (t-60 s, t]."""

    limits: Mapping[str, int]
    window_s: float = WINDOW_S
    penalty_s: float = WINDOW_S
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def check(self, key: str, group: str, now_s: float) -> Verdict:
        """Count one request at `now_s` (monotonic, never decreasing); group names are lower case."""
        limit = self.limits[group]
        bucket = self._buckets.setdefault((key, group), _Bucket())
        while bucket.passed and bucket.passed[0] <= now_s - self.window_s:
            bucket.passed.popleft()
        if now_s < bucket.penalty_until or len(bucket.passed) >= limit:
            bucket.penalty_until = now_s + self.penalty_s
            return Verdict(False, group, limit, 0, int(self.window_s), math.ceil(self.penalty_s))
        bucket.passed.append(now_s)
        return Verdict(True, group, limit, limit - len(bucket.passed), int(self.window_s), 0)
