"""Requests to RingCentral off the stream: each on a worker thread, its answer a record of our own inbox.

A request is sent only after what announces it (the `requested` step, the call's row) is acknowledged by the broker.
The threads are daemons, because a request that hangs must not hold up the end of the process: what it was for is in
the row, with the time by which an answer is missed.
"""

from __future__ import annotations

import asyncio
import functools
import queue
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
import structlog
from prometheus_client import Counter

from services.chassis.clock import Clock
from services.chassis.errors import Transient
from services.chassis.publisher import Publisher
from services.contracts import records, topics
from services.supervision_orchestrator.domain.effects import ReadSession, Supervise
from services.supervision_orchestrator.domain.ports import Refused, SuperviseApi

log = structlog.get_logger()
ANSWERS = Counter("earshot_supervision_requests_total", "Requests to RingCentral by answer.", ["request", "answer"])
FLUSH_TIMEOUT_S = 5.0
ResultT = TypeVar("ResultT")
Request = ReadSession | Supervise


def request_id(call_id: str, request: Request) -> str:
    """The request's id, which is its answer's too."""
    place = "read" if isinstance(request, ReadSession) else request.party_id or "session"
    return f"{call_id}:{place}:{request.attempt}"


class DaemonThreads:
    """Runs blocking functions for asyncio on a few daemon threads; nothing waits for them at the end."""

    def __init__(self, count: int) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"requests-{number}", daemon=True).start()

    async def run(self, function: Callable[[], ResultT]) -> ResultT:
        """The function's result, or what it raised."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[ResultT] = loop.create_future()

        def job() -> None:
            try:
                result = function()
            except Exception as error:  # noqa: BLE001 - handed to whoever awaits
                _hand_over(loop, future, functools.partial(future.set_exception, error))
            else:
                _hand_over(loop, future, functools.partial(future.set_result, result))

        self._jobs.put(job)
        return await future

    def _work(self) -> None:
        while True:
            self._jobs.get()()


def _hand_over(loop: asyncio.AbstractEventLoop, future: asyncio.Future[ResultT], settle: Callable[[], None]) -> None:
    def unless_done() -> None:
        if not future.done():
            settle()

    if not loop.is_closed():
        loop.call_soon_threadsafe(unless_done)


class Requests:
    """Carries out a call's ReadSession and Supervise effects, each as its supervisor: `apis` by extension id.

    Lives on the event loop.
    """

    def __init__(
        self, apis: Mapping[str, SuperviseApi], publisher: Publisher, clock: Clock, *,
        saved: Callable[[], Awaitable[None]], threads: DaemonThreads,
    ) -> None:  # fmt: skip
        self._apis = apis
        self._publisher = publisher
        self._clock = clock
        self._saved = saved
        self._threads = threads
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, call_id: str, requests: Sequence[Request]) -> None:
        """Send them one after another, in the background."""
        task = asyncio.create_task(self._send_all(call_id, tuple(requests)), name=f"requests-{call_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self, grace_s: float) -> None:
        """Give those under way a moment, then leave them to the rows' timers."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()

    async def _send_all(self, call_id: str, requests: tuple[Request, ...]) -> None:
        if any(isinstance(request, Supervise) for request in requests):
            await self._saved()
            if not await self._threads.run(lambda: self._publisher.flush(FLUSH_TIMEOUT_S)):
                log.warning("requests_held_back", call_id=call_id, reason="announcement_not_acknowledged")
                return
        for request in requests:
            reply = await self._threads.run(lambda request=request: self._send(call_id, request))  # type: ignore[misc]
            self._publisher.publish(topics.SUPERVISION_INBOX, call_id, reply, event_id=reply.reply_id)

    def _send(self, call_id: str, request: Request) -> records.SupervisionReply:
        """On a worker thread."""
        place = "read" if isinstance(request, ReadSession) else request.party_id or "session"
        reply_id = request_id(call_id, request)
        try:
            reply = self._read(call_id, request) if isinstance(request, ReadSession) else self._ask(call_id, request)
        except (Refused, Transient) as error:
            reply = self._refusal(call_id, request, error)
        ANSWERS.labels("read" if place == "read" else "supervise", reply.kind).inc()
        log.info("request_answered", call_id=call_id, request=place, attempt=request.attempt, answer=reply.kind,
                 status=reply.status, error_code=reply.error_code)  # fmt: skip
        return msgspec.structs.replace(reply, reply_id=reply_id, supervisor_extension_id=request.supervisor)

    def _api_of(self, request: Request) -> SuperviseApi:
        api = self._apis.get(request.supervisor)
        if api is None:  # the row is from a pool that had this identity still
            raise Refused(0, "supervisor_unknown", retryable=True)
        return api

    def _read(self, call_id: str, request: ReadSession) -> records.SupervisionReply:
        parties = self._api_of(request).read_session(call_id)
        at = self._clock.now()
        if parties is None:
            return records.SupervisionReply(
                reply_id="-", call_id=call_id, kind="session_gone", at=at, attempt=request.attempt, status=404
            )
        return records.SupervisionReply(
            reply_id="-",
            call_id=call_id,
            kind="session_read",
            at=at,
            attempt=request.attempt,
            status=200,
            parties=tuple(
                records.SessionParty(
                    party_id=party.party_id, extension_id=party.extension_id, direction=party.direction,
                    status=party.code, reason=party.reason,
                )
                for party in parties
            ),
        )  # fmt: skip

    def _ask(self, call_id: str, request: Supervise) -> records.SupervisionReply:
        api, agent, device = self._api_of(request), request.agent_extension_id, request.device_id
        if request.party_id:
            own_party = api.supervise_party(call_id, request.party_id, agent_extension_id=agent, device_id=device)
        else:
            own_party = api.supervise_session(call_id, agent_extension_id=agent, device_id=device)
        return records.SupervisionReply(
            reply_id="-", call_id=call_id, kind="accepted", at=self._clock.now(), party_id=request.party_id,
            attempt=request.attempt, supervisor_party_id=own_party, status=200,
        )  # fmt: skip

    def _refusal(self, call_id: str, request: Request, error: Refused | Transient) -> records.SupervisionReply:
        status, error_code, retryable = 0, "", True
        if isinstance(error, Refused):
            status, error_code, retryable = error.status, error.error_code, error.retryable
        return records.SupervisionReply(
            reply_id="-",
            call_id=call_id,
            kind="refused",
            at=self._clock.now(),
            party_id="" if isinstance(request, ReadSession) else request.party_id,
            attempt=request.attempt,
            status=status,
            error_code=error_code,
            retry_after_ms=error.retry_after_ms,
            retryable=retryable,
        )
