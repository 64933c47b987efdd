"""The endpoint that RingCentral posts webhooks to, on a port of its own.

A notification is answered once it is in the producer's queue; RingCentral waits three seconds, so one that finds the
queue full for longer is answered 503 and told again by the next reading of active calls.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
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
STATUSES = {Answer.HANDSHAKE: 200, Answer.NOTIFICATION: 200, Answer.WRONG_TOKEN: 401, Answer.BAD_REQUEST: 400}


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the chassis has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class WebhookServer:
    """Listens from construction on; `run` serves until cancelled. Raises SettingError when the port is taken."""

    def __init__(self, events: EventPublisher, *, host: str, port: int, url: str, secret: str) -> None:
        self._events = events
        self._secret = secret
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._socket = socket.create_server((host, port), backlog=512)
        except OSError as error:
            raise SettingError(
                f"EVENT_INGESTOR_WEBHOOK_PORT: {port} cannot be listened on ({error.strerror})"
            ) from None
        app = Starlette(routes=[Route(urlsplit(url).path or "/", self._post, methods=["POST"])])
        self._server = _Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, lifespan="off", server_header=False, timeout_graceful_shutdown=2
            )
        )

    @property
    def port(self) -> int:
        """The bound port."""
        return int(self._socket.getsockname()[1])

    async def run(self) -> None:
        """Serve; raises the Fatal that a notification led to."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        log.info("webhook_listening", port=self.port)
        try:
            await asyncio.wait([serving, self._failed], return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                self._failed.result()
            raise Fatal("the webhook server ended")
        finally:
            self._server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)

    async def _post(self, request: Request) -> Response:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > MOST_BODY_BYTES:
                return self._answer(Answer.BAD_REQUEST, 413)
        answer = judge(request.headers, body, self._secret)
        if answer is Answer.HANDSHAKE:
            log.info("webhook_handshake")
            echo = {"Validation-Token": request.headers["validation-token"]}
            return self._answer(answer, 200, echo)
        if answer is not Answer.NOTIFICATION:
            log.warning("webhook_refused", why=answer.value)
            return self._answer(answer, STATUSES[answer])
        try:
            async with asyncio.timeout(ROOM_WITHIN_S):
                await unhurried(self._events.notification, body, source="webhook")
        except TimeoutError:
            log.warning("webhook_without_room")
            return Response(status_code=503, media_type="text/plain")
        except Fatal as fatal:
            if not self._failed.done():
                self._failed.set_exception(fatal)
            return Response(status_code=503, media_type="text/plain")
        return self._answer(answer, 200)

    def _answer(self, answer: Answer, status: int, headers: dict[str, str] | None = None) -> Response:
        metrics.WEBHOOKS.labels(answer.value).inc()
        return Response(status_code=status, headers=headers, media_type="text/plain")
