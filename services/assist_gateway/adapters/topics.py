"""Records of the topics as updates of the board and changes of the roster.

Raises Poison for what cannot be read, or is keyed by another call than it speaks of. A tombstone of a compacted
topic withdraws the record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.assist_gateway.domain.access import Member
from services.assist_gateway.domain.board import Kind, Update
from services.assist_gateway.domain.reach import Lane, Place
from services.chassis.consumer import Incoming
from services.chassis.errors import Poison
from services.chassis.records import decode, encode
from services.contracts import records, topics

Followed = tuple[topics.Topic[Any], ...]
ROSTER: Followed = (topics.MONITORING_ROSTER,)
OUTLINE: Followed = (
    topics.CALLS_STATE, topics.CALLS_LIFECYCLE, topics.ALERTS, topics.CALLS_SUMMARY, topics.CALLS_RECORDINGS,
)  # fmt: skip
"""What a finished call is known by for a day."""
RECENT: Followed = (
    topics.TRANSCRIPTS_PARTIAL, topics.TRANSCRIPTS_FINAL, topics.TRANSCRIPTS_LEGS, topics.ASSIST_SUGGESTIONS,
    topics.ASSIST_FEEDBACK, topics.CALLS_INSIGHTS, topics.SUPERVISION_EVENTS, topics.MEDIA_LEGS,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberChanged:
    """An extension's memberships; None: it has left all groups."""

    extension_id: str
    member: Member | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A compacted topic withdraws a call's record."""

    kind: Kind
    call_id: str


Change = Update | MemberChanged | Removed


def change_from(message: Incoming) -> Change:
    """What the message changes."""
    topic = message.topic
    if message.value is None and topic.cleanup_policy == "compact":
        if topic.name == topics.MONITORING_ROSTER.name:
            return MemberChanged(extension_id=message.key, member=None)
        return Removed(kind=_SHOWN_AS[topic.name][1], call_id=message.key)
    record = decode(topic, message.value)
    if isinstance(record, records.RosterEntry):
        if record.extension_id != message.key:
            raise Poison("wrong_key", "the key is not the record's extension_id")
        return MemberChanged(extension_id=record.extension_id, member=_member(record))
    if record.call_id != message.key:
        raise Poison("wrong_key", "the key is not the record's call_id")
    lane, kind = _SHOWN_AS[topic.name]
    facts: dict[str, Any] = _FACTS[type(record)](record)
    return Update(
        kind=kind, call_id=record.call_id, record=encode(record), at_ms=message.timestamp_ms,
        place=Place((lane, message.partition), message.offset), **facts,
    )  # fmt: skip


_SHOWN_AS: dict[str, tuple[str, Kind]] = {
    topics.CALLS_STATE.name: ("st", "state"),
    topics.CALLS_LIFECYCLE.name: ("lc", "lifecycle"),
    topics.TRANSCRIPTS_PARTIAL.name: ("tp", "utterance"),
    topics.TRANSCRIPTS_FINAL.name: ("tf", "utterance"),
    topics.TRANSCRIPTS_LEGS.name: ("tl", "transcript_leg"),
    topics.ASSIST_SUGGESTIONS.name: ("sg", "suggestion"),
    topics.ASSIST_FEEDBACK.name: ("fb", "feedback"),
    topics.CALLS_INSIGHTS.name: ("in", "insight"),
    topics.ALERTS.name: ("al", "alert"),
    topics.CALLS_SUMMARY.name: ("sm", "summary"),
    topics.CALLS_RECORDINGS.name: ("rc", "recording"),
    topics.SUPERVISION_EVENTS.name: ("sv", "supervision"),
    topics.MEDIA_LEGS.name: ("ml", "leg"),
}
"""Each topic's short name in cursors, which every replica must use alike, and what screens call its records."""


def lane_of(topic: topics.Topic[Any], partition: int) -> Lane:
    """The lane of a followed topic's partition."""
    return (_SHOWN_AS[topic.name][0], partition)


def _member(entry: records.RosterEntry) -> Member:
    def having(permission: str) -> frozenset[str]:
        return frozenset(group.group_id for group in entry.groups if permission in group.permissions)

    return Member(
        monitored_in=having("monitored"), monitoring_in=having("monitoring"), name=entry.name,
        extension_number=entry.extension_number,
    )  # fmt: skip


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _agent(extension_id: str, at: datetime) -> dict[str, Any]:
    return {"agent_extension_id": extension_id or None, "agent_at_ms": _ms(at)}


def _state(state: records.CallState) -> dict[str, Any]:
    ended = state.status == "ended"
    rank = (int(ended), _ms(state.updated_at))
    once = {"item_id": "", "overview": "state", "rank": rank, "ended": ended}
    return once | _agent(state.agent_extension_id, state.updated_at)


def _lifecycle(fact: records.CallLifecycle) -> dict[str, Any]:
    ended = fact.type == "ended"
    once = {"item_id": fact.event_id, "final": True, "ended": ended, "overview": "ended" if ended else ""}
    return once | _agent(fact.agent_extension_id, fact.at)


def _utterance(utterance: records.Utterance) -> dict[str, Any]:
    rank = (1, 0) if utterance.is_final else (0, utterance.revision)  # a final is never changed, whatever is told later
    return {"item_id": utterance.utterance_id, "rank": rank, "final": utterance.is_final}


def _feedback(feedback: records.SuggestionFeedback) -> dict[str, Any]:
    decided = int(feedback.action != "shown")
    return {"item_id": feedback.suggestion_id, "rank": (decided, _ms(feedback.at))}


def _insight(insight: records.CallInsight) -> dict[str, Any]:
    rank = (0, _ms(insight.at))
    match insight.kind:
        case "dynamics" | "checklist":  # each tells the whole: the newest is enough
            return {"item_id": insight.kind, "rank": rank, "overview": insight.kind}
        case "summary":
            return {"item_id": "handed_on" if insight.handed_on_from else "summary", "rank": rank}
        case "sentiment":
            place = f"sentiment/{insight.role}"
        case _:
            place = f"{insight.kind}/{insight.label}"
    return {"item_id": insight.insight_id, "final": True, "rank": rank, "overview": place}


def _summary(summary: records.CallSummary) -> dict[str, Any]:
    once = {"item_id": "", "overview": "summary", "rank": (0, _ms(summary.at))}
    return once | _agent(summary.agent_extension_id, summary.at)


_FACTS: dict[type, Callable[[Any], dict[str, Any]]] = {
    records.CallState: _state,
    records.CallLifecycle: _lifecycle,
    records.Utterance: _utterance,
    records.TranscriptLeg: lambda leg: {"item_id": leg.leg_id, "rank": (0, _ms(leg.at))},
    records.Suggestion: lambda suggestion: {"item_id": suggestion.suggestion_id, "final": True},
    records.SuggestionFeedback: _feedback,
    records.CallInsight: _insight,
    records.Alert: lambda alert: {
        "item_id": alert.alert_id,
        "final": True,
        "overview": f"alert/{alert.alert_id}",
    },
    records.CallSummary: _summary,
    records.CallRecording: lambda recording: {
        "item_id": "",
        "overview": "recording",
        "rank": (0, _ms(recording.at)),
    },
    records.SupervisionEvent: lambda event: {"item_id": event.event_id, "final": True},
    records.MediaLeg: lambda leg: {"item_id": leg.event_id, "final": True},
}
