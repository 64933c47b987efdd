"""The assist gateway's shell: topic views feed the floor, uvicorn serves screens from it, all on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import uuid
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvicorn

from services.assist_gateway.adapters import topics
from services.assist_gateway.adapters.intake import Intake
from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.adapters.protocol import MAX_MESSAGE_BYTES
from services.assist_gateway.adapters.screens import Screens
from services.assist_gateway.adapters.tokens import Tokens
from services.assist_gateway.adapters.web import web_app
from services.assist_gateway.config import AssistGatewaySettings
from services.assist_gateway.domain.floor import Floor
from services.chassis.errors import Fatal, SettingError
from services.chassis.publisher import KafkaPublisher
from services.chassis.service import Service, run_async
from services.chassis.topic_view import TopicView

log = structlog.get_logger()
SWEEP_EVERY_S = 5.0
LOOK_EVERY_S = 0.1


class PageServer(uvicorn.Server):
    """uvicorn without its signal handlers: the chassis has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class Gateway:
    """The running service; made and used on the event loop's thread."""

    def __init__(self, service: Service[AssistGatewaySettings], publisher: KafkaPublisher) -> None:
        settings = service.settings
        self._service = service
        self._journal = TopicJournal(publisher, service.clock, lambda: str(uuid.uuid4()))
        self._floor = Floor(self._journal)
        self._intake = Intake(self._floor, asyncio.get_running_loop(), started_ms=self._now_ms())
        self._views = [
            self._view("roster", topics.ROSTER, None, publisher),
            self._view("states", topics.STATE, settings.state_history_ms, publisher),
            self._view("recent", topics.RECENT, settings.history_ms, publisher),
        ]
        self._complete = False
        tokens = Tokens(
            key=settings.jwt_key.get_secret_value(), issuer=settings.jwt_issuer, audience=settings.jwt_audience,
            clock=service.clock,
        )  # fmt: skip
        screens = Screens(
            floor=self._floor, tokens=tokens, journal=self._journal, clock=service.clock,
            ready=lambda: self._complete, instance=secrets.token_hex(4), queue_limit=settings.queue_limit,
            hello_timeout_ms=settings.hello_timeout_ms,
        )  # fmt: skip
        app = web_app(floor=self._floor, tokens=tokens, screens=screens, console_dir=Path(settings.console_dir))
        self._server = PageServer(
            uvicorn.Config(
                app, log_config=None, access_log=False, lifespan="off", server_header=False,
                ws_max_size=MAX_MESSAGE_BYTES, ws_per_message_deflate=False, timeout_graceful_shutdown=3,
            )
        )  # fmt: skip

    async def run(self, stop: asyncio.Event, listening: socket.socket) -> None:
        """Serve until `stop`; raises Fatal when a view has died."""
        for view in self._views:
            view.start()
        serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        try:
            while not (self._server.started and all(view.caught_up.is_set() for view in self._views)):
                if await self._stopped(stop, LOOK_EVERY_S, serving):
                    return
            self._sweep()
            self._complete = True
            self._service.health.ready("topics")
            log.info("page_ready", port=listening.getsockname()[1], calls=len(self._floor.board))
            while not await self._stopped(stop, SWEEP_EVERY_S, serving):
                self._sweep()
        finally:
            self._server.should_exit = True
            self._intake.close()
            await asyncio.gather(*(asyncio.to_thread(view.stop) for view in self._views))
            await serving

    async def _stopped(self, stop: asyncio.Event, wait_s: float, serving: asyncio.Task[None]) -> bool:
        for view in self._views:
            if view.error is not None:
                raise Fatal(f"reading topics ended: {type(view.error).__name__}: {view.error}")
        if serving.done():
            raise Fatal("the page server ended")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
        return stop.is_set()

    def _sweep(self) -> None:
        self._floor.sweep(self._now_ms(), keep_ended_ms=self._service.settings.keep_ended_ms)
        self._journal.retry()

    def _now_ms(self) -> int:
        return int(self._service.clock.now().timestamp() * 1000)

    def _view(
        self, name: str, followed: topics.Followed, since_ms: int | None, publisher: KafkaPublisher
    ) -> TopicView:  # fmt: skip
        return TopicView(
            self._service.settings, topics=followed, on_record=self._intake.take, publisher=publisher,
            since_ms=since_ms, clock=self._service.clock, name=f"assist-{name}",
        )  # fmt: skip


def main(service: Service[AssistGatewaySettings]) -> None:
    """Wire and run until stopped."""
    service.health.waiting("topics", "reading the recent calls")
    settings = service.settings
    listening = _listen(settings)
    publisher = KafkaPublisher(
        settings, service=service.name, health=service.health, dead_letter_limit=settings.dead_letter_limit
    )

    async def serve(stop: asyncio.Event) -> None:
        await Gateway(service, publisher).run(stop, listening)

    try:
        run_async(service, serve)
    finally:
        publisher.close()
        listening.close()


def _listen(settings: AssistGatewaySettings) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise SettingError(f"ASSIST_GATEWAY_PORT: {place} cannot be listened on ({error.strerror})") from None
    return listening
