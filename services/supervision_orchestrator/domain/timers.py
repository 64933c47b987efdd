"""Which call is due when: one moment a call, kept in a heap whose outdated entries are skipped."""

from __future__ import annotations

import heapq
from datetime import datetime


class Timers:
    """Not thread-safe. A call has at most one moment; setting it anew replaces it."""

    def __init__(self) -> None:
        self._moments: dict[str, datetime] = {}
        self._heap: list[tuple[datetime, str]] = []

    def set(self, call_id: str, moment: datetime | None) -> None:
        """The call's next moment; None: it has none."""
        if moment is None:
            self._moments.pop(call_id, None)
        elif self._moments.get(call_id) != moment:
            self._moments[call_id] = moment
            heapq.heappush(self._heap, (moment, call_id))

    def clear(self) -> None:
        """Forget all."""
        self._moments.clear()
        self._heap.clear()

    def pop_due(self, now: datetime) -> list[tuple[str, datetime]]:
        """The calls whose moment has come, earliest first; each is given once."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            moment, call_id = heapq.heappop(self._heap)
            if self._moments.get(call_id) == moment:
                del self._moments[call_id]
                due.append((call_id, moment))
        return due
