"""Drives one connection's state machine: sockets and time in, its effects out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import assert_never

import structlog

from services.chassis.clock import Clock
from services.chassis.errors import Poison
from services.chassis.health import Health
from services.event_ingestor.adapters import metrics
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.filter_report import report_unserved, withdraw
from services.event_ingestor.adapters.gateway import Gateway, GatewaySocket, NotOpened
from services.event_ingestor.adapters.hydration import unhurried
from services.event_ingestor.domain.connection import decide, wake_at_ms
from services.event_ingestor.domain.connection_model import (
    Came,
    Close,
    Connection,
    Deliver,
    Disabled,
    Down,
    Effect,
    Event,
    Hydrate,
    Live,
    Lost,
    Open,
    Opened,
    OpenFailed,
    Phase,
    Refused,
    SendHeartbeat,
    Subscribe,
    Watch,
    Woken,
)
from services.event_ingestor.domain.frames import Reply, parse

log = structlog.get_logger()
QUEUED_FRAMES = 256


class Subscription:
    """The events of the watched extensions; `run` ends only by cancellation or a Fatal.

    `deliver` takes each notification (None: the publisher does); `number` tells it from others of the same process.
    """

    def __init__(
        self, gateway: Gateway, events: EventPublisher, *, on_gap: Callable[[], None], health: Health, clock: Clock,
        heartbeat_ms: int, deliver: Callable[[bytes], None] | None = None, number: int = 1,
        on_refused: Callable[[Refused], None] = lambda refused: None,
    ) -> None:  # fmt: skip
        self._gateway = gateway
        self._events = events
        self._deliver = deliver or events.notification
        self._number = number
        self._component = "websocket" if number == 1 else f"websocket_{number}"
        self._on_refused = on_refused
        self._on_gap = on_gap
        self._health = health
        self._clock = clock
        self._state = Connection(heartbeat_ms=heartbeat_ms)
        self._happened: asyncio.Queue[Event | str | bytes] = asyncio.Queue(QUEUED_FRAMES)
        self._socket: GatewaySocket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        health.waiting(self._component, "not connected yet")

    @property
    def watched(self) -> frozenset[str]:
        """The extensions that are to be watched."""
        return self._state.extensions

    @property
    def live(self) -> bool:
        """Whether events come."""
        return self._state.phase is Phase.OPEN and self._state.subscribed is not None

    async def watch(self, extensions: frozenset[str]) -> None:
        """Watch these extensions from now on."""
        await self._happened.put(Watch(extensions))

    def withdraw(self) -> None:
        """Say nothing more of it in health and metrics: it is not needed any longer."""
        self._health.ready(self._component)
        withdraw(self._health, self._number)

    async def run(self) -> None:
        """Keep a subscription alive."""
        try:
            while True:
                event = await self._next()
                if event is not None:
                    await self._step(event)
        finally:
            if self._reader is not None:
                self._reader.cancel()
            if self._socket is not None:
                await self._socket.close()

    async def _next(self) -> Event | None:
        """What happened, or that it is time; None for a frame that could not be read."""
        due_ms = wake_at_ms(self._state)
        wait_s = None if due_ms is None else max(0.0, (due_ms - self._now_ms()) / 1000)
        try:
            async with asyncio.timeout(wait_s):
                happened = await self._happened.get()
        except TimeoutError:
            return Woken()
        if not isinstance(happened, str | bytes):
            return happened
        try:
            frame = parse(happened)
            if isinstance(frame, Reply) and frame.status == 429:
                self._gateway.punished(frame.retry_after_ms)
            return Came(frame)
        except Poison as poison:
            raw = happened.encode() if isinstance(happened, str) else happened
            await unhurried(self._events.unreadable, raw, poison)
            return None

    async def _step(self, event: Event) -> None:
        self._state, effects = decide(self._state, event, self._now_ms())
        for effect in effects:
            await self._do(effect)

    async def _do(self, effect: Effect) -> None:
        match effect:
            case Open(wsc):
                self._reader = asyncio.create_task(self._read(wsc), name="websocket")
            case Subscribe(message_id, extensions):
                held_ms = self._gateway.held_ms()
                if held_ms:  # RingCentral would only begin the penalty anew
                    held = Reply(message_id=message_id, status=429, wsc=None, retry_after_ms=held_ms)
                    await self._step(Came(held))
                    return
                log.info("subscribing", extensions=len(extensions))
                if self._socket is not None:
                    await self._socket.subscribe(message_id, extensions)
            case SendHeartbeat(message_id):
                if self._socket is not None:
                    await self._socket.heartbeat(message_id)
            case Close(reason):
                log.info("websocket_closing", reason=reason)
                self._close()
            case Deliver(raw):
                await unhurried(self._deliver, raw)
            case Hydrate(reason):
                log.info("hydration_requested", reason=reason)
                self._on_gap()
            case Live(recovered):
                metrics.CONNECTIONS.labels("recovered" if recovered else "subscribed").inc()
                log.info("websocket_live", recovered=recovered)
                self._health.ready(self._component)
            case Down(reason):
                log.info("websocket_down", reason=reason)
                self._health.waiting(self._component, reason)
            case Disabled(filters):
                report_unserved(self._health, self._number, filters)
            case Refused():
                self._on_refused(effect)
            case _:
                assert_never(effect)

    async def _read(self, wsc: str) -> None:
        """Open a socket and queue what comes from it until it is closed."""
        try:
            socket = await self._gateway.open(wsc)
        except NotOpened as error:
            metrics.OPEN_FAILED.inc()
            log.warning("websocket_not_opened", reason=str(error))
            await self._happened.put(OpenFailed(error.retry_after_ms, error.refused))
            return
        self._socket = socket
        await self._happened.put(Opened())
        async for text in socket.frames():
            await self._happened.put(text)
        self._socket = None
        await self._happened.put(Lost())

    def _close(self) -> None:
        """Close without waiting: the closing handshake needs the queue to be emptied meanwhile."""
        if self._socket is not None:
            task = asyncio.create_task(self._socket.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _now_ms(self) -> int:
        return int(self._clock.monotonic_s() * 1000)
