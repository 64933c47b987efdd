"""Calls that came and went while nobody looked: found in the call log some time after, and published.

The log is read now and then, from a little before the moment up to which nothing can have been missed: while events
come that moment moves on with every reading, during an outage it stands still. After a start it is the time of the
newest published event. What events, or a reading of active calls, have told of is left to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from services.chassis.clock import Clock
from services.chassis.ringcentral import RingCentralRefused
from services.event_ingestor.adapters import metrics
from services.event_ingestor.adapters.call_log import CallLog, FinishedLeg
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.hydration import unhurried
from services.event_ingestor.domain.calls import KnownCalls

log = structlog.get_logger()
FURTHEST = timedelta(hours=20)
"""Less than the day for which the orchestrator remembers calls that are over: none of them is to be told of again."""
NOBODY_YET_S = 1.0
"""Until it is known whom to watch, and the first reading can be made."""


class Reconciler:
    """`run` reads every `every_ms` until cancelled; 0: never. `since`: nothing published before is in doubt."""

    def __init__(
        self, call_log: CallLog, events: EventPublisher, calls: KnownCalls, clock: Clock, *,
        watched: Callable[[], frozenset[str]], deaf: Callable[[], bool], since: datetime, every_ms: int,
        lookback_ms: int,
    ) -> None:  # fmt: skip
        self._call_log = call_log
        self._events = events
        self._calls = calls
        self._clock = clock
        self._watched = watched
        self._deaf = deaf
        self._sure_until = since
        self._every_s = every_ms / 1000
        self._lookback = timedelta(milliseconds=lookback_ms)

    async def run(self) -> None:
        """Read again and again; a refusal is no reason to end."""
        while self._every_s:
            wait_s = self._every_s
            try:
                if self._watched():
                    await self.reconcile()
                else:
                    wait_s = min(wait_s, NOBODY_YET_S)
            except RingCentralRefused as refusal:
                wait_s = max(wait_s if not refusal.retryable else wait_s / 10, refusal.retry_after_ms / 1000)
                metrics.CALL_LOG.labels("refused").inc()
                log.warning("call_log_refused", status=refusal.status, error_code=refusal.error_code)
            await asyncio.sleep(wait_s)

    async def reconcile(self) -> int:
        """One reading; how many calls were found that nobody had told of."""
        began, surely = self._clock.now(), not self._deaf()
        since = max(self._sure_until - self._lookback, began - FURTHEST)
        legs = await asyncio.to_thread(self._call_log.finished, self._watched(), since)
        found = 0
        for call_id, of_call in groupby(legs, key=lambda leg: leg.call_id):
            if not self._calls.changes(call_id):
                found += await self._publish(of_call)
        if surely and not self._deaf():
            self._sure_until = began
        metrics.CALL_LOG.labels("done").inc()
        if found:
            log.info("calls_found_in_the_log", calls=found)
        return found

    async def _publish(self, legs: Iterable[FinishedLeg]) -> int:
        """All of one call, in the order in which it happened."""
        for leg in sorted(legs, key=lambda leg: (not leg.taken, leg.began)):
            await unhurried(self._events.finished_leg, leg)
        return 1
