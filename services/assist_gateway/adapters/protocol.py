"""Messages to and from screens as JSON text: the wire form that PROTOCOL.md describes."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeVar

import msgspec
import orjson

from services.assist_gateway.domain.board import Call, CallSnapshot, Kind
from services.assist_gateway.domain.session import Changed, Gone, Message, Refused, Skipped, Snapshot

MAX_MESSAGE_BYTES = 16_384
REASON = re.compile(r"[a-z0-9_]{0,40}")
LISTS: dict[Kind, str] = {
    "lifecycle": "lifecycle", "utterance": "utterances", "transcript_leg": "transcript_legs",
    "suggestion": "suggestions", "feedback": "feedback", "insight": "insights", "alert": "alerts",
    "supervision": "supervision", "leg": "legs",
}  # fmt: skip
SINGLES: tuple[Kind, ...] = ("state", "summary", "recording")
RequestT = TypeVar("RequestT")


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first message, where no header brings the token."""

    token: str


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Show a call in full."""

    call_id: str


class Unwatch(msgspec.Struct, frozen=True, tag="unwatch"):
    """Show it no more."""

    call_id: str


class WatchAll(msgspec.Struct, frozen=True, tag="watch_all"):
    """Show all calls that may be seen; `overview` leaves out what was said."""

    detail: Literal["overview", "full"] = "full"


class Feedback(msgspec.Struct, frozen=True, tag="feedback"):
    """What became of a suggestion."""

    suggestion_id: str
    action: Literal["shown", "accepted", "dismissed"]
    reason: str = ""


Request = Watch | Unwatch | WatchAll | Feedback


class BadRequest(Exception):
    """The message is none of the protocol."""


def parse_hello(text: str) -> Hello:
    """The first message; raises BadRequest."""
    return _parse(text, Hello)


def parse(text: str) -> Request:
    """A request; raises BadRequest. A reason is a short code, so that no free text travels with feedback."""
    request: Request = _parse(text, Request)  # type: ignore[arg-type]
    if isinstance(request, Feedback) and not REASON.fullmatch(request.reason):
        raise BadRequest
    return request


def _parse(text: str, wanted: type[RequestT]) -> RequestT:
    try:
        return msgspec.json.decode(text, type=wanted)
    except (msgspec.DecodeError, UnicodeError):
        raise BadRequest from None


def encode(message: Message, instance: str) -> str:
    """A message to a screen. A cursor is `<instance>:<number>`: it means nothing to another gateway."""
    match message:
        case Snapshot():
            wire: dict[str, Any] = {
                "type": "snapshot",
                "cursor": f"{instance}:{message.cursor}",
                "complete": message.complete,
                "calls": [_call(call) for call in message.calls],
            }
            if message.call_id:
                wire["call_id"] = message.call_id
        case Changed(update=update):
            cursor = f"{instance}:{message.cursor}"
            wire = {"type": update.kind, "cursor": cursor, "call_id": update.call_id}
            wire["record"] = orjson.Fragment(update.record)
        case Gone():
            wire = {"type": "gone", "call_id": message.call_id}
        case Skipped():
            wire = {"type": "skipped", "count": message.count}
        case Refused():
            wire = error(message.code, message.call_id)
    return orjson.dumps(wire).decode()


def error(code: str, call_id: str = "") -> dict[str, Any]:
    """An error message; `code` is a short snake_case word."""
    return {"type": "error", "code": code} | ({"call_id": call_id} if call_id else {})


def listed(calls: list[Call]) -> bytes:
    """The answer of `GET /v1/calls`."""
    rows = [
        {"call_id": call.call_id, "agent_extension_id": call.agent_extension_id} | _singles_of(call) for call in calls
    ]
    return orjson.dumps({"calls": rows})


def _singles_of(call: Call) -> dict[str, Any]:
    return {kind: _single(call.records(kind)) for kind in SINGLES}


def _call(call: CallSnapshot) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "call_id": call.call_id, "detail": call.detail, "agent_extension_id": call.agent_extension_id
    }  # fmt: skip
    wire |= {kind: _single(call.records.get(kind, ())) for kind in SINGLES}
    return wire | {
        name: [orjson.Fragment(record) for record in call.records.get(kind, ())] for kind, name in LISTS.items()
    }


def _single(records: tuple[bytes, ...]) -> orjson.Fragment | None:
    return orjson.Fragment(records[-1]) if records else None
