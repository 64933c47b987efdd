"""Closing gaps in the events: the state of active calls, read by REST and published where it is news.

Asked for after every new subscription, and now and then while no events come at all. The list of active calls lags
some seconds behind, so it is read a second time a little later. A call that was open and that RingCentral does not know
any more has ended; so has one that the list still names and of which no event ever came: it is published too, because
every call is to be accounted for. A reading that failed for a passing reason is repeated until it succeeds.

While events come, the list alone is read now and then, against single events that were lost (`reconcile`). It lags, and
events are on their way: only calls past the age guard are in doubt, and of those the session itself is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

import structlog

from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import Backpressure
from services.chassis.ringcentral import RingCentralRefused
from services.event_ingestor.adapters import metrics
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.sessions import Listed, Listing, Sessions, parties_of
from services.event_ingestor.domain.calls import ENDED, KnownCalls, Party

log = structlog.get_logger()
P = ParamSpec("P")
ResultT = TypeVar("ResultT")
RETRY_MS = 2_000
LONGEST_RETRY_MS = 60_000
TRIES = 5
# The light requests of a minute are shared with supervision: after the first few calls, one every two seconds.
AT_ONCE = 10
PACE_S = 2.0
SETTLE_S = 0.5


class Hydrator:
    """`request` asks for a reading, `run` does them one after another until cancelled."""

    def __init__(
        self, sessions: Sessions, events: EventPublisher, calls: KnownCalls, *,
        watched: Callable[[], frozenset[str]], again_ms: int, settle_s: float = SETTLE_S,
        deaf: Callable[[], bool] = lambda: False, poll_ms: int = 0, reconcile_ms: int = 0, age_guard_ms: int = 0,
        clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self._sessions = sessions
        self._events = events
        self._calls = calls
        self._watched = watched
        self._again_ms = again_ms
        self._settle_s = settle_s
        self._deaf = deaf
        self._poll_ms = poll_ms
        self._reconcile_ms = reconcile_ms
        self._age_guard_ms = age_guard_ms
        self._clock = clock or SystemClock()
        self._doubted: frozenset[str] = frozenset()
        self._wanted = asyncio.Event()

    def request(self) -> None:
        """Read soon; several requests while one runs are one."""
        self._wanted.set()

    async def run(self) -> None:
        """Serve requests."""
        while True:
            if not await self._until_due():
                await self.reconcile()
                continue
            self._wanted.clear()
            if not await self.hydrate():
                self._wanted.set()
            elif self._again_ms and not self._wanted.is_set():
                try:
                    async with asyncio.timeout(self._again_ms / 1000):
                        await self._wanted.wait()
                except TimeoutError:
                    await self.hydrate()

    async def _until_due(self) -> bool:
        """Until a reading is asked for, or is due because no events come (`deaf`); False: only to reconcile."""
        tick_ms = min((ms for ms in (self._poll_ms, self._reconcile_ms) if ms), default=0)
        waited_ms = 0
        while tick_ms:
            try:
                async with asyncio.timeout(tick_ms / 1000):
                    await self._wanted.wait()
                return True
            except TimeoutError:
                waited_ms += tick_ms
            if not self._watched():
                continue
            deaf = self._deaf()
            if deaf and self._poll_ms and waited_ms >= self._poll_ms:
                return True
            if not deaf and self._reconcile_ms and waited_ms >= self._reconcile_ms:
                return False
        await self._wanted.wait()
        return True

    async def reconcile(self) -> int:
        """One look at the list while events come; how many events it led to. A refusal waits for the next time."""
        calls = published = 0
        try:
            listing = await self._active()
            listed = {one.call_id: one for one in listing.calls}
            for call_id in self._in_doubt(listing, listed):
                if calls >= AT_ONCE:
                    await asyncio.sleep(PACE_S)
                calls += 1
                published += await self.settle(call_id, listed.get(call_id))
        except RingCentralRefused as refusal:
            self._tell(refusal)
            return published
        metrics.HYDRATIONS.labels("reconciled").inc()
        if published:
            log.info("reconciled", calls=calls, events=published)
        return published

    def _in_doubt(self, listing: Listing, listed: dict[str, Listed]) -> list[str]:
        """Listed calls that no event told of, and calls that are open for us and listed no more, past the guard."""
        now, now_ms = self._clock.now(), int(self._clock.monotonic_s() * 1000)
        unheard = frozenset(call_id for call_id in listed if not self._calls.changes(call_id))
        old = {
            call_id
            for call_id in unheard
            if (at := listed[call_id].started_at) and (now - at).total_seconds() * 1000 >= self._age_guard_ms
        }
        # One that stood there last time as well is old enough, whatever the clocks say.
        old |= unheard & self._doubted
        self._doubted = unheard
        unlisted = [
            call_id
            for call_id in self._calls.open()
            if call_id not in listed
            and self._calls.extensions(call_id) <= listing.covered
            and self._calls.quiet_ms(call_id, now_ms) >= self._age_guard_ms
        ]
        return [*sorted(old), *unlisted]

    async def hydrate(self) -> bool:
        """One reading; False when it is to be repeated."""
        calls = published = 0
        try:
            listed = {one.call_id: one for one in (await self._active()).calls}
            of_interest = dict.fromkeys([*listed, *self._calls.open()])
            # Calls without a supervisor come before those whose state may have changed.
            for call_id in sorted(of_interest, key=lambda call_id: self._calls.changes(call_id) > 0):
                if calls >= AT_ONCE and self._calls.changes(call_id) and (self._deaf() or self._wanted.is_set()):
                    break  # the list, which forgets calls two minutes after their end, comes before what is known
                if calls >= AT_ONCE:
                    await asyncio.sleep(PACE_S)
                calls += 1
                published += await self.settle(call_id, listed.get(call_id))
        except RingCentralRefused as refusal:
            self._tell(refusal)
            return not refusal.retryable
        metrics.HYDRATIONS.labels("done").inc()
        log.info("hydrated", calls=calls, events=published)
        return True

    async def _active(self) -> Listing:
        """The active calls; none where we may not list them: those that are known are read all the same."""
        try:
            return await self._patiently(lambda: self._sessions.active(self._watched()))
        except RingCentralRefused as refusal:
            if refusal.retryable:
                raise
            self._tell(refusal)
            return Listing()

    def _tell(self, refusal: RingCentralRefused) -> None:
        metrics.HYDRATIONS.labels("refused").inc()
        log.warning("hydration_refused", status=refusal.status, error_code=refusal.error_code)

    async def settle(self, call_id: str, listed: Listed | None, *, source: str = "rest") -> int:
        """Publish what is new of one call; how many events. A reading that an event overtook is repeated.

        REST is ahead of the events by some 100 ms, so news of a call that we have events of waits for them first.
        """
        for _ in range(3):
            before = self._calls.changes(call_id)
            session = await self._patiently(lambda: self._sessions.read(call_id))
            if session is not None:
                found = dict(parties_of(session, self._watched()))
            else:
                found = self._gone([*self._calls.vanished(call_id), *(listed.parties if listed and not before else ())])
            news = self._calls.news(call_id, found)
            if not before and all(party.code in ENDED for party in found):
                news = list(found)
            if news and before:
                await asyncio.sleep(self._settle_s)
            if self._calls.changes(call_id) != before:
                continue
            for party in news:
                await unhurried(
                    self._events.session_party, session or {"id": call_id}, found[party], party, source=source
                )
            return len(news)
        return 0

    def _gone(self, parties: Iterable[Party]) -> dict[Party, dict[str, Any]]:
        return {
            party: {"id": party.party_id, "accountId": party.account_id, "status": {"code": party.code}}
            for party in parties
        }

    async def _patiently(self, ask: Callable[[], ResultT]) -> ResultT:
        """Ask on a thread; what is retryable is tried again, after RingCentral's own time where it names one."""
        wait_ms = RETRY_MS
        for attempt in range(TRIES):
            try:
                return await asyncio.to_thread(ask)
            except RingCentralRefused as refusal:
                if not refusal.retryable or attempt == TRIES - 1:
                    raise
                await asyncio.sleep(max(wait_ms, refusal.retry_after_ms) / 1000)
                wait_ms = min(wait_ms * 2, LONGEST_RETRY_MS)
        raise AssertionError("unreachable")


async def unhurried(publish: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Publish, waiting while the producer's queue is full."""
    while True:
        try:
            publish(*args, **kwargs)
            return
        except Backpressure:
            await asyncio.sleep(0.05)
