"""What screens ask for, read from JSON text as PROTOCOL.md describes it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeVar

import msgspec

from services.assist_gateway.domain.board import Detail
from services.assist_gateway.domain.reach import Lane

MAX_MESSAGE_BYTES = 262_144
"""A screen that resumes names the calls that it has."""
REASON = re.compile(r"[a-z0-9_]{0,40}")
LANE = re.compile(r"([a-z]{1,16})([0-9]{1,6})")
WORD_OF_CURSOR = re.compile(r"([a-z]{1,16}[0-9]{1,6})\.(-?[0-9]{1,18})")
RequestT = TypeVar("RequestT")
Offset = Annotated[int, msgspec.Meta(ge=-1, le=2**62)]


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The first message, where no header brings the token."""

    token: str


class NewToken(msgspec.Struct, frozen=True, tag="token"):
    """The token that follows the one that is about to expire."""

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


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Show what was missed since the cursor of the calls that the screen still has, and all else that it wants."""

    cursor: dict[str, Offset]
    calls: dict[str, Literal["overview", "full"]]
    watch_all: Literal["overview", "full"] | None = None
    watch: tuple[str, ...] = ()


class Feedback(msgspec.Struct, frozen=True, tag="feedback"):
    """What became of a suggestion."""

    suggestion_id: str
    action: Literal["shown", "accepted", "dismissed"]
    reason: str = ""


class Listen(msgspec.Struct, frozen=True, tag="listen"):
    """Let it be heard."""

    call_id: str


class Unlisten(msgspec.Struct, frozen=True, tag="unlisten"):
    """No more."""


Request = Watch | Unwatch | WatchAll | Resume | Feedback | Listen | Unlisten | NewToken


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


def parse_feedback(body: bytes) -> Feedback:
    """The body of `POST /v1/feedback`; raises BadRequest."""
    request = parse(body.decode("utf-8", "replace"))
    if not isinstance(request, Feedback):
        raise BadRequest
    return request


def cursor_from(wire: dict[str, int]) -> dict[Lane, int]:
    """A cursor as screens keep it; raises ValueError for lanes that no gateway has named."""
    cursor = {}
    for name, offset in wire.items():
        lane = LANE.fullmatch(name)
        if lane is None:
            raise ValueError(name)
        cursor[lane[1], int(lane[2])] = offset
    return cursor


def word_of(cursor: dict[str, int], held: dict[str, Detail]) -> str:
    """A cursor, and what calls the reader has, in one word for `id` lines of server-sent events."""
    lanes = "_".join(f"{lane}.{offset}" for lane, offset in cursor.items())
    calls = "_".join(f"{detail[0]}.{call_id.encode().hex()}" for call_id, detail in held.items())
    return f"{lanes}~{calls}"


def read_word(word: str) -> tuple[dict[str, int], dict[str, Detail]]:
    """The other way round; raises ValueError."""
    lanes, _, calls = word.partition("~")
    cursor, held = {}, {}
    for pair in filter(None, lanes.split("_")):
        match = WORD_OF_CURSOR.fullmatch(pair)
        if match is None:
            raise ValueError(pair)
        cursor[match[1]] = int(match[2])
    for pair in filter(None, calls.split("_")):
        letter, _, name = pair.partition(".")
        details: dict[str, Detail] = {"f": "full", "o": "overview"}
        if letter not in details:
            raise ValueError(pair)
        held[bytes.fromhex(name).decode()] = details[letter]
    return cursor, held


def _parse(text: str, wanted: type[RequestT]) -> RequestT:
    try:
        return msgspec.json.decode(text, type=wanted)
    except (msgspec.DecodeError, UnicodeError):
        raise BadRequest from None
