"""REST through the WebSocket gateway: one ClientRequest becomes one in-process ASGI request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.types import ASGIApp, Message

SCOPE_CHANNEL = "ringcentral_sim.channel_id"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, lower-cased headers, decoded JSON body (None when empty)."""

    status: int
    headers: dict[str, str]
    body: Any


async def call_app(app: ASGIApp, *, method: str, path: str, token: str, body: Any, channel_id: str, host: str) -> Reply:
    """Run `app` on a request of the channel's owner; its id travels in the scope, out of clients' reach."""
    parts = urlsplit(path)
    payload = b"" if body is None else json.dumps(body).encode()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method.upper(),
        "scheme": "http",
        "path": unquote(parts.path).rstrip("/") or "/",
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [
            (b"host", host.encode()),
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
        ],
        "client": None,
        "server": None,
        SCOPE_CHANNEL: channel_id,
    }
    sent: list[Message] = []
    requests = iter([{"type": "http.request", "body": payload, "more_body": False}])

    async def receive() -> Message:
        return next(requests, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next(m for m in sent if m["type"] == "http.response.start")
    raw = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    headers = {k.decode().lower(): v.decode() for k, v in start["headers"]}
    return Reply(start["status"], headers, _decoded(raw))


def _decoded(raw: bytes) -> Any:
    """What is no JSON travels as text, as a load balancer's error page does."""
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
