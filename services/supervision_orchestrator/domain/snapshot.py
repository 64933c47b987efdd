"""What a call looks like to whoever joins late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.supervision_orchestrator.domain.call import CallState, PartyStatus, Phase
from services.supervision_orchestrator.domain.effects import Direction

Status = Literal["ringing", "answered", "held", "parked", "ended"]
Supervision = Literal["none", "pending", "party", "session", "failed"]
STATUS: dict[PartyStatus, Status] = {PartyStatus.HELD: "held", PartyStatus.PARKED: "parked"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The publishable part of a CallState, without the time of its making."""

    status: Status
    direction: Direction
    agent_extension_id: str
    agent_party_id: str
    customer_party_id: str
    queue_call: bool
    participants: int
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    supervision: Supervision
    device_id: str
    last_sequence: int


def snapshot_of(state: CallState) -> Snapshot:
    """The state's public face; equal snapshots need no publishing."""
    return Snapshot(
        status=_status(state),
        direction=state.direction,
        agent_extension_id=state.agent_extension_id or next((p.extension_id for p in state.parties if p.monitored), ""),
        agent_party_id=state.agent_party_id,
        customer_party_id=state.customer_party_id,
        queue_call=state.queue_call,
        participants=len(state.participants()),
        started_at=state.started_at,
        answered_at=state.answered_at,
        ended_at=state.ended_at,
        supervision=_supervision(state),
        device_id=state.device_id if state.is_bound() else "",
        last_sequence=state.last_sequence,
    )


def _status(state: CallState) -> Status:
    if state.over:
        return "ended"
    agent = state.party(state.agent_party_id)
    if agent is None or state.answered_at is None:
        return "ringing"
    return STATUS.get(agent.status, "answered")


def _supervision(state: CallState) -> Supervision:
    wanted = [t for t in state.targets if t.phase is not Phase.RELEASED]
    if not wanted:
        return "pending" if state.waiting else "none"
    if all(t.phase is Phase.REFUSED for t in wanted):
        return "failed"
    if any(t.phase is Phase.UP for t in wanted):
        return "session" if state.mode == "session" else "party"
    return "pending"
