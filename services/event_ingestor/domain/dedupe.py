"""Remembering which notifications were published, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict


class Seen:
    """The latest `limit` ids; asking for one keeps it young. Not thread-safe."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._ids: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, event_id: str) -> bool:
        if event_id not in self._ids:
            return False
        self._ids.move_to_end(event_id)
        return True

    def add(self, event_id: str) -> None:
        """Remember; the oldest is forgotten past the limit."""
        self._ids[event_id] = None
        self._ids.move_to_end(event_id)
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)
