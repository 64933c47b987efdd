"""Subscription create, list, read, replace, renew and delete."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.domain.errors import ApiError
from services.ringcentral_sim.domain.filters import Filter
from services.ringcentral_sim.domain.subscriptions import (
    DEFAULT_LIFETIME_S,
    WEBHOOK_MAX_S,
    Refused,
    Subscription,
    sort_filters,
)
from services.ringcentral_sim.events.tunnel import SCOPE_CHANNEL
from services.ringcentral_sim.rest.gate import API, Caller, app_permissions, guarded, json_object, permit
from services.ringcentral_sim.world import World


def routes(world: World) -> list[Route]:
    """Six calls on /subscription; create also answers with a slash at the end, as clients write it."""
    many, one = API + "/subscription", API + "/subscription/{subscription}"
    return [
        guarded(world, "POST", many, "medium", None, _create),
        guarded(world, "POST", many + "/", "medium", None, _create),
        guarded(world, "GET", many, "light", None, _list),
        guarded(world, "GET", one, "light", None, _get),
        guarded(world, "PUT", one, "medium", None, _replace),
        guarded(world, "POST", one + "/renew", "light", None, _renew),
        guarded(world, "DELETE", one, "medium", None, _delete),
    ]


def _filters(world: World, caller: Caller, body: dict[str, Any]) -> tuple[tuple[Filter, ...], tuple[Refused, ...]]:
    texts = body.get("eventFilters")
    if not isinstance(texts, list) or not texts or not all(isinstance(t, str) for t in texts):
        raise ApiError(400, "CMN-101", "Parameter [eventFilters] is required", "eventFilters")
    return sort_filters(
        texts,
        account_id=world.company.account_id,
        own_id=caller.extension.id,
        extension_ids=frozenset(world.company.extensions),
        disabled=world.faults.disabled_filters,
        permissions=app_permissions(world),
        most=world.settings.max_filters,
    )


def _lifetime_s(body: dict[str, Any], default: int) -> int:
    asked = body.get("expiresIn", default)
    if not isinstance(asked, int) or asked < 1:
        raise ApiError(400, "CMN-101", "Parameter [expiresIn] is invalid", "expiresIn", str(asked))
    return min(asked, WEBHOOK_MAX_S)


async def _create(world: World, request: Request, caller: Caller) -> Response:
    body = await json_object(request)
    filters, refused = _filters(world, caller, body)
    delivery = body.get("deliveryMode")
    mode = delivery if isinstance(delivery, dict) else {}
    now = world.clock.now()
    lifetime = _lifetime_s(body, DEFAULT_LIFETIME_S)
    subscription = Subscription(
        id=world.new_id("uuid"),
        owner_id=caller.extension.id,
        filters=filters,
        disabled=refused,
        transport="WebSocket" if mode.get("transportType") == "WebSocket" else "WebHook",
        created=now,
        lifetime_s=lifetime,
        expires=now + timedelta(seconds=lifetime),
    )
    match mode.get("transportType"):
        case "WebHook":
            permit(world, caller.extension, "SubscriptionWebhook")
            subscription.address = str(mode.get("address", ""))
            token = mode.get("verificationToken")
            subscription.verification_token = str(token) if token else None
            await world.webhooks.validate(subscription.address, world.new_id("validation"))
            world.subscriptions.add(subscription, now)
        case "WebSocket":
            _bind(world, request, subscription)
        case other:
            raise ApiError(400, "CMN-101", "Parameter [transportType] is invalid", "transportType", str(other))
    reply = JSONResponse(subscription.info(now))
    if subscription.transport == "WebSocket":
        reply.headers["WSG-SubscriptionId"] = subscription.id
    return reply


def _bind(world: World, request: Request, subscription: Subscription) -> None:
    channel_id = request.scope.get(SCOPE_CHANNEL)
    if channel_id is None:
        raise ApiError(
            400,
            "CMN-101",
            "WebSocket subscriptions are made on a WebSocket connection",
            "transportType",
            "WebSocket",
        )
    subscription.channel_id = channel_id
    world.subscriptions.add(subscription, world.clock.now())
    world.gateway.bind(channel_id, subscription.id)


def _mine(world: World, request: Request, caller: Caller) -> Subscription:
    return world.subscriptions.get(request.path_params["subscription"], caller.extension.id, world.clock.now())


async def _list(world: World, request: Request, caller: Caller) -> Response:
    now = world.clock.now()
    world.subscriptions.drop_expired(now)
    mine = [s.info(now) for s in world.subscriptions.items.values() if s.owner_id == caller.extension.id]
    return JSONResponse({"uri": f"{API}/subscription", "records": mine})


async def _get(world: World, request: Request, caller: Caller) -> Response:
    return JSONResponse(_mine(world, request, caller).info(world.clock.now()))


async def _replace(world: World, request: Request, caller: Caller) -> Response:
    subscription = _mine(world, request, caller)
    if subscription.transport == "WebSocket":
        raise ApiError(400, "CMN-101", "A WebSocket subscription cannot be updated", "transportType", "WebSocket")
    _not_suspended(subscription)
    body = await json_object(request)
    filters, refused = _filters(world, caller, body)
    mode = body.get("deliveryMode")
    if isinstance(mode, dict) and mode.get("verificationToken"):
        subscription.verification_token = str(mode["verificationToken"])
    address = str(mode["address"]) if isinstance(mode, dict) and mode.get("address") else subscription.address
    if address != subscription.address:
        await world.webhooks.validate(address, world.new_id("validation"))
    subscription.filters, subscription.disabled, subscription.address = filters, refused, address
    subscription.lifetime_s = _lifetime_s(body, subscription.lifetime_s)
    subscription.renew(world.clock.now())
    return JSONResponse(subscription.info(world.clock.now()))


async def _renew(world: World, request: Request, caller: Caller) -> Response:
    subscription = _mine(world, request, caller)
    _not_suspended(subscription)
    subscription.renew(world.clock.now())
    return JSONResponse(subscription.info(world.clock.now()))


def _not_suspended(subscription: Subscription) -> None:
    if subscription.status == "Blacklisted":
        raise ApiError(400, "SUB-525", "The subscription is suspended: delete it and create another")


async def _delete(world: World, request: Request, caller: Caller) -> Response:
    del world.subscriptions.items[_mine(world, request, caller).id]
    return Response(status_code=204)
