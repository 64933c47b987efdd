"""Messages to screens as JSON: the wire form that PROTOCOL.md describes.

What many screens are sent alike (an update, a call in a snapshot) is encoded once and kept on the message.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.board import Call, CallSnapshot, Kind
from services.assist_gateway.domain.reach import Cursor, Lane
from services.assist_gateway.domain.session import (
    Agent,
    Changed,
    Gone,
    ListenEnded,
    Listening,
    Message,
    Missed,
    Refused,
    Resumed,
    Skipped,
    Snapshot,
)

LISTS: dict[Kind, str] = {
    "lifecycle": "lifecycle", "utterance": "utterances", "transcript_leg": "transcript_legs",
    "suggestion": "suggestions", "feedback": "feedback", "insight": "insights", "alert": "alerts",
    "supervision": "supervision", "leg": "legs",
}  # fmt: skip
SINGLES: tuple[Kind, ...] = ("state", "summary", "recording")


def encode(message: Message) -> Iterable[bytes]:
    """A message to a screen; one that stands for several comes as several."""
    match message:
        case Changed():
            return (_changed(message),)
        case Missed():
            return map(_changed, message.changes)
        case Snapshot():
            return (_snapshot(message),)
        case Resumed():
            wire: dict[str, Any] = {"type": "resumed", "cursor": cursor_wire(message.cursor)}
        case Gone():
            wire = {"type": "gone", "call_id": message.call_id}
        case Skipped():
            wire = {"type": "skipped", "count": message.count}
        case Refused():
            wire = error(message.code, message.call_id)
        case Listening():
            wire = {"type": "listening", "call_id": message.call_id, "stream": message.stream}
        case ListenEnded():
            wire = {
                "type": "listen_ended",
                "call_id": message.call_id,
                "stream": message.stream,
                "reason": message.reason,
            }
    return (orjson.dumps(wire),)


def type_of(line: bytes) -> bytes:
    """The type of an encoded message: it always stands first."""
    return line[len(b'{"type":"') : line.index(b'"', len(b'{"type":"'))]


def error(code: str, call_id: str = "") -> dict[str, Any]:
    """An error message; `code` is a short snake_case word."""
    return {"type": "error", "code": code} | ({"call_id": call_id} if call_id else {})


def viewer_wire(viewer: Viewer, name: str) -> dict[str, Any]:
    """Who the token says it is."""
    return {"subject": viewer.subject, "role": viewer.role, "extension_id": viewer.extension_id, "name": name}


def cursor_wire(cursor: Cursor) -> dict[str, int]:
    """A cursor as screens keep it."""
    return {lane_wire(lane): offset for lane, offset in cursor.items()}


def lane_wire(lane: Lane) -> str:
    """A lane's name."""
    return f"{lane[0]}{lane[1]}"


def listed(calls: Iterable[tuple[Call, Agent]], next_page: str | None) -> bytes:
    """The answer of `GET /v1/calls`."""
    return orjson.dumps({"calls": [_row(call, agent) for call, agent in calls], "next": next_page})


def whole(call: CallSnapshot, agent: Agent) -> bytes:
    """The answer of `GET /v1/calls/{call_id}`."""
    return b'{"call":' + _call(call, agent) + b"}"


def agent_wire(agent: Agent) -> bytes:
    """An agent as screens see it."""
    if agent.wire is None:
        fields = {"extension_id": agent.extension_id, "name": agent.name, "extension_number": agent.extension_number}
        agent.wire = orjson.dumps(fields)
    return agent.wire


def _changed(message: Changed) -> bytes:
    if message.wire is None:
        update = message.update
        at = f"{lane_wire(update.place.lane)}:{update.place.offset}"
        head = orjson.dumps({"type": update.kind, "at": at, "call_id": update.call_id})
        agent = b',"agent":' + agent_wire(message.agent) if message.agent else b""
        message.wire = head[:-1] + agent + b',"record":' + update.record + b"}"
    return message.wire


def _snapshot(message: Snapshot) -> bytes:
    head: dict[str, Any] = {"type": "snapshot", "cursor": cursor_wire(message.cursor), "complete": message.complete}
    if message.call_id:
        head["call_id"] = message.call_id
    calls = b",".join(_call(call, agent) for call, agent in message.calls)
    return orjson.dumps(head)[:-1] + b',"calls":[' + calls + b"]}"


def _row(call: Call, agent: Agent) -> dict[str, Any]:
    ended = [orjson.loads(record) for record in call.glance("lifecycle")]
    singles = {kind: _single(call.glance(kind)) for kind in SINGLES}
    row: dict[str, Any] = {"call_id": call.call_id, "agent_extension_id": call.agent_extension_id}
    row["agent"] = orjson.Fragment(agent_wire(agent))
    outcome = ended[-1].get("outcome") if ended else None
    return row | singles | {"outcome": outcome, "alerts": len(call.glance("alert"))}


def _call(call: CallSnapshot, agent: Agent) -> bytes:
    if call.wire is None:
        wire: dict[str, Any] = {
            "call_id": call.call_id, "detail": call.detail, "agent_extension_id": call.agent_extension_id
        }  # fmt: skip
        wire |= {kind: _single(call.records.get(kind, ())) for kind in SINGLES}
        wire |= {name: [orjson.Fragment(r) for r in call.records.get(kind, ())] for kind, name in LISTS.items()}
        call.wire = orjson.dumps(wire)[:-1] + b',"agent":'
    return call.wire + agent_wire(agent) + b"}"


def _single(records: tuple[bytes, ...]) -> orjson.Fragment | None:
    return orjson.Fragment(records[-1]) if records else None
