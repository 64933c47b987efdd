"""When a supervise request is accepted, and what is said when it is not."""

from __future__ import annotations

from dataclasses import dataclass

from services.ringcentral_sim.domain.company import Company
from services.ringcentral_sim.domain.errors import ApiError, invalid, not_allowed, not_found, wrong_state
from services.ringcentral_sim.domain.session import TALKING, Endpoint, Party, Session

DEVICE_TYPES = frozenset({"OtherPhone", "HardPhone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperviseRequest:
    """`party_id` None asks for the whole session in one mixed stream."""

    supervisor_id: str
    device_id: str
    agent_id: str
    mode: str = "Listen"
    party_id: str | None = None


def refusal(ask: SuperviseRequest, session: Session, company: Company, *, device_online: bool) -> ApiError | None:
    """The first rule that the request breaks, or None."""
    return (
        _shape(ask, session, company)
        or _permission(ask, company, device_online=device_online)
        or _exclusive(ask, session)
        or _state(ask, session)
    )


def _shape(ask: SuperviseRequest, session: Session, company: Company) -> ApiError | None:
    if ask.mode != "Listen":
        return invalid("mode", ask.mode)
    if ask.device_id not in company.devices:
        return invalid("supervisorDeviceId", ask.device_id)
    if ask.party_id is not None:
        party = session.party(ask.party_id)
        if party is None or party.supervisor:
            return not_found("partyId", ask.party_id)
    if not any(p.extension_id == ask.agent_id and not p.supervisor for p in session.parties):
        return invalid("agentExtensionId", ask.agent_id, status=403)
    return None


def _permission(ask: SuperviseRequest, company: Company, *, device_online: bool) -> ApiError | None:
    device = company.devices[ask.device_id]
    if device.extension_id != ask.supervisor_id:
        return not_allowed("the device belongs to another extension")
    if device.type not in DEVICE_TYPES:
        return not_allowed("the device type cannot supervise")
    if not device_online:
        return not_allowed("the device is offline")
    if not company.may_supervise(ask.supervisor_id, ask.agent_id):
        return not_allowed("no monitoring group permits it")
    return None


def _exclusive(ask: SuperviseRequest, session: Session) -> ApiError | None:
    held = session.supervisors()
    if any(p.extension_id != ask.supervisor_id for p in held):
        return not_allowed("the call is supervised by another supervisor")
    if any(p.supervisor_device_id != ask.device_id for p in held):
        return not_allowed("the call is supervised on another device")
    if ask.party_id is not None and len(session.participants()) > 2:
        return not_allowed("more than two participants")
    return None


def _state(ask: SuperviseRequest, session: Session) -> ApiError | None:
    agent = [p for p in session.participants() if p.extension_id == ask.agent_id]
    if not any(p.code in TALKING for p in agent):
        return wrong_state("the agent's party is not answered")
    if ask.party_id is not None:
        target = session.party(ask.party_id)
        if target is None or target.code not in TALKING:
            return wrong_state("the party is not answered")
    if any(p.supervises == ask.party_id for p in session.supervisors()):
        return wrong_state("already supervised")
    return None


def supervisor_party(ask: SuperviseRequest, session: Session, company: Company) -> Party:
    """The new party of the supervisor: Answered before SIP has said anything."""
    supervisor, agent = company.extensions[ask.supervisor_id], company.extensions[ask.agent_id]
    return Party(
        id=session.next_party_id(),
        account_id=company.account_id,
        extension_id=supervisor.id,
        direction="Outbound",
        origin=Endpoint(
            phone_number=supervisor.number,
            name=supervisor.name,
            extension_id=supervisor.id,
            device_id=ask.device_id,
        ),
        target=Endpoint(phone_number=agent.number, name=agent.name, extension_id=agent.id),
        code="Answered",
        reason="Supervising",
        supervisor_device_id=ask.device_id,
        supervises=ask.party_id,
    )
