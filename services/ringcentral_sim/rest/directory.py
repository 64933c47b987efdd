"""Extensions, devices, sip-info and sip-provision."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.domain.company import Device, Extension
from services.ringcentral_sim.domain.errors import ApiError, not_found
from services.ringcentral_sim.domain.paging import page_of
from services.ringcentral_sim.rest.gate import ACCOUNT, API, Caller, base_url, guarded, json_object
from services.ringcentral_sim.world import World


def routes(world: World) -> list[Route]:
    """Read-only calls on the company's directory."""
    one = ACCOUNT + "/extension/{extension}"
    return [
        guarded(world, "GET", ACCOUNT, "light", "ReadAccounts", _account),
        guarded(world, "GET", ACCOUNT + "/extension", "medium", "ReadAccounts", _extensions),
        guarded(world, "GET", one, "light", "ReadAccounts", _extension),
        guarded(world, "GET", one + "/device", "light", "ReadAccounts", _devices),
        guarded(world, "GET", ACCOUNT + "/device/{device}", "light", "ReadCompanyDevices", _device),
        guarded(world, "GET", ACCOUNT + "/device/{device}/sip-info", "light", "ReadCompanyDevices", _sip_info),
        guarded(world, "POST", API + "/client-info/sip-provision", "heavy", "VoipCalling", _sip_provision),
    ]


def account_url(world: World, request: Request) -> str:
    """Absolute URL of the account resource."""
    return f"{base_url(world, request)}{API}/account/{world.company.account_id}"


def extension_of(world: World, request: Request, caller: Caller) -> Extension:
    """The extension that the path names; `~` is the caller's own."""
    named = request.path_params["extension"]
    found = caller.extension if named == "~" else world.company.extensions.get(named)
    if found is None:
        raise not_found("extensionId", named)
    return found


async def _account(world: World, request: Request, caller: Caller) -> Response:
    company = world.company
    return JSONResponse(
        {
            "uri": account_url(world, request),
            "id": int(company.account_id),
            "mainNumber": company.main_number,
            "status": "Confirmed",
        }
    )


async def _extensions(world: World, request: Request, caller: Caller) -> Response:
    query = dict(request.query_params)
    shown = [
        _extension_body(world, request, e)
        for e in world.company.extensions.values()
        if query.get("type", e.type) == e.type and query.get("status", e.status) == e.status
    ]
    return JSONResponse(page_of(shown, account_url(world, request) + "/extension", query))


async def _extension(world: World, request: Request, caller: Caller) -> Response:
    return JSONResponse(_extension_body(world, request, extension_of(world, request, caller)))


def _extension_body(world: World, request: Request, extension: Extension) -> dict[str, Any]:
    first, _, last = extension.name.partition(" ")
    return {
        "uri": f"{account_url(world, request)}/extension/{extension.id}",
        "id": int(extension.id),
        "extensionNumber": extension.number,
        "name": extension.name,
        "contact": {"firstName": first, "lastName": last, "businessPhone": extension.direct_number},
        "type": extension.type,
        "status": extension.status,
        "permissions": {"admin": {"enabled": extension.admin}, "internationalCalling": {"enabled": False}},
    }


async def _devices(world: World, request: Request, caller: Caller) -> Response:
    extension = extension_of(world, request, caller)
    query = dict(request.query_params)
    shown = [
        _device_body(world, request, d)
        for d in world.company.devices_of(extension.id)
        if query.get("type", d.type) == d.type
    ]
    url = f"{account_url(world, request)}/extension/{extension.id}/device"
    return JSONResponse(page_of(shown, url, query))


async def _device(world: World, request: Request, caller: Caller) -> Response:
    return JSONResponse(_device_body(world, request, _known_device(world, request)))


def _known_device(world: World, request: Request) -> Device:
    named = request.path_params["device"]
    device = world.company.devices.get(named)
    if device is None:
        raise not_found("deviceId", named)
    return device


def _device_body(world: World, request: Request, device: Device) -> dict[str, Any]:
    owner = world.company.extensions[device.extension_id]
    url = account_url(world, request)
    return {
        "uri": f"{url}/device/{device.id}",
        "id": device.id,
        "type": device.type,
        "sku": "DV-1",
        "name": device.name,
        "status": "Online" if world.legs.online(device.id) else "Offline",
        "extension": {
            "id": int(owner.id),
            "uri": f"{url}/extension/{owner.id}",
            "extensionNumber": owner.number,
        },
        "phoneLines": [],
        "linePooling": "None",
    }


async def _sip_info(world: World, request: Request, caller: Caller) -> Response:
    device = _known_device(world, request)
    if not device.password:
        raise ApiError(400, "CMN-101", "The device has no SIP credentials", "deviceId", device.id)
    proxy, proxy_tls = proxies(world)
    return JSONResponse(
        {
            "domain": world.company.sip_domain,
            "userName": device.user_name,
            "password": device.password,
            "authorizationId": device.id,
            "outboundProxies": [{"region": "NA", "proxy": proxy, "proxyTLS": proxy_tls}],
        }
    )


def proxies(world: World) -> tuple[str, str]:
    """`host:port` of the SIP server over UDP/TCP and over TLS, as bound; empty where it is off."""
    bound = world.sip_addresses
    plain = bound.udp or bound.tcp

    def shown(address: tuple[str, int] | None) -> str:
        return f"{address[0]}:{address[1]}" if address else ""

    return shown(plain), shown(bound.tls)


async def _sip_provision(world: World, request: Request, caller: Caller) -> Response:
    asked = (await json_object(request)).get("sipInfo") or [{}]
    transport = str(asked[0].get("transport", "UDP")).upper()
    if transport not in ("UDP", "TCP", "TLS"):
        raise ApiError(400, "SPR-101", "The transport is not supported", "transport", transport)
    owned = [d for d in world.company.devices_of(caller.extension.id) if d.password]
    if not owned:
        raise ApiError(403, "SPR-131", "The extension has no device that can be provisioned")
    device, (proxy, proxy_tls) = owned[-1], proxies(world)
    sip_info = {
        "transport": transport,
        "username": device.user_name,
        "password": device.password,
        "authorizationTypes": ["SipDigest"],
        "authorizationId": device.id,
        "domain": world.company.sip_domain,
        "outboundProxy": proxy_tls if transport == "TLS" else proxy,
    }
    flags = {"voipFeatureEnabled": True, "voipCountryBlocked": False, "outboundCallsEnabled": True}
    return JSONResponse(
        {
            "device": _device_body(world, request, device) | {"type": "WebPhone", "status": "Online"},
            "sipInfo": [sip_info],
            "sipInfoPstn": [],
            "sipFlags": flags | {"dscpEnabled": False, "dscpSignaling": 26, "dscpVoice": 46, "dscpVideo": 34},
            "sipErrorCodes": ["408"],
        }
    )
