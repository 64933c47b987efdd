"""The WebSocket: one task reads a screen's requests, one writes what it is owed.

Close codes: 4401 no valid token, expired or of another subject, 4400 not the protocol, 4403 too many refusals, 1013 try
again.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

import orjson
from prometheus_client import Counter, Gauge
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.assist_gateway.adapters import protocol, requests
from services.assist_gateway.adapters.audio_feed import frame
from services.assist_gateway.adapters.door import STARTING, Door
from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.adapters.requests import (
    BadRequest,
    Feedback,
    Listen,
    NewToken,
    Request,
    Resume,
    Unlisten,
    Unwatch,
    Watch,
    WatchAll,
)
from services.assist_gateway.adapters.tokens import Admitted, BadToken, bearer
from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.listening import ListenIn
from services.assist_gateway.domain.reach import Cursor
from services.assist_gateway.domain.session import Session, Skipped
from services.chassis.clock import Clock, format_utc

SCREENS = Gauge("earshot_assist_screens", "Screens connected.")
SENT = Counter("earshot_assist_messages_sent_total", "Messages sent to screens.")
SKIPPED = Counter("earshot_assist_messages_skipped_total", "Messages that slow screens were not sent.")
REFUSALS_LIMIT = 20
CATCH_UP_S = 5.0
LOOK_EVERY_S = 0.02
DAY_S = 86_400.0
TRY_AGAIN = {STARTING, "keys_unavailable"}


class Closed(Exception):
    """The server ends the connection, for `code`."""

    def __init__(self, close_code: int, code: str) -> None:
        super().__init__(code)
        self.close_code = close_code
        self.code = code


@dataclass(slots=True)
class Lease:
    """Until when the connection's token holds (seconds since 1970); a new token renews it."""

    expires_at_s: float
    renewed: asyncio.Event = field(default_factory=asyncio.Event)


class Screens:
    """Serves `/v1/ws`."""

    def __init__(
        self, *, floor: Floor, listening: ListenIn, door: Door, journal: TopicJournal, clock: Clock, queue_limit: int,
        hello_timeout_ms: int,
    ) -> None:  # fmt: skip
        self._floor = floor
        self._listening = listening
        self._door = door
        self._journal = journal
        self._clock = clock
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
                    token = requests.parse_hello(await _receive(socket)).token
            return await self._door.admit(token)
        except (BadRequest, TimeoutError):
            raise Closed(4401, "token_missing") from None
        except BadToken as bad:
            raise _closed_for(bad) from None

    async def _converse(self, socket: WebSocket, admitted: Admitted) -> None:
        owed = asyncio.Event()
        session = Session(viewer=admitted.viewer, limit=self._queue_limit, wake=owed.set)
        lease = Lease(admitted.expires_at_s)
        await self._welcome(socket, session)
        self._floor.open(session)
        SCREENS.inc()
        tasks = [
            asyncio.create_task(self._read(socket, session, lease)),
            asyncio.create_task(self._write(socket, session, owed)),
            asyncio.create_task(self._expire(lease)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._listening.stop(session, "stopped", self._now_ms())
            self._floor.close(session)
            SCREENS.dec()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        done.pop().result()  # raises what ended it

    async def _welcome(self, socket: WebSocket, session: Session) -> None:
        viewer = session.viewer
        name = self._floor.agent(viewer.extension_id).name
        welcome = {
            "type": "welcome", "viewer": protocol.viewer_wire(viewer, name),
            "may_listen": self._listening.may_listen(viewer), "time": format_utc(self._clock.now()),
        }  # fmt: skip
        await socket.send_text(orjson.dumps(welcome).decode())

    async def _read(self, socket: WebSocket, session: Session, lease: Lease) -> None:
        refusals = 0
        while True:
            try:
                request = requests.parse(await _receive(socket))
                if isinstance(request, NewToken):
                    await self._renew(session, lease, request.token)
                elif isinstance(request, Resume):
                    await self._resume(session, request)
                elif not self._grant(session, request):
                    refusals += 1
            except BadRequest:
                raise Closed(4400, "bad_request") from None
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
                if not take_feedback(self._floor, self._journal, session.viewer, request):
                    self._floor.refuse(session, "", "unknown_suggestion")
                    return False
            case Listen():
                return self._listening.listen(session, request.call_id, self._now_ms())
            case Unlisten():
                self._listening.stop(session, "stopped", self._now_ms())
        return True

    async def _resume(self, session: Session, request: Resume) -> None:
        try:
            cursor = requests.cursor_from(request.cursor)
        except ValueError:
            raise BadRequest from None
        await catch_up(self._floor, cursor)
        self._floor.resume(session, cursor, request.calls, request.watch_all, request.watch)

    async def _renew(self, session: Session, lease: Lease, token: str) -> None:
        try:
            admitted = await self._door.admit(token)
        except BadToken as bad:
            raise _closed_for(bad) from None
        if admitted.viewer.subject != session.viewer.subject:
            raise Closed(4401, "token_of_another")
        lease.expires_at_s = admitted.expires_at_s
        lease.renewed.set()
        self._floor.admit(session, admitted.viewer)
        self._listening.sweep(self._now_ms())

    async def _write(self, socket: WebSocket, session: Session, owed: asyncio.Event) -> None:
        while True:
            await owed.wait()
            owed.clear()
            lines: list[bytes] = []
            for message in self._floor.next_messages(session):
                if isinstance(message, Skipped):
                    SKIPPED.inc(message.count)
                lines.extend(protocol.encode(message))
            if lines:
                SENT.inc(len(lines))
                await socket.send({"type": "websocket.send", "text": b"\n".join(lines).decode()})
            stream, pieces = self._listening.owed(session)
            for leg, piece in pieces:
                await socket.send({"type": "websocket.send", "bytes": frame(stream, leg, piece)})

    async def _expire(self, lease: Lease) -> None:
        while (left_s := lease.expires_at_s - self._clock.now().timestamp()) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left_s, DAY_S)):
                    await lease.renewed.wait()
            lease.renewed.clear()
        raise Closed(4401, "token_expired")

    def _now_ms(self) -> int:
        return int(self._clock.monotonic_s() * 1000)


def take_feedback(floor: Floor, journal: TopicJournal, viewer: Viewer, request: Feedback) -> bool:
    """Write down what became of a suggestion; False where it is not known or not the viewer's to judge."""
    call_id = floor.board.call_of_suggestion(request.suggestion_id)
    if call_id is None or not floor.may_see(viewer, call_id):
        return False
    journal.feedback(viewer, call_id, request.suggestion_id, request.action, request.reason)
    return True


async def catch_up(floor: Floor, cursor: Cursor) -> None:
    """Wait, not for ever, until this replica has read what a screen has seen on another."""
    deadline = asyncio.get_running_loop().time() + CATCH_UP_S
    while not floor.board.reach.has_reached(cursor) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY_S)


def _closed_for(bad: BadToken) -> Closed:
    return Closed(1013 if bad.code in TRY_AGAIN else 4401, bad.code)


async def _receive(socket: WebSocket) -> str:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    text = message.get("text")
    if not isinstance(text, str) or len(text) > requests.MAX_MESSAGE_BYTES:
        raise BadRequest
    return text


async def _close(socket: WebSocket, closed: Closed) -> None:
    try:
        await socket.send_text(orjson.dumps(protocol.error(closed.code)).decode())
        await socket.close(closed.close_code, closed.code)
    except (WebSocketDisconnect, RuntimeError):  # it went first
        return
