"""/sim/: start and end calls, read the state, switch faults. No part of RingCentral; it asks for no token."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.ringcentral_sim.calls.audio import BadAudio
from services.ringcentral_sim.calls.run import CallRun
from services.ringcentral_sim.calls.start import BadCall, CallRequest, start_call
from services.ringcentral_sim.control.bodies import bad, parsed
from services.ringcentral_sim.domain.faults import KINDS
from services.ringcentral_sim.domain.session import rfc3339
from services.ringcentral_sim.domain.subscriptions import Subscription
from services.ringcentral_sim.fault_options import FaultOptions, apply
from services.ringcentral_sim.world import World


class CallBody(BaseModel):
    """POST /sim/calls."""

    model_config = ConfigDict(extra="forbid")

    audio: str | None = None
    agent: str | int | None = None
    flow: str = "inbound"
    holds: list[tuple[int, int]] = Field(default_factory=list)
    flow_at_ms: int = Field(5000, ge=0)
    duration_ms: int = Field(10_000, ge=1)
    start_audio: str | None = None
    customer_number: str = "+15550100111"
    customer_name: str = "CALLER"


class FaultsBody(FaultOptions):
    """POST /sim/faults: only what is named changes; the last five act at once."""

    drop_websockets: bool = False
    blacklist_webhooks: bool = False
    expire_webhooks: bool = False
    kill_tokens: bool = False
    all_off: bool = False


def routes(world: World) -> list[Route]:
    """The control endpoints and /healthz."""

    async def create(request: Request) -> Response:
        body = await parsed(request, CallBody)
        if isinstance(body, Response):
            return body
        ask = CallRequest(
            audio=Path(body.audio) if body.audio else None,
            agent_id=str(body.agent) if body.agent is not None else None,
            flow=body.flow,
            holds=tuple(body.holds),
            flow_at_ms=body.flow_at_ms,
            duration_ms=body.duration_ms,
            start_audio=body.start_audio,
            customer_number=body.customer_number,
            customer_name=body.customer_name,
        )
        try:
            run = await start_call(world, ask)
        except (BadAudio, BadCall) as error:
            return bad(str(error))
        return JSONResponse(call_view(world, run), status_code=201)

    async def show(request: Request) -> Response:
        run = world.calls.get(request.path_params["call"])
        return JSONResponse(call_view(world, run)) if run else bad("no such call", 404)

    async def hang_up(request: Request) -> Response:
        run = world.calls.get(request.path_params["call"])
        if run is None:
            return bad("no such call", 404)
        run.hang_up()
        return JSONResponse(call_view(world, run))

    async def state(request: Request) -> Response:
        return JSONResponse(state_view(world))

    async def set_faults(request: Request) -> Response:
        body = await parsed(request, FaultsBody)
        if isinstance(body, Response):
            return body
        if body.all_off:
            for kind in KINDS:
                world.faults.dose(kind, None, world.clock.monotonic())
        apply(body, world.faults, world.clock.monotonic())
        world.timed_faults.ensure()
        dropped = world.gateway.drop_all() if body.drop_websockets else 0
        killed = world.tokens.kill_all() if body.kill_tokens else 0
        done = {
            "dropped_websockets": dropped,
            "killed_tokens": killed,
            "blacklisted_webhooks": _blacklist(world) if body.blacklist_webhooks else 0,
            "expired_webhooks": _expire(world) if body.expire_webhooks else 0,
        }
        return JSONResponse({**world.faults.shown(), **done})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return [
        Route("/sim/calls", create, methods=["POST"]),
        Route("/sim/calls/{call}", show, methods=["GET"]),
        Route("/sim/calls/{call}/hangup", hang_up, methods=["POST"]),
        Route("/sim/state", state, methods=["GET"]),
        Route("/sim/faults", set_faults, methods=["POST"]),
        Route("/healthz", health, methods=["GET"]),
    ]


def _webhooks(world: World) -> list[Subscription]:
    return [s for s in world.subscriptions.items.values() if s.transport == "WebHook" and s.status == "Active"]


def _blacklist(world: World) -> int:
    """Suspend every webhook, as if its address had failed for too long; how many."""
    found = _webhooks(world)
    for subscription in found:
        subscription.blacklist(world.clock.now())
    return len(found)


def _expire(world: World) -> int:
    """End the life of every webhook now; how many."""
    found = _webhooks(world)
    for subscription in found:
        subscription.expires = world.clock.now()
    return len(found)


def call_view(world: World, run: CallRun) -> dict[str, Any]:
    """State of a call, as the control surface shows it; times are UTC."""
    roles = {party_id: key for key, party_id in run.party_ids.items()}
    session = world.book.any(run.session_id)
    return {
        "telephonySessionId": run.session_id,
        "sessionId": session.session_id if session else None,
        "flow": run.plan.flow.name,
        "state": run.state,
        "finished": run.state == "ended",
        "durationMs": round(run.plan.recording.duration_s * 1000),
        "agentExtensionId": run.plan.people["agent"].extension_id,
        "parties": dict(run.party_ids),
        "answeredAt": _time(run.answered_at),
        "audioStartedAt": _time(run.audio_started_at),
        "legs": [
            {
                "supervisorPartyId": leg.supervisor_party_id,
                "monitoredPartyId": leg.monitored_party_id,
                "monitoredRole": roles.get(leg.monitored_party_id or ""),
                "side": leg.side,
                "state": leg.state,
                "latched": leg.latched,
                "sipCallId": leg.sip_call_id,
                "audioStartedAt": _time(leg.audio_started_at),
            }
            for leg in world.legs.of(run.session_id)
        ],
    }


def _time(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None


def state_view(world: World) -> dict[str, Any]:
    """Registrations, counters and what is going on."""
    return {
        "registrations": {d.id: world.sip.is_registered(d.id) for d in world.company.devices.values() if d.password},
        "counters": asdict(world.counters),
        "speed": world.settings.speed,
        "media": world.settings.media,
        "faults": world.faults.shown(),
        "subscriptions": len(world.subscriptions.items),
        "websockets": len(world.gateway.connections),
        "calls": [{"telephonySessionId": c.session_id, "state": c.state} for c in world.calls.values()],
    }
