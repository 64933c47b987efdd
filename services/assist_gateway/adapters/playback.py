"""A call's recording over HTTP: the whole file or a range of it, to whoever may see the call."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from services.assist_gateway.adapters import protocol
from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.adapters.recordings import NotSatisfiable, Recordings, Span, media_type, span_of
from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.floor import Floor
from services.chassis.clock import Clock

SAME_HEARING_S = 600.0
REMEMBERED = 10_000


class Playback:
    """Serves recordings. One line in the audit for each viewer, call and ten minutes: players ask in many pieces."""

    def __init__(self, floor: Floor, recordings: Recordings, journal: TopicJournal, clock: Clock) -> None:
        self._floor = floor
        self._recordings = recordings
        self._journal = journal
        self._clock = clock
        self._heard: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def serve(self, request: Request, viewer: Viewer, call_id: str) -> Response:
        """The file, a range, or why not."""
        call = self._floor.board.call(call_id)
        if call is None or not self._floor.may_see(viewer, call_id):
            self._journal.refused(viewer, call_id, "recording")
            return JSONResponse(protocol.error("not_permitted", call_id), status_code=404)
        told = call.glance("recording")
        if not told:
            return JSONResponse(protocol.error("no_recording", call_id), status_code=404)
        record = orjson.loads(told[-1])
        size = await asyncio.to_thread(self._recordings.size, record["uri"])
        if size is None:
            return JSONResponse(protocol.error("recording_gone", call_id), status_code=410)
        headers = {"Accept-Ranges": "bytes", "ETag": f'"{record.get("sha256", "")}"'}
        wanted = request.headers.get("range", "")
        if request.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
            wanted = ""
        try:
            span = span_of(wanted, size)
        except NotSatisfiable:
            return Response(status_code=416, headers=headers | {"Content-Range": f"bytes */{size}"})
        if span is not None:
            headers["Content-Range"] = f"bytes {span.first}-{span.last}/{size}"
        part = span or Span(0, size - 1, size)
        headers["Content-Length"] = str(part.length)
        status, kind = (206 if span else 200), media_type(record)
        if request.method == "HEAD":
            return Response(status_code=status, headers=headers, media_type=kind)
        self._note(viewer, call_id)
        blocks = self._recordings.read(record["uri"], part)
        return StreamingResponse(blocks, status_code=status, headers=headers, media_type=kind)

    def _note(self, viewer: Viewer, call_id: str) -> None:
        now_s, key = self._clock.monotonic_s(), (viewer.subject, call_id)
        last_s = self._heard.get(key)
        if last_s is None or now_s - last_s > SAME_HEARING_S:
            self._journal.listened(viewer, call_id, "recording")
            self._heard[key] = now_s
            self._heard.move_to_end(key)
            if len(self._heard) > REMEMBERED:
                self._heard.popitem(last=False)
