"""The endpoint that RingCentral posts webhooks to, on a port of its own.

A notification is answered once it is in the producer's queue; RingCentral waits three seconds, so one that finds the
queue full for longer is answered 503 and told again by the next reading of active calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.chassis.errors import Fatal, SettingError
from services.event_ingestor.adapters import metrics
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.hydration import unhurried
from services.event_ingestor.domain.webhook import MOST_BODY_BYTES, Answer, judge

log = structlog.get_logger()
ROOM_WITHIN_S = 2.0


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the chassis has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def webhook_app(events: EventPublisher, *, path: str, secret: str, on_fatal: Callable[[Fatal], None]) -> Starlette:
    """The endpoint under `path`; `on_fatal` is told that a notification can no longer be published at all."""

    async def post(request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_BODY_BYTES:
                return _answer(Answer.BAD_REQUEST, 413)
        answer = judge(request.headers, body, secret)
        if answer is Answer.HANDSHAKE:
            log.info("webhook_handshake")
            return _answer(answer, 200, {"Validation-Token": request.headers["validation-token"]})
        if answer is not Answer.NOTIFICATION:
            log.warning("webhook_refused", why=answer.value)
            return _answer(answer, 401 if answer is Answer.WRONG_TOKEN else 400)
        try:
            async with asyncio.timeout(ROOM_WITHIN_S):
                await unhurried(events.notification, body, source="webhook")
        except TimeoutError:
            log.warning("webhook_without_room")
            return Response(status_code=503, media_type="text/plain")
        except Fatal as fatal:
            on_fatal(fatal)
            return Response(status_code=503, media_type="text/plain")
        return _answer(answer, 200)

    return Starlette(routes=[Route(path, post, methods=["POST"])])


def _answer(answer: Answer, status: int, headers: dict[str, str] | None = None) -> Response:
    metrics.WEBHOOKS.labels(answer.value).inc()
    return Response(status_code=status, headers=headers, media_type="text/plain")


class WebhookServer:
    """Listens from construction on; `run` serves until cancelled. Raises SettingError when the port is taken."""

    def __init__(self, events: EventPublisher, *, host: str, port: int, url: str, secret: str) -> None:
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._socket = socket.create_server((host, port), backlog=512)
        except OSError as error:
            raise SettingError(
                f"EVENT_INGESTOR_WEBHOOK_PORT: {port} cannot be listened on ({error.strerror})"
            ) from None
        app = webhook_app(events, path=urlsplit(url).path or "/", secret=secret, on_fatal=self._fail)
        self._server = _Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=2
            )
        )

    async def run(self) -> None:
        """Serve; raises the Fatal that a notification led to."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        log.info("webhook_listening", port=int(self._socket.getsockname()[1]))
        try:
            await asyncio.wait([serving, self._failed], return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
            raise Fatal("the webhook server ended")
        finally:
            self._server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)

    def _fail(self, fatal: Fatal) -> None:
        if not self._failed.done():
            self._failed.set_exception(fatal)
