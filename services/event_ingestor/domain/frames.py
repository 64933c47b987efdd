"""The WebSocket gateway's frames: every text frame is `[meta, body?]`.

`meta` is `{type, messageId, status?, headers?, wsc?{token, sequence}}`. A notification's body is kept as the bytes
that came, so that fields nobody knows yet survive. Source: RingCentral's WebSocket documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from services.chassis.errors import Poison
from services.event_ingestor.domain.filters import served


@dataclass(frozen=True, slots=True, kw_only=True)
class Wsc:
    """The recovery cursor: what came up to `sequence` need not come again."""

    token: str
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionDetails:
    """The gateway's first frame. `recovered` is None when no recovery was tried."""

    status: int
    wsc: Wsc | None
    recovered: bool | None = None
    recovery_ms: int = 180_000
    recovery_buffer: int = 100
    absolute_ms: int = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The answer to a request of ours. For a subscription: the extensions it covers and what was disabled."""

    message_id: str
    status: int
    wsc: Wsc | None
    error_code: str = ""
    retry_after_ms: int = 0
    covered: frozenset[str] | None = None
    disabled: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A notification as it came."""

    raw: bytes
    wsc: Wsc | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A heartbeat, or a frame of a type that is not known yet: a sign of life."""

    wsc: Wsc | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayError:
    """The gateway gives up on the connection: WSG-902 idle, WSG-903 too old, and others."""

    code: str
    wsc: Wsc | None


Frame = ConnectionDetails | Reply | Notification | Beat | GatewayError


class _Wsc(msgspec.Struct):
    token: str
    sequence: int = 0


class _Meta(msgspec.Struct, rename="camel"):
    type: str
    message_id: str = ""
    status: int = 200
    headers: dict[str, Any] | None = None
    wsc: _Wsc | None = None


def parse(text: str | bytes) -> Frame:
    """The frame in a message. Raises Poison(`bad_frame`)."""
    try:
        parts = msgspec.json.decode(text, type=list[msgspec.Raw])
        meta = msgspec.json.decode(parts[0], type=_Meta)
    except (msgspec.MsgspecError, IndexError, UnicodeError):
        raise Poison("bad_frame", "wants [meta, body]") from None
    wsc = Wsc(token=meta.wsc.token, sequence=meta.wsc.sequence) if meta.wsc is not None else None
    if meta.type == "ServerNotification":
        if len(parts) < 2:
            raise Poison("bad_frame", "a notification without a body")
        return Notification(raw=bytes(parts[1]), wsc=wsc)
    body = _object(parts[1]) if len(parts) > 1 else {}
    match meta.type:
        case "ConnectionDetails":
            return _details(meta.status, body, wsc)
        case "ClientRequest":
            return _reply(meta, body, wsc)
        case "Error":
            return GatewayError(code=_code(body) or str(meta.status), wsc=wsc)
        case _:
            return Beat(wsc=wsc)


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    try:
        body = msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return {}
    return body if isinstance(body, dict) else {}


def _details(status: int, body: dict[str, Any], wsc: Wsc | None) -> ConnectionDetails:
    state = body.get("recoveryState")
    return ConnectionDetails(
        status=status,
        wsc=wsc,
        recovered=None if state is None else state == "Successful",
        recovery_ms=_number(body, "recoveryTimeout", 180) * 1000,
        recovery_buffer=_number(body, "recoveryBufferSize", 100),
        absolute_ms=_number(body, "absoluteTimeout", 86_400) * 1000,
    )


def _reply(meta: _Meta, body: dict[str, Any], wsc: Wsc | None) -> Reply:
    covered, disabled = served(body)
    headers = {str(name).lower(): value for name, value in (meta.headers or {}).items()}
    retry_after = str(headers.get("retry-after", ""))
    return Reply(
        message_id=meta.message_id,
        status=meta.status,
        wsc=wsc,
        error_code=_code(body),
        retry_after_ms=int(retry_after) * 1000 if retry_after.isdecimal() else 0,
        covered=covered,
        disabled=disabled,
    )


def _code(body: dict[str, Any]) -> str:
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    return str(first.get("errorCode") or body.get("errorCode") or "")


def _number(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    return int(value) if isinstance(value, int | float) and value > 0 else default
