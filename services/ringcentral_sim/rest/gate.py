"""The gate before every REST endpoint: token, rate limit, permission, and errors put into words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from services.ringcentral_sim.domain.company import APP_PERMISSIONS, Extension
from services.ringcentral_sim.domain.errors import ApiError, not_found
from services.ringcentral_sim.domain.rate_limit import Verdict
from services.ringcentral_sim.domain.tokens import Grant
from services.ringcentral_sim.events.tunnel import SCOPE_CHANNEL
from services.ringcentral_sim.world import World

API = "/restapi/v1.0"
ACCOUNT = API + "/account/{account}"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the extension that the token belongs to."""

    extension: Extension
    grant: Grant


Handler = Callable[[World, Request, Caller], Awaitable[Response]]


def guarded(world: World, method: str, path: str, group: str, permission: str | None, handler: Handler) -> Route:
    """A route that authenticates, counts against `group`, checks `permission` and words errors."""

    async def endpoint(request: Request) -> Response:
        verdict: Verdict | None = None
        try:
            grant = world.tokens.authenticate(bearer(request), world.clock.monotonic())
            extension = world.company.extensions[grant.owner_id]
            verdict = spend(world, extension.id, group, request)
            await disturb(world, request)
            account = request.path_params.get("account", "~")
            if account not in ("~", world.company.account_id):
                raise not_found("accountId", account)
            if permission is not None:
                permit(world, extension, permission)
            reply = await handler(world, request, Caller(extension, grant))
        except ApiError as error:
            reply = worded(world, error)
        world.counters.requests += 1
        if verdict is not None:
            reply.headers.update(verdict.headers())
        reply.headers["RCRequestId"] = world.new_id("rc")
        return cut_short(world, request, reply)

    return Route(path, endpoint, methods=[method], name=f"{method} {path}")


def permit(world: World, extension: Extension, permission: str) -> None:
    """403 CMN-401 when the app lacks the permission, CMN-408 when the user does."""
    if permission in APP_PERMISSIONS and permission not in app_permissions(world):
        raise ApiError(403, "CMN-401", f"In order to call this API endpoint, application needs [{permission}]")
    if permission not in extension.permissions:
        raise ApiError(403, "CMN-408", f"In order to call this API endpoint, user needs [{permission}]")


def app_permissions(world: World) -> frozenset[str]:
    """What the app is allowed."""
    return frozenset(world.settings.app_permissions.replace(",", " ").split())


def spend(world: World, user: str, group: str, request: Request) -> Verdict:
    """Count one request of the user; 429 CMN-301 when the window, the penalty or a fault forbids it."""
    now = world.clock.monotonic()
    verdict = world.limiter.check(user, group, now)
    if verdict.allowed and world.faults.hits("rate_storm", now, session_of(request)):
        verdict = world.limiter.punish(user, group, now)
    elif not verdict.allowed:
        world.counters.rate_limit_violations += 1
        world.counters.penalty_violations += verdict.announced
    if not verdict.allowed:
        raise ApiError(429, "CMN-301", "Request rate exceeded", headers=verdict.headers())
    return verdict


def session_of(request: Request) -> str | None:
    """The call that the request is about."""
    found = request.path_params.get("session")
    return str(found) if found is not None else None


async def disturb(world: World, request: Request) -> None:
    """Faults before the work: a slow platform, or one that fails without having done anything."""
    now, call_id = world.clock.monotonic(), session_of(request)
    if world.faults.hits("http_slow", now, call_id):
        await world.clock.sleep(world.faults.slow_s)
    if world.faults.hits("http_error", now, call_id):
        raise ApiError(world.faults.http_error(), "CMN-201", "Service is temporarily unavailable")


def cut_short(world: World, request: Request, reply: Response) -> Response:
    """Fault after the work: it is done, but only half of the reply reaches the client."""
    tunnelled = SCOPE_CHANNEL in request.scope
    if tunnelled or len(reply.body) < 2:
        return reply
    if not world.faults.hits("http_half", world.clock.monotonic(), session_of(request)):
        return reply
    return HalfReply(reply)


class HalfReply(Response):
    """Headers promise the whole body, half of it is sent, and the server closes the connection."""

    def __init__(self, whole: Response) -> None:
        super().__init__(status_code=whole.status_code)
        self.raw_headers = whole.raw_headers
        self._half = bytes(whole.body[: len(whole.body) // 2])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Leave the last message open: a server then drops the connection."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._half, "more_body": True})


def worded(world: World, error: ApiError) -> Response:
    """The error in the shape that is switched on; the token endpoint keeps to OAuth's own."""
    shape = world.faults.shape()
    if error.oauth is None and shape == "html":
        return HTMLResponse(error.text(), status_code=error.status, headers=error.headers)
    if error.oauth is None and shape == "empty":
        return Response(status_code=error.status, headers=error.headers)
    return JSONResponse(error.body(shape), status_code=error.status, headers=error.headers)


def bearer(request: Request) -> str:
    """The access token, or 401 CMN-405."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError(401, "CMN-405", "Login to the RingCentral account is required")
    return token.strip()


async def json_object(request: Request) -> dict[str, Any]:
    """The body as an object; 400 CMN-103 when it is not."""
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        raise ApiError(400, "CMN-103", "Parameter [Body] is not valid JSON") from None
    if not isinstance(body, dict):
        raise ApiError(400, "CMN-103", "Parameter [Body] is not a JSON object")
    return body


def text_field(body: dict[str, Any], *names: str) -> str:
    """The first of the names that is there, as text; 400 CMN-101 when none is."""
    for name in names:
        if isinstance(body.get(name), str | int) and str(body[name]):
            return str(body[name])
    raise ApiError(400, "CMN-101", f"Parameter [{names[0]}] is required", names[0])


def base_url(world: World, request: Request) -> str:
    """Where the simulator says it lives, without a slash at the end."""
    return world.settings.public_url.rstrip("/") or f"http://{request.headers.get('host', 'localhost')}"
