"""Wire records to the domain's inputs. Each reader raises Poison for what cannot be read."""

from __future__ import annotations

from collections.abc import Callable

from services.chassis.errors import Poison
from services.chassis.records import decode
from services.contracts import topics
from services.insights.domain.inputs import (
    CallEnded,
    CallNoted,
    Input,
    LegTranscribed,
    SuggestionAccepted,
    TimerDue,
    UtteranceSpoken,
)

Read = tuple[str, Input | None]
"""The call, and the input; None for a record that insights has no use for."""


def read_final(value: bytes) -> Read:
    """`transcripts.final`."""
    record = decode(topics.TRANSCRIPTS_FINAL, value)
    if not record.is_final:
        return record.call_id, None
    if record.end_ms < record.start_ms:
        raise Poison("bad_record", "end_ms before start_ms")
    words = record.words
    return record.call_id, UtteranceSpoken(
        leg_id=record.leg_id,
        utterance_id=record.utterance_id,
        role=record.role,
        start_ms=record.start_ms,
        from_ms=words[0].start_ms if words else record.start_ms,
        to_ms=words[-1].end_ms if words else record.end_ms,
        text=record.text,
        words=len(words) or len(record.text.split()),
        published_at=record.timing.published,
    )


def read_leg(value: bytes) -> Read:
    """`transcripts.legs`."""
    record = decode(topics.TRANSCRIPTS_LEGS, value)
    return record.call_id, LegTranscribed(
        leg_id=record.leg_id, role=record.role, utterances=record.utterances, whole=record.status == "complete"
    )


def read_lifecycle(value: bytes) -> Read:
    """`calls.lifecycle`."""
    record = decode(topics.CALLS_LIFECYCLE, value)
    if record.type == "ended":
        outcome = record.outcome
        heard = (outcome.agent_heard_ms, outcome.customer_heard_ms, outcome.mixed_heard_ms) if outcome else ()
        return record.call_id, CallEnded(
            agent_extension_id=record.agent_extension_id,
            direction=record.direction,
            ended_at=record.at,
            outcome=outcome.reason if outcome else "",
            duration_ms=outcome.duration_ms if outcome else 0,
            legs_heard=sum(ms > 0 for ms in heard),
        )
    return record.call_id, CallNoted(
        agent_extension_id=record.agent_extension_id,
        direction=record.direction,
        answered_at=record.at if record.type == "answered" else None,
    )


def read_feedback(value: bytes) -> Read:
    """`assist.feedback`."""
    record = decode(topics.ASSIST_FEEDBACK, value)
    accepted = record.action == "accepted"
    return record.call_id, SuggestionAccepted(record.suggestion_id) if accepted else None


def read_timer(value: bytes) -> Read:
    """`insights.timers`."""
    return decode(topics.INSIGHTS_TIMERS, value).call_id, TimerDue()


READERS: dict[str, Callable[[bytes], Read]] = {
    topics.TRANSCRIPTS_FINAL.name: read_final,
    topics.TRANSCRIPTS_LEGS.name: read_leg,
    topics.CALLS_LIFECYCLE.name: read_lifecycle,
    topics.ASSIST_FEEDBACK.name: read_feedback,
    topics.INSIGHTS_TIMERS.name: read_timer,
}
"""By the topic's name without its prefix."""
