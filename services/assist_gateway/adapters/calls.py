"""Lists of calls and single calls over HTTP: those on the wall, and the finished ones of the last day."""

from __future__ import annotations

import asyncio
import heapq
from typing import Protocol

from starlette.datastructures import QueryParams

from services.assist_gateway.adapters import protocol
from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.board import Call
from services.assist_gateway.domain.floor import Floor

PAGE, LONGEST_PAGE = 100, 500


class WholeCalls(Protocol):
    """Where the whole of a finished call is read."""

    def read(self, outline: Call) -> Call:
        """Blocks; raises Transient."""
        ...


class Calls:
    """Answers `/v1/calls`."""

    def __init__(self, floor: Floor, archive: WholeCalls, journal: TopicJournal) -> None:
        self._floor = floor
        self._archive = archive
        self._journal = journal

    def page(self, viewer: Viewer, query: QueryParams) -> bytes:
        """A page of the list; raises ValueError for a query that cannot be read."""
        status = query.get("status", "live")
        limit = int(query.get("limit", str(PAGE if status == "finished" else 1_000_000)))
        if status not in {"live", "finished"} or limit < 1:
            raise ValueError("status or limit")
        if status == "live":
            found = [call for call in self._floor.calls_for(viewer) if not call.thin][:limit]
            return protocol.listed(((call, self._floor.agent(call.agent_extension_id)) for call in found), None)
        limit = min(limit, LONGEST_PAGE)
        before = _place(query["before"]) if "before" in query else None
        ended = (call for call in self._floor.calls_for(viewer) if call.ended)
        older = (call for call in ended if before is None or (call.last_at_ms, call.call_id) < before)
        found = heapq.nlargest(limit + 1, older, key=lambda call: (call.last_at_ms, call.call_id))
        shown = found[:limit]
        following = f"{shown[-1].last_at_ms}.{shown[-1].call_id}" if len(found) > limit else None
        return protocol.listed(((call, self._floor.agent(call.agent_extension_id)) for call in shown), following)

    async def one(self, viewer: Viewer, call_id: str) -> bytes | None:
        """A call in full; None where it is unknown or not permitted. Raises Transient when it cannot be read now."""
        call = self._floor.board.call(call_id)
        if call is None or not self._floor.may_see(viewer, call_id):
            self._journal.refused(viewer, call_id, "not_permitted")
            return None
        self._journal.watched(viewer, call_id, "finished" if call.ended else "live")
        if call.thin:
            call = await asyncio.to_thread(self._archive.read, call)
        return protocol.whole(call.snapshot("full"), self._floor.agent(call.agent_extension_id))


def _place(before: str) -> tuple[int, str]:
    at_ms, _, call_id = before.partition(".")
    return int(at_ms), call_id
