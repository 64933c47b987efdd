"""Wire records to the domain's inputs. Each reader raises Poison for what cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from services.chassis.errors import Poison
from services.chassis.records import decode
from services.contracts import records, topics
from services.insights.domain.digest import Digest
from services.insights.domain.inputs import (
    CallEnded,
    CallNoted,
    FeedbackGiven,
    HandedOn,
    Input,
    LegTranscribed,
    TimerDue,
    UtteranceSpoken,
    Written,
)

Read = tuple[str, Input | None]
"""The call, and the input; None for a record that insights has no use for."""
PAUSE_MS = 700
"""Words further apart than that are two stretches of speech."""


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
        to_ms=max(words[-1].end_ms, words[0].start_ms) if words else record.end_ms,
        text=record.text,
        words=len(words) or len(record.text.split()),
        published_at=record.timing.published,
        spans=stretches(words),
        epoch=_epoch(record.audio_start_utc, record.start_ms),
    )


def stretches(words: Iterable[records.Word]) -> tuple[tuple[int, int], ...]:
    """Words to stretches of speech."""
    found: list[tuple[int, int]] = []
    for word in words:
        if found and word.start_ms - found[-1][1] < PAUSE_MS:
            found[-1] = (found[-1][0], max(found[-1][1], word.end_ms))
        else:
            found.append((word.start_ms, max(word.start_ms, word.end_ms)))
    return tuple(found)


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
        what=record.type,
        at=record.at,
        peer_call_id=record.peer_call_id,
    )


def read_feedback(value: bytes) -> Read:
    """`assist.feedback`."""
    record = decode(topics.ASSIST_FEEDBACK, value)
    return record.call_id, FeedbackGiven(suggestion_id=record.suggestion_id, action=record.action, reason=record.reason)


def read_timer(value: bytes) -> Read:
    """`insights.timers`."""
    record = decode(topics.INSIGHTS_TIMERS, value)
    if record.wording is not None:
        wording = record.wording
        return record.call_id, Written(about=wording.about, text=wording.text, cited=wording.cited)
    if record.summary is not None:
        return record.call_id, HandedOn(from_call_id=record.handed_on_from, digest=_digest(record.summary))
    return record.call_id, TimerDue()


READERS: dict[str, Callable[[bytes], Read]] = {
    topics.TRANSCRIPTS_FINAL.name: read_final,
    topics.TRANSCRIPTS_LEGS.name: read_leg,
    topics.CALLS_LIFECYCLE.name: read_lifecycle,
    topics.ASSIST_FEEDBACK.name: read_feedback,
    topics.INSIGHTS_TIMERS.name: read_timer,
}
"""By the topic's name without its prefix."""


def _epoch(audio_start_utc: datetime | None, start_ms: int) -> datetime | None:
    return None if audio_start_utc is None else audio_start_utc - timedelta(milliseconds=start_ms)


def _digest(record: records.CallDigest) -> Digest:
    return Digest(
        text=record.text, reason=record.reason, steps=record.steps, promises=record.promises,
        open_points=record.open_points, result=record.result, by_model=record.writer == "model",
    )  # fmt: skip
