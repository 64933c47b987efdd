"""The HTTP side: list of calls, the console's files, and headers that allow a page nothing but its own."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.assist_gateway.adapters import protocol
from services.assist_gateway.adapters.screens import Screens
from services.assist_gateway.adapters.tokens import BadToken, Tokens, bearer
from services.assist_gateway.domain.floor import Floor

NOT_BUILT = "The web console is not built yet: run `make ui`.\n"
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
    """ASGI middleware that adds them to every HTTP response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def web_app(*, floor: Floor, tokens: Tokens, screens: Screens, console_dir: Path) -> Starlette:
    """The ASGI application: `/v1/ws`, `/v1/calls`, and the console on `/`."""

    async def calls(request: Request) -> Response:
        try:
            admitted = tokens.read(bearer(request.headers.get("authorization", "")))
        except BadToken as bad:
            headers = {"WWW-Authenticate": "Bearer"}
            return JSONResponse(protocol.error(bad.code), status_code=401, headers=headers)
        return Response(protocol.listed(floor.calls_for(admitted.viewer)), media_type="application/json")

    async def not_built(request: Request) -> Response:
        return PlainTextResponse(NOT_BUILT, status_code=503)

    built = (console_dir / "index.html").is_file()
    page = Mount("/", StaticFiles(directory=console_dir, html=True)) if built else Route("/", not_built)
    return Starlette(
        routes=[WebSocketRoute("/v1/ws", screens.serve), Route("/v1/calls", calls), page],
        middleware=[Middleware(SecurityHeaders)],
    )
