"""The HTTP side: who may ask, what answers, the console's files, and headers that allow a page nothing but its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.assist_gateway.adapters import protocol, requests
from services.assist_gateway.adapters.calls import Calls
from services.assist_gateway.adapters.door import STARTING, Door
from services.assist_gateway.adapters.events import Events
from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.adapters.playback import Playback
from services.assist_gateway.adapters.requests import BadRequest
from services.assist_gateway.adapters.screens import Screens, take_feedback
from services.assist_gateway.adapters.tokens import Admitted, BadToken
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.listening import ListenIn
from services.chassis.clock import format_utc
from services.chassis.errors import Transient

NOT_BUILT = "The web console is not built yet: run `make ui`.\n"
TRY_AGAIN = {STARTING, "keys_unavailable"}
BODY_BYTES = 16_384
EMBED = "/embed.js"
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; media-src 'self' blob:; worker-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class SecurityHeaders:
    """ASGI middleware that adds them to every HTTP response; pages of allowed origins may load the embedded element."""

    def __init__(self, app: ASGIApp, embeddable: bool) -> None:
        self._app = app
        self._embeddable = embeddable

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                if self._embeddable and (scope["path"] == EMBED or scope["path"].startswith("/v1/")):
                    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class TicketFor(msgspec.Struct, frozen=True):
    """The body of `POST /v1/tickets`."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What answers requests."""

    floor: Floor
    listening: ListenIn
    door: Door
    journal: TopicJournal
    screens: Screens
    events: Events
    calls: Calls
    playback: Playback


Answer = Callable[[Request, Admitted], Awaitable[Response]]


class Api:
    """The requests below `/v1`, each with a token."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def guarded(self, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
        """An endpoint that lets nobody in without a token or ticket."""

        async def endpoint(request: Request) -> Response:
            ticket = request.query_params.get("ticket", "")
            path = request.scope["path"]
            try:
                admitted = await self._parts.door.admit_request(request.headers.get("authorization", ""), ticket, path)
                return await answer(request, admitted)
            except BadToken as bad:
                if bad.code in TRY_AGAIN:
                    return _refusal(503, bad.code, {"Retry-After": "2"})
                return _refusal(401, bad.code, {"WWW-Authenticate": "Bearer"})
            except Transient:
                return _refusal(503, "unavailable", {"Retry-After": "2"})
            except (BadRequest, ValueError):
                return _refusal(400, "bad_request")

        return endpoint

    async def me(self, request: Request, admitted: Admitted) -> Response:
        """Who the token says it is."""
        viewer = admitted.viewer
        name = self._parts.floor.agent(viewer.extension_id).name
        may_listen = self._parts.listening.may_listen(viewer)
        return JSONResponse({"viewer": protocol.viewer_wire(viewer, name), "may_listen": may_listen})

    async def calls(self, request: Request, admitted: Admitted) -> Response:
        """A page of calls."""
        return _json(self._parts.calls.page(admitted.viewer, request.query_params))

    async def call(self, request: Request, admitted: Admitted) -> Response:
        """One call."""
        call_id = request.path_params["call_id"]
        found = await self._parts.calls.one(admitted.viewer, call_id)
        return _refusal(404, "not_permitted", call_id=call_id) if found is None else _json(found)

    async def recording(self, request: Request, admitted: Admitted) -> Response:
        """Its recording."""
        return await self._parts.playback.serve(request, admitted.viewer, request.path_params["call_id"])

    async def events(self, request: Request, admitted: Admitted) -> Response:
        """Server-sent events."""
        stream = self._parts.events.serve(request, admitted)
        if stream is None:
            self._parts.journal.refused(admitted.viewer, request.query_params.get("call_id", ""), "not_permitted")
            return _refusal(404, "not_permitted")
        return stream

    async def ticket(self, request: Request, admitted: Admitted) -> Response:
        """A ticket for a path."""
        try:
            path = unquote(msgspec.json.decode(await _body(request), type=TicketFor).path)
        except msgspec.DecodeError:
            raise BadRequest from None
        if not path.startswith("/v1/") or "?" in path:
            raise BadRequest
        ticket, expires_at_s = self._parts.door.ticket(admitted, path)
        url = f"{quote(path)}?ticket={ticket}"
        return JSONResponse({"url": url, "expires_at": format_utc(datetime.fromtimestamp(expires_at_s, UTC))})

    async def feedback(self, request: Request, admitted: Admitted) -> Response:
        """Feedback from whoever has no WebSocket."""
        said = requests.parse_feedback(await _body(request))
        if not take_feedback(self._parts.floor, self._parts.journal, admitted.viewer, said):
            self._parts.journal.refused(admitted.viewer, "", "unknown_suggestion")
            return _refusal(404, "unknown_suggestion")
        return Response(status_code=204)

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/v1/me", self.guarded(self.me)),
            Route("/v1/calls", self.guarded(self.calls)),
            Route("/v1/calls/{call_id}", self.guarded(self.call)),
            Route("/v1/calls/{call_id}/recording", self.guarded(self.recording), methods=["GET", "HEAD"]),
            Route("/v1/events", self.guarded(self.events)),
            Route("/v1/tickets", self.guarded(self.ticket), methods=["POST"]),
            Route("/v1/feedback", self.guarded(self.feedback), methods=["POST"]),
        ]


def web_app(parts: Parts, *, console_dir: Path, allowed_origins: Collection[str] = ()) -> Starlette:
    """The ASGI application: `/v1/…`, and the console on `/`."""

    async def not_built(request: Request) -> Response:
        return PlainTextResponse(NOT_BUILT, status_code=503)

    built = (console_dir / "index.html").is_file()
    page = Mount("/", StaticFiles(directory=console_dir, html=True)) if built else Route("/", not_built)
    middleware = [Middleware(SecurityHeaders, embeddable=bool(allowed_origins))]
    if allowed_origins:
        middleware.append(
            Middleware(
                CORSMiddleware, allow_origins=list(allowed_origins), allow_methods=["GET", "HEAD", "POST"],
                allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "Range"],
                expose_headers=["Accept-Ranges", "Content-Range", "Content-Length", "Retry-After"],
            )
        )  # fmt: skip
    routes = [WebSocketRoute("/v1/ws", parts.screens.serve), *Api(parts).routes(), page]
    return Starlette(routes=routes, middleware=middleware)


async def _body(request: Request) -> bytes:
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > BODY_BYTES:
                raise BadRequest
    except ClientDisconnect:
        raise BadRequest from None
    return body


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _refusal(status: int, code: str, headers: dict[str, str] | None = None, call_id: str = "") -> Response:
    answer: dict[str, Any] = protocol.error(code, call_id)
    return JSONResponse(answer, status_code=status, headers=headers)
