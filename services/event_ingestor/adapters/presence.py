"""Presence notifications into telephony events: each change that they hint at is read by REST and published.

A reading costs a Light request, of which RingCentral allows a user fifty a minute, and supervision needs the others:
half are used here. What is published says `presence`, has no sequence and is as old as the reading.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

import structlog

from services.chassis.clock import Clock
from services.chassis.errors import Poison
from services.chassis.ringcentral import RingCentralRefused
from services.event_ingestor.adapters import metrics
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.hydration import Hydrator
from services.event_ingestor.adapters.sessions import Listed
from services.event_ingestor.domain.calls import KnownCalls
from services.event_ingestor.domain.dedupe import Seen
from services.event_ingestor.domain.presence import Doubt, doubts, parse

log = structlog.get_logger()
READINGS = 25
READINGS_WITHIN_S = 60.0


class PresenceReader:
    """`take` is called for each notification, `run` reads the calls in doubt one after another until cancelled."""

    def __init__(
        self, events: EventPublisher, calls: KnownCalls, hydrator: Hydrator, *, seen: Seen, clock: Clock,
        watched: Callable[[], frozenset[str]],
    ) -> None:  # fmt: skip
        self._events = events
        self._calls = calls
        self._hydrator = hydrator
        self._seen = seen
        self._clock = clock
        self._watched = watched
        self._doubts: OrderedDict[str, Doubt] = OrderedDict()
        self._doubtful = asyncio.Event()
        self._readings: deque[float] = deque(maxlen=READINGS)

    def take(self, raw: bytes) -> None:
        """Note what a notification calls into question; dead-letters one that cannot be read."""
        try:
            presence = parse(raw)
        except Poison as poison:
            self._events.unreadable(raw, poison)
            return
        if presence.uuid in self._seen:
            metrics.DUPLICATES.inc()
            return
        self._seen.add(presence.uuid)
        found = doubts(presence, self._calls) if presence.extension_id in self._watched() else []
        metrics.PRESENCE.labels("change" if found else "nothing new").inc()
        for doubt in found:
            before = self._doubts.get(doubt.call_id)
            self._doubts[doubt.call_id] = before if doubt.party is None and before is not None else doubt
            self._doubtful.set()

    async def run(self) -> None:
        """Read what is in doubt; a call that RingCentral does not let us read is read again with all others."""
        while True:
            await self._doubtful.wait()
            await self._until_allowed()
            call_id, doubt = self._doubts.popitem(last=False)
            if not self._doubts:
                self._doubtful.clear()
            listed = Listed(call_id, (doubt.party,)) if doubt.party is not None else None
            try:
                await self._hydrator.settle(call_id, listed, source="presence")
            except RingCentralRefused as refusal:
                log.warning("presence_not_read", status=refusal.status, error_code=refusal.error_code)
                self._hydrator.request()

    async def _until_allowed(self) -> None:
        now = self._clock.monotonic_s()
        if len(self._readings) == READINGS:
            await asyncio.sleep(self._readings[0] + READINGS_WITHIN_S - now)
        self._readings.append(self._clock.monotonic_s())
