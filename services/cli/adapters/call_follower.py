"""Follows one call on the topics and keeps its log; the shell around `CallLog`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import msgspec

from services.chassis.clock import Clock, SystemClock
from services.chassis.consumer import Incoming
from services.chassis.records import decode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_view import TopicView
from services.cli.domain.transcript import CallLog, Heard
from services.contracts import records, topics

FOLLOWED = (
    topics.CALLS_LIFECYCLE,
    topics.MEDIA_LEGS,
    topics.TRANSCRIPTS_PARTIAL,
    topics.TRANSCRIPTS_FINAL,
    topics.TRANSCRIPTS_LEGS,
    topics.ASSIST_SUGGESTIONS,
    topics.CALLS_SUMMARY,
    topics.CALLS_RECORDINGS,
)


class CallFollower:
    """Start it before the call; `follow` names the call. `on_record` is called on the view's thread."""

    def __init__(
        self, settings: KafkaSettings, on_record: Callable[[msgspec.Struct], None], clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._on_record = on_record
        self._lock = threading.Lock()
        self._early: list[tuple[Any, Any]] = []
        self.log: CallLog | None = None
        self._view = TopicView(settings, topics=FOLLOWED, on_record=self._take, name="demo-view", fetch_wait_max_ms=10)

    def start(self) -> None:
        """Begin to read; returns once live."""
        self._view.start()
        self._view.caught_up.wait(30.0)

    def follow(self, call_id: str) -> CallLog:
        """Follow this call, records that came before its name was known included."""
        with self._lock:
            self.log = CallLog(call_id=call_id)
            early, self._early = self._early, []
            for record, arrived in early:
                self._sort_in(record, arrived)
            return self.log

    def stop(self) -> None:
        """End reading."""
        self._view.stop()

    def _take(self, message: Incoming) -> None:
        if message.value is None:
            return
        record: Any = decode(message.topic, message.value)
        arrived = self._clock.now()
        with self._lock:
            if self.log is None:
                self._early.append((record, arrived))
                return
            self._sort_in(record, arrived)

    def _sort_in(self, record: Any, arrived: Any) -> None:
        log = self.log
        if log is None or record.call_id != log.call_id:
            return
        match record:
            case records.Utterance():
                log.heard.append(Heard(utterance=record, arrived=arrived))
            case records.Suggestion():
                log.suggestions[record.suggestion_id] = record
            case records.MediaLeg():
                log.legs.setdefault(record.leg_id, {})[record.type] = record
            case records.TranscriptLeg():
                log.transcript_legs[record.leg_id] = record
            case records.CallLifecycle(type="ended"):
                log.ended = record
            case records.CallRecording():
                log.recording = record
            case records.CallSummary():
                log.summary = record
        self._on_record(record)
