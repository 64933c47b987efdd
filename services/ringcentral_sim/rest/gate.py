"""The gate before every REST endpoint: token, rate limit, permission, and errors put into words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.domain.company import Extension
from services.ringcentral_sim.domain.errors import ApiError, not_found
from services.ringcentral_sim.domain.rate_limit import Verdict
from services.ringcentral_sim.domain.tokens import Grant
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
            verdict = spend(world, extension.id, group)
            account = request.path_params.get("account", "~")
            if account not in ("~", world.company.account_id):
                raise not_found("accountId", account)
            if permission is not None and permission not in extension.permissions:
                raise ApiError(403, "CMN-408", f"In order to call this API endpoint, user needs [{permission}]")
            reply = await handler(world, request, Caller(extension, grant))
        except ApiError as error:
            reply = worded(world, error)
        world.counters.requests += 1
        if verdict is not None:
            reply.headers.update(verdict.headers())
        reply.headers["RCRequestId"] = world.new_id("rc")
        return reply

    return Route(path, endpoint, methods=[method], name=f"{method} {path}")


def spend(world: World, user: str, group: str) -> Verdict:
    """Count one request of the user; 429 CMN-301 when the window or the penalty forbids it."""
    verdict = world.limiter.check(user, group, world.clock.monotonic())
    if not verdict.allowed:
        world.counters.rate_limit_violations += 1
        raise ApiError(429, "CMN-301", "Request rate exceeded", headers=verdict.headers())
    return verdict


def worded(world: World, error: ApiError) -> Response:
    """The error as JSON in the shape that is switched on."""
    return JSONResponse(error.body(world.faults.error_shape), status_code=error.status, headers=error.headers)


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
