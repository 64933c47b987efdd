"""The assist gateway's shell: topic views feed the floor, uvicorn serves screens from it, all on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog
import uvicorn
import uvloop

from services.assist_gateway.adapters import topics
from services.assist_gateway.adapters.archive import Archive
from services.assist_gateway.adapters.audio_feed import AudioFeed
from services.assist_gateway.adapters.calls import Calls, WholeCalls
from services.assist_gateway.adapters.door import Door, ticket_key
from services.assist_gateway.adapters.events import Events
from services.assist_gateway.adapters.intake import Intake
from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.adapters.key_set import Fetch, KeySet
from services.assist_gateway.adapters.playback import Playback
from services.assist_gateway.adapters.provider import Provider
from services.assist_gateway.adapters.recordings import Recordings
from services.assist_gateway.adapters.requests import MAX_MESSAGE_BYTES
from services.assist_gateway.adapters.screens import Screens
from services.assist_gateway.adapters.tokens import Claims, Tokens
from services.assist_gateway.adapters.web import Parts, web_app
from services.assist_gateway.config import AssistGatewaySettings, role_values
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.listening import ListenIn, Piece
from services.chassis.clock import Clock
from services.chassis.errors import Fatal, SettingError
from services.chassis.publisher import KafkaPublisher
from services.chassis.service import Service, run_async, stopped
from services.chassis.topic_view import TopicView

log = structlog.get_logger()
SWEEP_EVERY_S = 5.0
LISTEN_SWEEP_EVERY_S = 0.5
TICK_S = 0.1
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
        self._loop = asyncio.get_running_loop()
        self._intake = Intake(self._floor, self._loop, started_ms=self._now_ms(), prefix=settings.topic_prefix)
        self._views = [
            self._view("roster", topics.ROSTER, None, publisher),
            self._view("outline", topics.OUTLINE, settings.keep_ended_ms, publisher),
            self._view("recent", topics.RECENT, settings.history_ms, publisher),
        ]
        self._feed = AudioFeed(settings, self._hear)
        self._listening = ListenIn(self._floor, self._feed, self._journal, allowed=settings.listen_in)
        self._complete = False
        self._swept_ms = 0
        origins = [origin.strip() for origin in settings.allowed_origins.split(",") if origin.strip()]
        parts = parts_of(
            settings, floor=self._floor, listening=self._listening, journal=self._journal, archive=Archive(settings),
            clock=service.clock, ready=lambda: self._complete,
        )  # fmt: skip
        app = web_app(parts, console_dir=Path(settings.console_dir), allowed_origins=origins)
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
            self._tick()
            while not await self._stopped(stop, LISTEN_SWEEP_EVERY_S, serving):
                self._listening.sweep(self._monotonic_ms())
                self._sweep_now_and_then()
        finally:
            self._server.should_exit = True
            self._intake.close()
            stops = [view.stop for view in self._views] + [self._feed.stop]
            await asyncio.gather(*(asyncio.to_thread(end) for end in stops))
            await serving

    async def _stopped(self, stop: asyncio.Event, wait_s: float, serving: asyncio.Task[None]) -> bool:
        for view in self._views:
            if view.error is not None:
                raise Fatal(f"reading topics ended: {type(view.error).__name__}: {view.error}")
        if serving.done():
            raise Fatal("the page server ended")
        return await stopped(stop, wait_s)

    def _tick(self) -> None:
        self._floor.tick()
        self._loop.call_later(TICK_S, self._tick)

    def _sweep_now_and_then(self) -> None:
        if self._monotonic_ms() - self._swept_ms >= SWEEP_EVERY_S * 1000:
            self._sweep()

    def _sweep(self) -> None:
        self._swept_ms = self._monotonic_ms()
        settings = self._service.settings
        self._floor.sweep(self._now_ms(), keep_full_ms=settings.wall_ms, keep_ended_ms=settings.keep_ended_ms)
        self._journal.retry()

    def _hear(self, call_id: str, piece: Piece) -> None:
        """On the feed's thread."""
        self._loop.call_soon_threadsafe(lambda: self._listening.take(call_id, piece, self._monotonic_ms()))

    def _now_ms(self) -> int:
        return int(self._service.clock.now().timestamp() * 1000)

    def _monotonic_ms(self) -> int:
        return int(self._service.clock.monotonic_s() * 1000)

    def _view(self, name: str, followed: topics.Followed, since_ms: int | None, publisher: KafkaPublisher) -> TopicView:
        return TopicView(
            self._service.settings, topics=followed, on_record=self._intake.take, publisher=publisher,
            since_ms=since_ms, clock=self._service.clock, name=f"assist-{name}",
            on_place=None if since_ms is None else self._intake.stand_at,
        )  # fmt: skip


def parts_of(
    settings: AssistGatewaySettings, *, floor: Floor, listening: ListenIn, journal: TopicJournal, archive: WholeCalls,
    clock: Clock, ready: Callable[[], bool], fetch_keys: Fetch | None = None,
) -> Parts:  # fmt: skip
    """What answers screens, as the settings have it. `fetch_keys` stands in for the identity provider in tests."""
    local_key = settings.jwt_key.get_secret_value()
    key = ticket_key(settings.ticket_key.get_secret_value(), local_key)
    door = Door(tokens_of(settings, clock, fetch_keys), ticket_key=key, ready=ready, clock=clock)
    screens = Screens(
        floor=floor, listening=listening, door=door, journal=journal, clock=clock, queue_limit=settings.queue_limit,
        hello_timeout_ms=settings.hello_timeout_ms,
    )  # fmt: skip
    return Parts(
        floor=floor, listening=listening, door=door, journal=journal, screens=screens,
        events=Events(floor=floor, clock=clock, queue_limit=settings.queue_limit),
        calls=Calls(floor, archive, journal),
        playback=Playback(floor, Recordings(settings.recordings), journal, clock),
    )  # fmt: skip


def tokens_of(settings: AssistGatewaySettings, clock: Clock, fetch_keys: Fetch | None = None) -> Tokens:
    """The reader of tokens: with the local key where there is one, else with the provider's keys."""
    local_key = settings.jwt_key.get_secret_value()
    provider = Provider(jwks_url=settings.jwks_url, issuer=settings.jwt_issuer, timeout_ms=settings.jwks_timeout_ms)
    keys = KeySet(
        fetch_keys or provider.fetch, clock, max_age_ms=settings.jwks_max_age_ms, pause_ms=settings.jwks_pause_ms
    )
    claims = Claims(role=settings.role_claim, extension=settings.extension_claim, values=role_values(settings.roles))
    return Tokens(
        local_key=local_key, keys=None if local_key else keys, issuer=settings.jwt_issuer,
        audience=settings.jwt_audience, claims=claims, leeway_ms=settings.jwt_leeway_ms, clock=clock,
    )  # fmt: skip


def main(service: Service[AssistGatewaySettings]) -> None:
    """Wire and run until stopped."""
    service.health.waiting("topics", "reading the recent calls")
    settings = service.settings
    settings.check()
    listening = _listen(settings)
    publisher = KafkaPublisher(
        settings, service=service.name, health=service.health, dead_letter_limit=settings.dead_letter_limit
    )

    async def serve(stop: asyncio.Event) -> None:
        await Gateway(service, publisher).run(stop, listening)

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # it has thousands of sockets
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
