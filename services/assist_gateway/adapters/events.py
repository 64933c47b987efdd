"""Server-sent events: what a WebSocket would be sent, read-only, with a cursor in each `id` line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator

from starlette.requests import Request
from starlette.responses import StreamingResponse

from services.assist_gateway.adapters import protocol, requests
from services.assist_gateway.adapters.screens import SCREENS, SENT, SKIPPED, catch_up
from services.assist_gateway.adapters.tokens import Admitted
from services.assist_gateway.domain.board import Detail
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.session import Changed, Gone, Message, Missed, Resumed, Session, Skipped, Snapshot
from services.chassis.clock import Clock

BEAT_S = 15.0
CALLS_IN_A_WORD = 50


class Place:
    """How far a reader has read, and what calls it has: kept for it as a screen would keep it for itself."""

    def __init__(self) -> None:
        self._cursor: dict[str, int] = {}
        self._held: dict[str, Detail] = {}

    def lines(self, message: Message) -> Iterator[bytes]:
        """The message as events, one for each line that a screen would be sent."""
        if isinstance(message, Missed):
            for changed in message.changes:
                yield from self.lines(changed)
            return
        self._move(message)
        for data in protocol.encode(message):
            yield b"event: " + protocol.type_of(data) + b"\nid: " + self._word().encode() + b"\ndata: " + data + b"\n\n"

    def _move(self, message: Message) -> None:
        match message:
            case Changed(update=update):
                self._cursor[protocol.lane_wire(update.place.lane)] = update.place.offset
            case Snapshot():
                if message.complete:
                    self._cursor, self._held = {}, {}
                self._cursor |= protocol.cursor_wire(message.cursor)
                self._held |= {call.call_id: call.detail for call, _ in message.calls}
            case Resumed():
                self._cursor = protocol.cursor_wire(message.cursor)
            case Gone():
                self._held.pop(message.call_id, None)

    def resume(self, cursor: dict[str, int], held: dict[str, Detail]) -> None:
        """The reader comes back with these."""
        self._cursor, self._held = dict(cursor), dict(held)

    def _word(self) -> str:
        """Empty, which asks for a snapshot, where it would grow too long for a header."""
        return requests.word_of(self._cursor, self._held) if len(self._held) <= CALLS_IN_A_WORD else ""


class Events:
    """Serves `/v1/events`."""

    def __init__(self, *, floor: Floor, clock: Clock, queue_limit: int) -> None:
        self._floor = floor
        self._clock = clock
        self._queue_limit = queue_limit

    def serve(self, request: Request, admitted: Admitted) -> StreamingResponse | None:
        """The stream that the query asks for; None where it may not be seen. Raises ValueError for other queries."""
        query = request.query_params
        call_id, detail = query.get("call_id"), query.get("detail")
        if (call_id is None) == (detail not in {"overview", "full"}):
            raise ValueError("call_id or detail")
        if call_id is not None and not self._floor.may_see(admitted.viewer, call_id):
            return None
        word = request.headers.get("last-event-id") or query.get("cursor") or ""
        everything: Detail | None = None if call_id is not None else "overview" if detail == "overview" else "full"
        stream = self._stream(admitted, [call_id] if call_id is not None else [], everything, word)
        return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def _stream(
        self, admitted: Admitted, watch: list[str], everything: Detail | None, word: str
    ) -> AsyncIterator[bytes]:
        owed = asyncio.Event()
        session = Session(viewer=admitted.viewer, limit=self._queue_limit, wake=owed.set)
        place = Place()
        self._floor.open(session)
        SCREENS.inc()
        try:
            await self._begin(session, place, watch, everything, word)
            while (left_s := admitted.expires_at_s - self._clock.now().timestamp()) > 0:
                try:
                    async with asyncio.timeout(min(left_s, BEAT_S)):
                        await owed.wait()
                except TimeoutError:
                    yield b": here\n\n"
                owed.clear()
                blocks = list(self._blocks(session, place))
                if blocks:
                    SENT.inc(len(blocks))
                    yield b"".join(blocks)
            yield b'event: error\ndata: {"type":"error","code":"token_expired"}\n\n'
        finally:
            self._floor.close(session)
            SCREENS.dec()

    async def _begin(
        self, session: Session, place: Place, watch: Iterable[str], everything: Detail | None, word: str
    ) -> None:
        try:
            wire, held = requests.read_word(word)
            cursor = requests.cursor_from(wire)
        except ValueError:
            cursor, held, wire = {}, {}, {}
        if cursor and held:
            place.resume(wire, held)
            await catch_up(self._floor, cursor)
            self._floor.resume(session, cursor, held, everything, watch)
            return
        for call_id in watch:
            self._floor.watch(session, call_id)
        if everything is not None:
            self._floor.watch_all(session, everything)

    def _blocks(self, session: Session, place: Place) -> Iterator[bytes]:
        for message in self._floor.next_messages(session):
            if isinstance(message, Skipped):
                SKIPPED.inc(message.count)
            yield from place.lines(message)
