"""From a request to play a call to a running one: who takes part, what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.ringcentral_sim.calls.audio import Recording, load_recording, silent_recording
from services.ringcentral_sim.calls.run import CallPlan, CallRun
from services.ringcentral_sim.domain.company import Company, Extension
from services.ringcentral_sim.domain.flow_table import FLOWS
from services.ringcentral_sim.domain.flows import Flow
from services.ringcentral_sim.domain.session import Endpoint
from services.ringcentral_sim.world import World

SILENT_CALL_S = 10.0


class BadCall(Exception):
    """The request cannot be played; one line says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """`audio` None plays silence of `duration_ms`; times are ms of the recording."""

    audio: Path | None = None
    agent_id: str | None = None
    flow: str = "inbound"
    holds: tuple[tuple[int, int], ...] = ()
    flow_at_ms: int = 5000
    duration_ms: int = int(SILENT_CALL_S * 1000)
    start_audio: str | None = None
    customer_number: str = "+15550100111"
    customer_name: str = "CALLER"
    colleague_ids: tuple[str, ...] = ()


async def start_call(world: World, ask: CallRequest) -> CallRun:
    """Check, load the recording off the loop, and let the call ring. Raises BadCall or BadAudio."""
    flow = FLOWS.get(ask.flow)
    if flow is None:
        raise BadCall(f"flow {ask.flow!r} is unknown; one of: {', '.join(FLOWS)}")
    agent = _agent(world.company, ask.agent_id)
    recording = await _recording(world.settings.audio_root, ask)
    _check_holds(ask.holds, recording.duration_s)
    mode = ask.start_audio or world.settings.start_audio
    if mode not in ("answered", "supervised"):
        raise BadCall("start_audio must be answered or supervised")
    plan = CallPlan(
        flow=flow,
        people=people(world.company, flow, agent, ask.customer_number, ask.customer_name, ask.colleague_ids),
        account_id=world.company.account_id,
        recording=recording,
        holds=ask.holds,
        flow_at_ms=ask.flow_at_ms,
        wait_supervised_s=world.settings.start_audio_timeout_ms / 1000 if mode == "supervised" else None,
    )
    run = CallRun(plan, world.book.open().id, book=world.book, legs=world.legs, clock=world.clock)
    world.calls[run.session_id] = run
    world.counters.calls_started += 1
    world.tasks.spawn(_play(world, run), f"call {run.session_id}")
    return run


async def _play(world: World, run: CallRun) -> None:
    await run.run()
    world.counters.calls_ended += 1


def people(
    company: Company, flow: Flow, agent: Extension, number: str, name: str, colleague_ids: Sequence[str] = ()
) -> dict[str, Endpoint]:
    """An endpoint for each person; colleagues are those named, else agents other than the one of the call."""
    others = (e for e in company.agents() if e.id != agent.id)
    colleagues = iter([company.extensions[i] for i in colleague_ids] if colleague_ids else others)
    made: dict[str, Endpoint] = {}
    for role in flow.persons:
        match role.kind:
            case "pstn":
                made[role.key] = Endpoint(phone_number=number, name=name)
            case "agent":
                made[role.key] = _inside(company, agent)
            case "colleague":
                colleague = next(colleagues, None)
                if colleague is None:
                    raise BadCall(f"flow {flow.name!r} needs another agent than {agent.id}")
                made[role.key] = _inside(company, colleague)
            case "menu":
                menu = next(e for e in company.extensions.values() if e.type == "IvrMenu")
                made[role.key] = _inside(company, menu)
    return made


def _inside(company: Company, extension: Extension) -> Endpoint:
    devices = company.devices_of(extension.id)
    return Endpoint(
        phone_number=extension.direct_number,
        name=extension.name,
        extension_id=extension.id,
        device_id=devices[0].id if devices else None,
    )


def _agent(company: Company, agent_id: str | None) -> Extension:
    if agent_id is None:
        agents = company.agents()
        if not agents:
            raise BadCall("no monitoring group holds a Monitored extension")
        return agents[0]
    found = company.extensions.get(agent_id)
    if found is None or found.type != "User":
        raise BadCall(f"agent {agent_id!r} is not a user of the account")
    return found


async def _recording(root: Path | None, ask: CallRequest) -> Recording:
    if ask.audio is None:
        return silent_recording(ask.duration_ms / 1000)
    path = ask.audio if ask.audio.is_absolute() or root is None else root / ask.audio
    return await asyncio.to_thread(load_recording, path)


def _check_holds(holds: Sequence[tuple[int, int]], duration_s: float) -> None:
    last = 0
    for start, end in holds:
        if not last <= start < end <= duration_s * 1000:
            raise BadCall("holds must be [start_ms, end_ms] pairs in order, within the recording")
        last = end
