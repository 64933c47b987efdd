"""/restapi/oauth: token (JWT and refresh grants), revoke, wstoken."""

from __future__ import annotations

import base64
import binascii
import hmac
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.domain.errors import ApiError
from services.ringcentral_sim.domain.tokens import ACCESS_TTL_RANGE_S, Grant
from services.ringcentral_sim.rest.gate import Caller, base_url, cut_short, disturb, guarded, spend, worded
from services.ringcentral_sim.world import World

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def routes(world: World) -> list[Route]:
    """The three OAuth calls."""

    async def token(request: Request) -> Response:
        try:
            await disturb(world, request)
            return cut_short(world, request, await _token(world, request))
        except ApiError as error:
            return worded(world, error)

    async def revoke(request: Request) -> Response:
        try:
            _check_client(world, request)
            form = await _form(request)
            world.tokens.revoke(form.get("token", request.query_params.get("token", "")))
        except ApiError as error:
            return worded(world, error)
        return Response(status_code=200)

    return [
        Route("/restapi/oauth/token", token, methods=["POST"]),
        Route("/restapi/oauth/revoke", revoke, methods=["POST"]),
        guarded(world, "POST", "/restapi/oauth/wstoken", "auth", "WebSocketsSubscription", _wstoken),
    ]


async def _token(world: World, request: Request) -> Response:
    _check_client(world, request)
    form = await _form(request)
    kind = form.get("grant_type", "")
    now = world.clock.monotonic()
    if kind == JWT_GRANT:
        owner = world.company.jwts.get(form.get("assertion", ""))
        verdict = spend(world, owner or "unknown", "auth", request)
        if owner is None:
            raise ApiError(400, "OAU-140", "Invalid assertion", oauth="invalid_grant")
        grant = world.tokens.login(owner, now, _ttl(form), _number(form, "refresh_token_ttl"))
        world.counters.logins += 1
    elif kind == "refresh_token":
        verdict = spend(world, "refresh", "auth", request)
        grant = world.tokens.refresh(form.get("refresh_token", ""), now)
    else:
        raise ApiError(400, "OAU-250", "Unsupported grant type", oauth="unsupported_grant_type")
    reply = JSONResponse(_grant_body(world, grant, now, form.get("endpoint_id") or f"ep-{grant.session_id}"))
    reply.headers.update(verdict.headers())
    return reply


def _grant_body(world: World, grant: Grant, now: float, endpoint_id: str) -> dict[str, object]:
    body: dict[str, object] = {
        "access_token": grant.access_token,
        "token_type": "bearer",
        "expires_in": world.pace.life_s(grant.access_until - now),
        "scope": world.settings.app_permissions,
        "owner_id": grant.owner_id,
        "endpoint_id": endpoint_id,
        "session_id": grant.session_id,
    }
    if grant.refresh_token is not None:
        body["refresh_token"] = grant.refresh_token
        body["refresh_token_expires_in"] = world.pace.life_s(grant.refresh_until - now)
    return body


def _check_client(world: World, request: Request) -> None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    expected = f"{world.settings.client_id}:{world.settings.client_secret}".encode()
    try:
        given = base64.b64decode(value, validate=True) if scheme.lower() == "basic" else b""
    except binascii.Error:
        given = b""
    if not hmac.compare_digest(given, expected):
        raise ApiError(401, "OAU-153", "Invalid client credentials", oauth="invalid_client")


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def _number(form: dict[str, str], name: str) -> int | None:
    raw = form.get(name)
    if raw is None:
        return None
    if not raw.isdigit():
        raise ApiError(400, "OAU-101", f"Parameter [{name}] is invalid", oauth="invalid_request")
    return int(raw)


def _ttl(form: dict[str, str]) -> int | None:
    asked = _number(form, "access_token_ttl")
    low, high = ACCESS_TTL_RANGE_S
    if asked is not None and not low <= asked <= high:
        raise ApiError(400, "OAU-101", "Parameter [access_token_ttl] is invalid", oauth="invalid_request")
    return asked


async def _wstoken(world: World, request: Request, caller: Caller) -> Response:
    ttl = world.settings.ws_token_ttl_s
    token = world.gateway.ticket(caller.extension.id, caller.grant.access_token, ttl)
    uri = "ws" + base_url(world, request).removeprefix("http") + "/ws"
    return JSONResponse({"uri": uri, "ws_access_token": token, "expires_in": world.pace.life_s(ttl)})
