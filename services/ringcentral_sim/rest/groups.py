"""The six call-monitoring-group calls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.domain.company import Group
from services.ringcentral_sim.domain.errors import ApiError, invalid, not_found
from services.ringcentral_sim.domain.paging import page_of
from services.ringcentral_sim.rest.directory import account_url
from services.ringcentral_sim.rest.gate import ACCOUNT, Caller, guarded, json_object
from services.ringcentral_sim.world import World

MEMBER_TYPES = frozenset({"User", "DigitalUser", "VirtualUser", "FaxUser", "Limited"})
PERMISSIONS = frozenset({"Monitoring", "Monitored"})
MAX_NAME = 64


def routes(world: World) -> list[Route]:
    """List, create, update, delete, members, bulk-assign."""
    many = ACCOUNT + "/call-monitoring-groups"
    one = many + "/{group}"
    return [
        guarded(world, "GET", many, "medium", "ReadAccounts", _list),
        guarded(world, "POST", many, "medium", "Groups", _create),
        guarded(world, "PUT", one, "medium", "Groups", _rename),
        guarded(world, "DELETE", one, "medium", "Groups", _delete),
        guarded(world, "GET", one + "/members", "medium", "ReadAccounts", _members),
        guarded(world, "POST", one + "/bulk-assign", "heavy", "Groups", _assign),
    ]


def _url(world: World, request: Request) -> str:
    return account_url(world, request) + "/call-monitoring-groups"


def _body(world: World, request: Request, group: Group) -> dict[str, Any]:
    return {"uri": f"{_url(world, request)}/{group.id}", "id": group.id, "name": group.name}


def _named(world: World, request: Request) -> Group:
    group_id = request.path_params["group"]
    group = world.company.groups.get(group_id)
    if group is None:
        raise not_found("groupId", group_id)
    return group


async def _list(world: World, request: Request, caller: Caller) -> Response:
    query = dict(request.query_params)
    member, site = query.get("memberExtensionId"), query.get("siteId")
    shown = [
        _body(world, request, g) | {"site": {"id": g.site_id, "name": "Main Site"}}
        for g in world.company.groups.values()
        if (member is None or member in g.members) and site in (None, g.site_id)
    ]
    return JSONResponse(page_of(shown, _url(world, request), query))


async def _create(world: World, request: Request, caller: Caller) -> Response:
    body = await json_object(request)
    name = _name(world, body)
    site = body.get("site")
    site_id = str(site.get("id", "main-site")) if isinstance(site, dict) else "main-site"
    group_id = str(max([900100, *(int(key) for key in world.company.groups)]) + 1)
    world.company.groups[group_id] = Group(group_id, name, site_id)
    return JSONResponse(_body(world, request, world.company.groups[group_id]))


async def _rename(world: World, request: Request, caller: Caller) -> Response:
    group = _named(world, request)
    renamed = replace(group, name=_name(world, await json_object(request), but=group.id))
    world.company.groups[group.id] = renamed
    return JSONResponse(_body(world, request, renamed))


def _name(world: World, body: dict[str, Any], but: str | None = None) -> str:
    name = body.get("name")
    taken = {g.name for g in world.company.groups.values() if g.id != but}
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or name in taken:
        raise invalid("name", str(name))
    return name


async def _delete(world: World, request: Request, caller: Caller) -> Response:
    del world.company.groups[_named(world, request).id]
    return Response(status_code=204)


async def _members(world: World, request: Request, caller: Caller) -> Response:
    group = _named(world, request)
    shown = [
        {
            "uri": f"{account_url(world, request)}/extension/{member}",
            "id": member,
            "extensionNumber": world.company.extensions[member].number,
            "permissions": list(permissions),
        }
        for member, permissions in group.members.items()
    ]
    return JSONResponse(page_of(shown, f"{_url(world, request)}/{group.id}/members", dict(request.query_params)))


async def _assign(world: World, request: Request, caller: Caller) -> Response:
    group = _named(world, request)
    body = await json_object(request)
    members = dict(group.members)
    for key in ("addedExtensions", "updatedExtensions"):
        for entry in _entries(body, key):
            member = _member(world, entry)
            if key == "updatedExtensions" and member not in members:
                raise not_found("extensionId", member)
            wanted = entry.get("permissions", [])
            if not isinstance(wanted, list) or not set(wanted) <= PERMISSIONS:
                raise invalid("permissions", str(wanted))
            members[member] = tuple(dict.fromkeys(wanted))
            if not wanted:
                del members[member]
    for entry in _entries(body, "removedExtensions"):
        members.pop(_member(world, entry), None)
    world.company.groups[group.id] = replace(group, members=members)
    return Response(status_code=204)


def _entries(body: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = body.get(key) or []
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise ApiError(400, "CMN-101", f"Parameter [{key}] is invalid", key)
    return entries


def _member(world: World, entry: dict[str, Any]) -> str:
    member = str(entry.get("id", ""))
    extension = world.company.extensions.get(member)
    if extension is None:
        raise invalid("extensionId", member)
    if extension.type not in MEMBER_TYPES:
        raise ApiError(400, "CMN-403", "Extension type cannot be a member", "extensionId", member)
    return member
