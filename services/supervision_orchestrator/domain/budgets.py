"""Requests that each supervisor identity may still send, kept before RingCentral's limits are hit.

A sliding window a group (light, medium, heavy, auth). A request counts from its decision, and for a whole window
from its answer, because RingCentral counted it at some moment in between. What the replies say is learned: the limit,
the window, and how many requests others with the same credentials have made. A penalty closes the group until its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.supervision_orchestrator.domain.policy import after

LIGHT = "light"
ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Requests a window by group until a reply says otherwise; `spare` are left to other users of the identity."""

    per_window: Mapping[str, int] = field(
        default_factory=lambda: {LIGHT: 50, "medium": 40, "heavy": 10, "auth": 5}
    )  # fmt: skip
    window_ms: int = 60_000
    window_margin_ms: int = 1_000
    spare: int = 5


@dataclass(slots=True)
class _Window:
    limit: int
    window_ms: int
    counted: deque[datetime] = field(default_factory=deque)
    unanswered: dict[str, datetime] = field(default_factory=dict)
    closed_until: datetime | None = None


class Budgets:
    """Not thread-safe; lives with the calls and is made anew from them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._windows: dict[tuple[str, str], _Window] = {}
        self._sent_in: dict[str, _Window] = {}

    def clear(self) -> None:
        """Forget requests and penalties; what was learned of limits stays."""
        self._sent_in.clear()
        for window in self._windows.values():
            window.counted.clear()
            window.unanswered.clear()
            window.closed_until = None

    def spend(self, supervisor: str, request_id: str, *, lost_at: datetime, group: str = LIGHT) -> None:
        """A request is decided; without an answer it counts as sent at `lost_at`."""
        window = self._window(supervisor, group)
        window.unanswered[request_id] = lost_at
        self._sent_in[request_id] = window

    def settle(self, request_id: str, at: datetime) -> None:
        """The request was answered; an unknown one was settled before."""
        window = self._sent_in.pop(request_id, None)
        if window is not None:
            window.unanswered.pop(request_id, None)
            _count(window, at)

    def count(self, supervisor: str, at: datetime, *, group: str = LIGHT) -> None:
        """A request was answered at `at`."""
        _count(self._window(supervisor, group), at)

    def close(self, supervisor: str, until: datetime, *, group: str = LIGHT) -> None:
        """A penalty was announced."""
        for name in self._limits.per_window if group == ANY else (group,):
            window = self._window(supervisor, name)
            window.closed_until = max(window.closed_until or until, until)

    def learn(
        self, supervisor: str, group: str, now: datetime, *, limit: int = -1, remaining: int = -1, window_ms: int = 0
    ) -> None:
        """A reply told of its group; what it leaves out is -1 or 0."""
        window = self._window(supervisor, group)
        if limit > 0:
            window.limit = limit
        if window_ms > 0:
            window.window_ms = window_ms
        if limit > 0 and remaining >= 0:
            others = limit - remaining - self._used(supervisor, group, now)
            window.counted.extend([now] * max(others, 0))

    def free(self, supervisor: str, now: datetime, *, group: str = LIGHT) -> int:
        """How many more may be sent now; 0 during a penalty."""
        window = self._window(supervisor, group)
        if window.closed_until is not None and window.closed_until > now:
            return 0
        spare = min(self._limits.spare, window.limit // 4)
        return max(window.limit - spare - self._used(supervisor, group, now), 0)

    def _used(self, supervisor: str, group: str, now: datetime) -> int:
        window = self._window(supervisor, group)
        for request_id, lost_at in list(window.unanswered.items()):
            if lost_at <= now:
                self.settle(request_id, lost_at)
        span_ms = window.window_ms + self._limits.window_margin_ms
        while window.counted and after(window.counted[0], span_ms) <= now:
            window.counted.popleft()
        return len(window.counted) + len(window.unanswered)

    def _window(self, supervisor: str, group: str) -> _Window:
        window = self._windows.get((supervisor, group))
        if window is None:
            limit = self._limits.per_window.get(group, self._limits.per_window[LIGHT])
            window = self._windows[(supervisor, group)] = _Window(limit, self._limits.window_ms)
        return window


def _count(window: _Window, at: datetime) -> None:
    if window.counted and window.counted[-1] > at:
        window.counted = deque(sorted([*window.counted, at]))
    else:
        window.counted.append(at)
