"""The WebSocket: one task reads a screen's requests, one writes what it is owed.

Close codes: 4401 no valid token (or it has expired), 4400 not the protocol, 4403 too many refusals, 1013 try again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson
from prometheus_client import Counter, Gauge
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.assist_gateway.adapters import protocol
from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.adapters.protocol import BadRequest, Feedback, Request, Unwatch, Watch, WatchAll
from services.assist_gateway.adapters.tokens import Admitted, BadToken, Tokens, bearer
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.session import Session, Skipped
from services.chassis.clock import Clock

SCREENS = Gauge("earshot_assist_screens", "Screens connected.")
TOKENS_REFUSED = Counter("earshot_assist_tokens_refused_total", "Tokens refused.", ["code"])
SKIPPED = Counter("earshot_assist_messages_skipped_total", "Messages that slow screens were not sent.")
REFUSALS_LIMIT = 20


class Closed(Exception):
    """The server ends the connection, for `code`."""

    def __init__(self, close_code: int, code: str) -> None:
        super().__init__(code)
        self.close_code = close_code
        self.code = code


class Screens:
    """Serves `/v1/ws`. `ready` tells whether the board is complete: before, nobody is shown half of it."""

    def __init__(
        self, *, floor: Floor, tokens: Tokens, journal: TopicJournal, clock: Clock, ready: Callable[[], bool],
        instance: str, queue_limit: int, hello_timeout_ms: int,
    ) -> None:  # fmt: skip
        self._floor = floor
        self._tokens = tokens
        self._journal = journal
        self._clock = clock
        self._ready = ready
        self._instance = instance
        self._queue_limit = queue_limit
        self._hello_timeout_s = hello_timeout_ms / 1000

    async def serve(self, socket: WebSocket) -> None:
        """One connection, from handshake to close."""
        await socket.accept()
        try:
            admitted = await self._admit(socket)
            await self._converse(socket, admitted)
        except WebSocketDisconnect:
            return
        except Closed as closed:
            await _close(socket, closed)

    async def _admit(self, socket: WebSocket) -> Admitted:
        token = bearer(socket.headers.get("authorization", ""))
        try:
            if not token:
                async with asyncio.timeout(self._hello_timeout_s):
                    token = protocol.parse_hello(await _receive(socket)).token
            admitted = self._tokens.read(token)
        except (BadRequest, TimeoutError):
            TOKENS_REFUSED.labels("token_missing").inc()
            raise Closed(4401, "token_missing") from None
        except BadToken as bad:
            TOKENS_REFUSED.labels(bad.code).inc()
            raise Closed(4401, bad.code) from None
        if not self._ready():
            raise Closed(1013, "starting")
        return admitted

    async def _converse(self, socket: WebSocket, admitted: Admitted) -> None:
        owed = asyncio.Event()
        session = Session(viewer=admitted.viewer, limit=self._queue_limit, wake=owed.set)
        self._floor.open(session)
        SCREENS.inc()
        tasks = [
            asyncio.create_task(self._read(socket, session)),
            asyncio.create_task(self._write(socket, session, owed)),
            asyncio.create_task(self._expire(admitted.expires_at_s)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._floor.close(session)
            SCREENS.dec()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        done.pop().result()  # raises what ended it

    async def _read(self, socket: WebSocket, session: Session) -> None:
        refusals = 0
        while True:
            try:
                request = protocol.parse(await _receive(socket))
            except BadRequest:
                raise Closed(4400, "bad_request") from None
            if not self._grant(session, request):
                refusals += 1
                if refusals >= REFUSALS_LIMIT:
                    raise Closed(4403, "too_many_refusals")

    def _grant(self, session: Session, request: Request) -> bool:
        match request:
            case Watch():
                return self._floor.watch(session, request.call_id)
            case Unwatch():
                self._floor.unwatch(session, request.call_id)
            case WatchAll():
                self._floor.watch_all(session, request.detail)
            case Feedback():
                return self._take_feedback(session, request)
        return True

    def _take_feedback(self, session: Session, request: Feedback) -> bool:
        call_id = self._floor.board.call_of_suggestion(request.suggestion_id)
        if call_id is None or not self._floor.may_see(session.viewer, call_id):
            self._floor.refuse(session, "", "unknown_suggestion")
            return False
        self._journal.feedback(session.viewer, call_id, request.suggestion_id, request.action, request.reason)
        return True

    async def _write(self, socket: WebSocket, session: Session, owed: asyncio.Event) -> None:
        while True:
            await owed.wait()
            owed.clear()
            for message in self._floor.next_messages(session):
                if isinstance(message, Skipped):
                    SKIPPED.inc(message.count)
                await socket.send_text(protocol.encode(message, self._instance))

    async def _expire(self, expires_at_s: float) -> None:
        await asyncio.sleep(expires_at_s - self._clock.now().timestamp())
        raise Closed(4401, "token_expired")


async def _receive(socket: WebSocket) -> str:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if not isinstance(text, str) or len(text) > protocol.MAX_MESSAGE_BYTES:
        raise BadRequest
    return text


async def _close(socket: WebSocket, closed: Closed) -> None:
    try:
        await socket.send_text(orjson.dumps(protocol.error(closed.code)).decode())
        await socket.close(closed.close_code, closed.code)
    except (WebSocketDisconnect, RuntimeError):  # it went first
        return
