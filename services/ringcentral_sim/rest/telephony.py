"""Sessions, parties, supervise and active calls."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.domain.errors import ApiError, not_allowed, not_found
from services.ringcentral_sim.domain.paging import page_of
from services.ringcentral_sim.domain.session import Party
from services.ringcentral_sim.domain.supervision import SuperviseRequest
from services.ringcentral_sim.rest.directory import account_url, extension_of
from services.ringcentral_sim.rest.gate import ACCOUNT, Caller, guarded, json_object, text_field
from services.ringcentral_sim.world import World


def routes(world: World) -> list[Route]:
    """Call control as far as supervision needs it."""
    session = ACCOUNT + "/telephony/sessions/{session}"
    party = session + "/parties/{party}"
    of_extension = ACCOUNT + "/extension/{extension}/active-calls"
    return [
        guarded(world, "GET", session, "light", "CallControl", _session),
        guarded(world, "DELETE", session, "light", "CallControl", _delete_session),
        guarded(world, "POST", session + "/supervise", "light", "CallControl", _supervise),
        guarded(world, "GET", party, "light", "CallControl", _party),
        guarded(world, "DELETE", party, "light", "CallControl", _delete_party),
        guarded(world, "POST", party + "/supervise", "light", "CallControl", _supervise),
        guarded(world, "GET", ACCOUNT + "/active-calls", "heavy", "ReadCompanyCallLog", _active_calls),
        guarded(world, "GET", of_extension, "heavy", "ReadCallLog", _active_calls),
    ]


async def _session(world: World, request: Request, caller: Caller) -> Response:
    return JSONResponse(world.book.live(request.path_params["session"]).rest_form())


def _known_party(world: World, request: Request) -> Party:
    session = world.book.live(request.path_params["session"])
    party = session.party(request.path_params["party"])
    if party is None:
        raise not_found("partyId", request.path_params["party"])
    return party


async def _party(world: World, request: Request, caller: Caller) -> Response:
    return JSONResponse(_known_party(world, request).rest_form())


async def _delete_party(world: World, request: Request, caller: Caller) -> Response:
    party = _known_party(world, request)
    if not party.supervisor or party.extension_id != caller.extension.id:
        raise not_allowed("only one's own supervised party can be dropped")
    world.counters.party_deletes += 1
    world.legs.hang_up(request.path_params["session"], supervisor=party.id)
    return Response(status_code=204)


async def _delete_session(world: World, request: Request, caller: Caller) -> Response:
    """Drops the customer's call, as it does in reality; counted so that tests can prove nobody calls it."""
    session = world.book.live(request.path_params["session"])
    world.counters.session_deletes += 1
    for run in world.calls.values():
        if session.id in run.lines.values():
            run.dropped_by_client = True
            run.hang_up()
    return Response(status_code=204)


async def _supervise(world: World, request: Request, caller: Caller) -> Response:
    body = await json_object(request)
    session_id, party_id = request.path_params["session"], request.path_params.get("party")
    ask = SuperviseRequest(
        supervisor_id=caller.extension.id,
        device_id=text_field(body, "supervisorDeviceId", "deviceId"),
        agent_id=_agent_id(world, body, whole_session=party_id is None),
        mode=str(body.get("mode", "")),
        party_id=party_id,
    )
    party = await world.legs.supervise(session_id, ask)
    count = world.counters.supervise_by_party
    key = party_id or session_id
    count[key] = count.get(key, 0) + 1
    return JSONResponse(party.rest_form(), status_code=201)


def _agent_id(world: World, body: dict[str, object], *, whole_session: bool) -> str:
    number = body.get("agentExtensionNumber") or body.get("extensionNumber")
    if whole_session and number and "agentExtensionId" not in body:
        for extension in world.company.extensions.values():
            if extension.number == str(number):
                return extension.id
        raise ApiError(403, "CMN-101", "Parameter [agentExtensionNumber] is invalid", "agentExtensionNumber")
    return text_field(body, "agentExtensionId")


async def _active_calls(world: World, request: Request, caller: Caller) -> Response:
    of = extension_of(world, request, caller).id if "extension" in request.path_params else None
    query = dict(request.query_params)
    records = world.book.active_calls(
        of,
        lag_s=world.settings.active_calls_lag_s / world.pace.speed,
        linger_s=world.settings.active_calls_linger_s / world.pace.speed,
    )
    if "direction" in query:
        records = [r for r in records if r["direction"] == query["direction"]]
    scope = f"/extension/{of}" if of else ""
    return JSONResponse(page_of(records, f"{account_url(world, request)}{scope}/active-calls", query, totals=False))
