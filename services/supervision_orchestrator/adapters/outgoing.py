"""Effects as records, with ids made of the call and the cause: a replay publishes the same ids again."""

from __future__ import annotations

from datetime import datetime

from services.chassis.publisher import Publisher
from services.contracts import records, topics
from services.supervision_orchestrator.domain.call import CallState
from services.supervision_orchestrator.domain.effects import Outcome, PublishFact, PublishStep
from services.supervision_orchestrator.domain.snapshot import snapshot_of


def publish_fact(publisher: Publisher, state: CallState, fact: PublishFact) -> None:
    """To calls.lifecycle."""
    event_id = ":".join(part for part in (state.call_id, fact.type, fact.cause) if part)
    if fact.cause == fact.type:
        event_id = f"{state.call_id}:{fact.type}"
    face = snapshot_of(state)
    record = records.CallLifecycle(
        event_id=event_id,
        call_id=state.call_id,
        type=fact.type,
        at=fact.at,
        direction=face.direction,
        agent_extension_id=face.agent_extension_id,
        agent_party_id=face.agent_party_id,
        customer_party_id=face.customer_party_id,
        party_id=fact.party_id,
        peer_call_id=fact.peer_call_id,
        outcome=None if fact.outcome is None else _outcome(fact.outcome),
    )
    publisher.publish(topics.CALLS_LIFECYCLE, state.call_id, record, event_id=event_id)


def publish_step(publisher: Publisher, state: CallState, step: PublishStep) -> None:
    """To supervision.events; the media gateway learns from `requested` what an INVITE will be for."""
    place = step.party_id or "session"
    event_id = ":".join(
        part for part in (state.call_id, place, str(step.attempt), step.type, step.cause) if part
    )  # fmt: skip
    record = records.SupervisionEvent(
        event_id=event_id,
        call_id=state.call_id,
        type=step.type,
        at=step.at,
        mode=step.mode,
        party_id=step.party_id,
        role=step.role,
        agent_extension_id=state.agent_extension_id,
        queue_id=step.queue_id,
        supervisor_extension_id=state.supervisor,
        device_id=step.device_id,
        supervisor_party_id=step.supervisor_party_id,
        leg_id=step.leg_id,
        attempt=step.attempt,
        reason=step.reason,
    )
    publisher.publish(topics.SUPERVISION_EVENTS, state.call_id, record, event_id=event_id)


def publish_snapshot(publisher: Publisher, state: CallState, *, at: datetime) -> None:
    """To calls.state."""
    face = snapshot_of(state)
    record = records.CallState(
        call_id=state.call_id,
        status=face.status,
        updated_at=at,
        direction=face.direction,
        agent_extension_id=face.agent_extension_id,
        agent_party_id=face.agent_party_id,
        customer_party_id=face.customer_party_id,
        queue_call=face.queue_call,
        participants=face.participants,
        started_at=face.started_at,
        answered_at=face.answered_at,
        ended_at=face.ended_at,
        supervision=face.supervision,
        supervisor_extension_id=state.supervisor if face.device_id else "",
        device_id=face.device_id,
        last_sequence=face.last_sequence,
    )
    event_id = f"{state.call_id}:state:{state.revision}"
    publisher.publish(topics.CALLS_STATE, state.call_id, record, event_id=event_id)


def publish_timer(publisher: Publisher, call_id: str, *, timer: str, due: datetime, at: datetime) -> None:
    """To our own inbox."""
    reply_id = f"{call_id}:timer:{timer}:{round(due.timestamp() * 1000)}"
    record = records.SupervisionReply(reply_id=reply_id, call_id=call_id, kind="timer", at=at, timer=timer)
    publisher.publish(topics.SUPERVISION_INBOX, call_id, record, event_id=reply_id)


def _outcome(outcome: Outcome) -> records.CallOutcome:
    return records.CallOutcome(
        reason=outcome.reason,
        duration_ms=outcome.duration_ms,
        agent_heard_ms=outcome.agent_heard_ms,
        customer_heard_ms=outcome.customer_heard_ms,
        mixed_heard_ms=outcome.mixed_heard_ms,
        gap_ms=outcome.gap_ms,
        detail=outcome.detail,
    )
