"""Records of the input topics as inputs of the state machine. What they cannot say raises Poison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.chassis.clock import parse_utc
from services.chassis.errors import Poison
from services.chassis.records import decode
from services.contracts import records, topics
from services.supervision_orchestrator.domain import inputs
from services.supervision_orchestrator.domain.floor import Device
from services.supervision_orchestrator.domain.roster import Membership

READ_ID = ":read:"
LET_IN_TIMER = "let_in"
PEER_TIMER = "peer"
CONSENT_TIMERS = {"consent_given": True, "consent_withdrawn": False}


def telephony_inputs(key: str, value: bytes | None) -> list[inputs.Input]:
    """One input a party of the notification."""
    event = decode(topics.TELEPHONY_EVENTS, value)
    body = event.notification.body
    _same_call(key, body.telephony_session_id)
    try:
        at = parse_utc(body.event_time or event.notification.timestamp)
    except ValueError:
        at = event.received_at
    return [
        inputs.TelephonyPartyChanged(
            call_id=key,
            event_id=event.event_id,
            sequence=body.sequence,
            at=at,
            party_id=party.id,
            code=party.status.code,
            reason=party.status.reason,
            extension_id=party.extension_id,
            direction=party.direction,
            queue_call=party.queue_call,
            peer_call_id=_peer(party.status.peer_id),
            dialled_extension_id=party.to.extension_id if party.to is not None else "",
            after_the_fact=event.after_the_fact,
        )
        for party in body.parties
    ]


def inbox_inputs(key: str, value: bytes | None) -> list[inputs.Input]:
    """What our own effects came back with."""
    reply = decode(topics.SUPERVISION_INBOX, value)
    _same_call(key, reply.call_id)
    asked_by = reply.supervisor_extension_id
    match reply.kind:
        case "timer":
            return [_timer(reply)]
        case "session_read":
            return [_session(reply)]
        case "session_gone":
            return [inputs.SessionGone(call_id=key, attempt=reply.attempt, at=reply.at, supervisor=asked_by)]
        case "accepted":
            return [
                inputs.SuperviseAccepted(
                    call_id=key, party_id=reply.party_id, attempt=reply.attempt, at=reply.at,
                    supervisor_party_id=reply.supervisor_party_id, supervisor=asked_by,
                )
            ]  # fmt: skip
        case "refused" if READ_ID in reply.reply_id:
            return [
                inputs.ReadFailed(
                    call_id=key, attempt=reply.attempt, at=reply.at, status=reply.status,
                    error_code=reply.error_code, retry_after_ms=reply.retry_after_ms, supervisor=asked_by,
                )
            ]  # fmt: skip
        case "refused":
            return [
                inputs.SuperviseRefused(
                    call_id=key, party_id=reply.party_id, attempt=reply.attempt, at=reply.at, status=reply.status,
                    error_code=reply.error_code, retry_after_ms=reply.retry_after_ms, retryable=reply.retryable,
                    supervisor=asked_by,
                )
            ]  # fmt: skip


def leg_inputs(key: str, value: bytes | None) -> list[inputs.Input]:
    """A leg's step."""
    leg = decode(topics.MEDIA_LEGS, value)
    _same_call(key, leg.call_id)
    match leg.type:
        case "invited":
            return [inputs.LegInvited(**_leg_fields(leg))]
        case "up":
            return [inputs.LegUp(**_leg_fields(leg))]
        case "gap":
            return [inputs.LegGap(**_leg_fields(leg), gap_ms=leg.gap_ms, media_time_ms=leg.media_time_ms)]
        case "down":
            return [inputs.LegDown(**_leg_fields(leg), reason=leg.reason)]


READERS: dict[str, Callable[[str, bytes | None], list[inputs.Input]]] = {
    topics.TELEPHONY_EVENTS.name: telephony_inputs,
    topics.SUPERVISION_INBOX.name: inbox_inputs,
    topics.MEDIA_LEGS.name: leg_inputs,
}


def memberships(value: bytes) -> tuple[Membership, ...]:
    """A roster entry's places in groups."""
    entry = decode(topics.MONITORING_ROSTER, value)
    return tuple(
        Membership(
            group_id=group.group_id,
            monitored="monitored" in group.permissions,
            monitoring="monitoring" in group.permissions,
        )
        for group in entry.groups
    )


def device(value: bytes) -> Device:
    """A device's latest word of itself."""
    told = decode(topics.MEDIA_DEVICES, value)
    return Device(
        device_id=told.device_id,
        supervisor_extension_id=told.supervisor_extension_id,
        online=told.online,
        free_slots=told.free_slots,
        slots=told.slots,
    )


def _same_call(key: str, call_id: str) -> None:
    """The key places the call's row; a record under another key would tear the call in two."""
    if key != call_id:
        raise Poison("wrong_key", "the key is not the record's call")


def _peer(peer: records.TelephonyPeer | None) -> str:
    """The other session's telephony id; REST puts it into `sessionId`."""
    if peer is None:
        return ""
    return peer.telephony_session_id or peer.session_id


def _timer(reply: records.SupervisionReply) -> inputs.Input:
    if reply.timer == LET_IN_TIMER:
        return inputs.LetIn(call_id=reply.call_id)
    if reply.timer == PEER_TIMER:
        return inputs.PeerFollowed(call_id=reply.call_id)
    if reply.timer in CONSENT_TIMERS:
        return inputs.ConsentTold(call_id=reply.call_id, given=CONSENT_TIMERS[reply.timer])
    return inputs.TimerDue(call_id=reply.call_id)


def _session(reply: records.SupervisionReply) -> inputs.Input:
    parties = tuple(
        inputs.ReadParty(
            party_id=party.party_id,
            code=party.status,
            reason=party.reason,
            extension_id=party.extension_id,
            direction=party.direction,
        )
        for party in reply.parties
    )
    return inputs.SessionRead(
        call_id=reply.call_id,
        attempt=reply.attempt,
        at=reply.at,
        parties=parties,
        supervisor=reply.supervisor_extension_id,
    )


def _leg_fields(leg: records.MediaLeg) -> dict[str, Any]:
    return {
        "call_id": leg.call_id,
        "leg_id": leg.leg_id,
        "at": leg.at,
        "party_id": leg.party_id,
        "supervisor_party_id": leg.supervisor_party_id,
        "role": leg.role,
    }
