"""Carries changes from the topic views' threads to the event loop, where the floor lives, in each view's order.

A view is held back while too many of its changes wait, so that a long history cannot fill the memory. Unreadable
records that are older than this process are only counted: a view reads them again at every start of every replica,
and each would be dead-lettered anew.
"""

from __future__ import annotations

import asyncio
import threading

import structlog

from services.assist_gateway.adapters.topics import Change, MemberChanged, Removed, change_from
from services.assist_gateway.domain.floor import Floor
from services.chassis import metrics
from services.chassis.consumer import Incoming
from services.chassis.errors import Poison

log = structlog.get_logger()
WAITING_LIMIT = 5_000


class Intake:
    """`take` is called on the views' threads; everything else happens on the loop's."""

    def __init__(self, floor: Floor, loop: asyncio.AbstractEventLoop, *, started_ms: int) -> None:
        self._floor = floor
        self._started_ms = started_ms
        self._loop = loop
        self._room = threading.BoundedSemaphore(WAITING_LIMIT)
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
        while not self._room.acquire(timeout=0.2):
            if self._closed:
                return
        if not self._closed:
            self._loop.call_soon_threadsafe(self._apply, change)

    def close(self) -> None:
        """Take no more; to be called on the loop's thread before the views are stopped."""
        self._closed = True

    def _apply(self, change: Change) -> None:
        self._room.release()
        apply(self._floor, change)


def apply(floor: Floor, change: Change) -> None:
    """Change the floor."""
    match change:
        case MemberChanged():
            floor.set_member(change.extension_id, change.member)
        case Removed():
            floor.remove(change.kind, change.call_id)
        case _:
            floor.take(change)
