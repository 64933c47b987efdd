"""Carries changes from the topic views' threads to the event loop, where the floor lives, in each view's order.

Changes wait in one queue and are taken in by the handful, so that a busy floor costs the loop one wake-up for many.
A view is held back while too many of its changes wait, so that a long history cannot fill the memory. Unreadable
records that are older than this process are only counted: a view reads them again at every start of every replica,
and each would be dead-lettered anew.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass

import structlog

from services.assist_gateway.adapters.topics import Change, MemberChanged, Removed, change_from, lane_of
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.reach import Lane
from services.chassis import metrics
from services.chassis.consumer import Incoming
from services.chassis.errors import Poison
from services.contracts import topics

log = structlog.get_logger()
WAITING_LIMIT = 5_000
HANDFUL = 200


@dataclass(frozen=True, slots=True)
class Stands:
    """What comes next in a lane has this offset."""

    lane: Lane
    next_offset: int


class Intake:
    """`take` and `stand_at` are called on the views' threads; everything else happens on the loop's."""

    def __init__(self, floor: Floor, loop: asyncio.AbstractEventLoop, *, started_ms: int, prefix: str = "") -> None:
        self._floor = floor
        self._started_ms = started_ms
        self._loop = loop
        self._topics = {prefix + topic.name: topic for topic in topics.ALL}
        self._room = threading.BoundedSemaphore(WAITING_LIMIT)
        self._waiting: deque[Change | Stands] = deque()
        self._woken = False
        self._closed = False

    def take(self, message: Incoming) -> None:
        """Read a message and hand it over; raises Poison when it is new and cannot be read."""
        try:
            change = change_from(message)
        except Poison as poison:
            if message.timestamp_ms >= self._started_ms:
                raise
            metrics.DEAD_LETTERED.labels(message.full_name, poison.reason).inc()
            log.info("old_record_unreadable", topic=message.full_name, offset=message.offset, reason=poison.reason)
            return
        self._hand_over(change)

    def stand_at(self, full_name: str, partition: int, next_offset: int) -> None:
        """A view begins to read a partition there, or has come to its end."""
        self._hand_over(Stands(lane_of(self._topics[full_name], partition), next_offset))

    def close(self) -> None:
        """Take no more; to be called on the loop's thread before the views are stopped."""
        self._closed = True

    def _hand_over(self, change: Change | Stands) -> None:
        while not self._room.acquire(timeout=0.2):
            if self._closed:
                return
        self._waiting.append(change)
        if not (self._woken or self._closed):
            self._woken = True
            self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._woken = False  # before looking: what is appended later wakes anew
        for _ in range(HANDFUL):
            if not self._waiting:
                return
            self._room.release()
            apply(self._floor, self._waiting.popleft())
        self._woken = True
        self._loop.call_soon(self._drain)


def apply(floor: Floor, change: Change | Stands) -> None:
    """Change the floor."""
    match change:
        case MemberChanged():
            floor.set_member(change.extension_id, change.member)
        case Removed():
            floor.remove(change.kind, change.call_id)
        case Stands():
            floor.board.reach.stand_at(change.lane, change.next_offset)
        case _:
            floor.take(change)
