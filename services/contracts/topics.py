"""The topics and what travels on them; generated from schemas/ by schemas/generate.py; edit the schemas, not this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from services.contracts import records

RecordT = TypeVar("RecordT", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic(Generic[RecordT]):
    """A topic: its name without the deployment's prefix, its record type and how to create it."""

    name: str
    record: type[RecordT]
    key: Literal["call_id", "extension_id", "device_id"]
    partitions: int
    cleanup_policy: Literal["delete", "compact"]
    retention_ms: int | None
    value_is_bytes: bool
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    personal_data: tuple[str, ...]


ALERTS: Topic[records.Alert] = Topic(
    name="alerts.v1",
    record=records.Alert,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=7776000000,
    value_is_bytes=False,
    producers=("insights",),
    consumers=("assist_gateway",),
    personal_data=(),
)
ASSIST_FEEDBACK: Topic[records.SuggestionFeedback] = Topic(
    name="assist.feedback.v1",
    record=records.SuggestionFeedback,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=2592000000,
    value_is_bytes=False,
    producers=("assist_gateway",),
    consumers=("insights",),
    personal_data=("by",),
)
ASSIST_SUGGESTIONS: Topic[records.Suggestion] = Topic(
    name="assist.suggestions.v1",
    record=records.Suggestion,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=2592000000,
    value_is_bytes=False,
    producers=("insights",),
    consumers=("assist_gateway", "cli"),
    personal_data=("text",),
)
AUDIO_CHUNKS: Topic[records.AudioChunk] = Topic(
    name="audio.chunks.v1",
    record=records.AudioChunk,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=900000,
    value_is_bytes=True,
    producers=("media_gateway",),
    consumers=("transcriber", "recorder", "assist_gateway"),
    personal_data=("the value: voices",),
)
AUDIT: Topic[records.AuditRecord] = Topic(
    name="audit.v1",
    record=records.AuditRecord,
    key="call_id",
    partitions=3,
    cleanup_policy="delete",
    retention_ms=31536000000,
    value_is_bytes=False,
    producers=("assist_gateway",),
    consumers=(),
    personal_data=("actor",),
)
CALLS_INSIGHTS: Topic[records.CallInsight] = Topic(
    name="calls.insights.v1",
    record=records.CallInsight,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=7776000000,
    value_is_bytes=False,
    producers=("insights",),
    consumers=("assist_gateway",),
    personal_data=("summary",),
)
CALLS_LIFECYCLE: Topic[records.CallLifecycle] = Topic(
    name="calls.lifecycle.v1",
    record=records.CallLifecycle,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=7776000000,
    value_is_bytes=False,
    producers=("supervision_orchestrator",),
    consumers=("insights", "recorder", "assist_gateway"),
    personal_data=(),
)
CALLS_RECORDINGS: Topic[records.CallRecording] = Topic(
    name="calls.recordings.v1",
    record=records.CallRecording,
    key="call_id",
    partitions=12,
    cleanup_policy="compact",
    retention_ms=None,
    value_is_bytes=False,
    producers=("recorder",),
    consumers=("assist_gateway", "cli"),
    personal_data=(),
)
CALLS_STATE: Topic[records.CallState] = Topic(
    name="calls.state.v1",
    record=records.CallState,
    key="call_id",
    partitions=12,
    cleanup_policy="compact",
    retention_ms=None,
    value_is_bytes=False,
    producers=("supervision_orchestrator",),
    consumers=("assist_gateway", "cli"),
    personal_data=(),
)
CALLS_SUMMARY: Topic[records.CallSummary] = Topic(
    name="calls.summary.v1",
    record=records.CallSummary,
    key="call_id",
    partitions=12,
    cleanup_policy="compact",
    retention_ms=None,
    value_is_bytes=False,
    producers=("insights",),
    consumers=("assist_gateway", "cli"),
    personal_data=("reason_for_call", "summary", "steps", "promises", "open_points"),
)
INSIGHTS_TIMERS: Topic[records.InsightsTimer] = Topic(
    name="insights.timers.v1",
    record=records.InsightsTimer,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=86400000,
    value_is_bytes=False,
    producers=("insights",),
    consumers=("insights",),
    personal_data=("summary", "wording"),
)
MEDIA_DEVICES: Topic[records.MediaDevice] = Topic(
    name="media.devices.v1",
    record=records.MediaDevice,
    key="device_id",
    partitions=1,
    cleanup_policy="compact",
    retention_ms=None,
    value_is_bytes=False,
    producers=("media_gateway",),
    consumers=("supervision_orchestrator", "cli"),
    personal_data=(),
)
MEDIA_LEGS: Topic[records.MediaLeg] = Topic(
    name="media.legs.v1",
    record=records.MediaLeg,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=86400000,
    value_is_bytes=False,
    producers=("media_gateway",),
    consumers=("supervision_orchestrator", "media_gateway", "recorder", "assist_gateway", "cli"),
    personal_data=(),
)
MONITORING_ROSTER: Topic[records.RosterEntry] = Topic(
    name="monitoring.roster.v1",
    record=records.RosterEntry,
    key="extension_id",
    partitions=1,
    cleanup_policy="compact",
    retention_ms=None,
    value_is_bytes=False,
    producers=("event_ingestor",),
    consumers=("supervision_orchestrator", "assist_gateway", "insights"),
    personal_data=("name",),
)
SUPERVISION_EVENTS: Topic[records.SupervisionEvent] = Topic(
    name="supervision.events.v1",
    record=records.SupervisionEvent,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=7776000000,
    value_is_bytes=False,
    producers=("supervision_orchestrator",),
    consumers=("media_gateway", "assist_gateway"),
    personal_data=(),
)
SUPERVISION_INBOX: Topic[records.SupervisionReply] = Topic(
    name="supervision.inbox.v1",
    record=records.SupervisionReply,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=86400000,
    value_is_bytes=False,
    producers=("supervision_orchestrator",),
    consumers=("supervision_orchestrator",),
    personal_data=(),
)
TELEPHONY_EVENTS: Topic[records.TelephonyEvent] = Topic(
    name="telephony.events.v1",
    record=records.TelephonyEvent,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=604800000,
    value_is_bytes=False,
    producers=("event_ingestor",),
    consumers=("supervision_orchestrator",),
    personal_data=("notification.body.parties[].from", "notification.body.parties[].to"),
)
TRANSCRIPTS_FINAL: Topic[records.Utterance] = Topic(
    name="transcripts.final.v1",
    record=records.Utterance,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=7776000000,
    value_is_bytes=False,
    producers=("transcriber",),
    consumers=("insights", "assist_gateway", "recorder", "cli"),
    personal_data=("text", "words"),
)
TRANSCRIPTS_LEGS: Topic[records.TranscriptLeg] = Topic(
    name="transcripts.legs.v1",
    record=records.TranscriptLeg,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=7776000000,
    value_is_bytes=False,
    producers=("transcriber",),
    consumers=("insights", "assist_gateway", "recorder", "cli"),
    personal_data=(),
)
TRANSCRIPTS_PARTIAL: Topic[records.Utterance] = Topic(
    name="transcripts.partial.v1",
    record=records.Utterance,
    key="call_id",
    partitions=12,
    cleanup_policy="delete",
    retention_ms=3600000,
    value_is_bytes=False,
    producers=("transcriber",),
    consumers=("assist_gateway", "cli"),
    personal_data=("text", "words"),
)

ALL: tuple[Topic[Any], ...] = (
    ALERTS,
    ASSIST_FEEDBACK,
    ASSIST_SUGGESTIONS,
    AUDIO_CHUNKS,
    AUDIT,
    CALLS_INSIGHTS,
    CALLS_LIFECYCLE,
    CALLS_RECORDINGS,
    CALLS_STATE,
    CALLS_SUMMARY,
    INSIGHTS_TIMERS,
    MEDIA_DEVICES,
    MEDIA_LEGS,
    MONITORING_ROSTER,
    SUPERVISION_EVENTS,
    SUPERVISION_INBOX,
    TELEPHONY_EVENTS,
    TRANSCRIPTS_FINAL,
    TRANSCRIPTS_LEGS,
    TRANSCRIPTS_PARTIAL,
)
