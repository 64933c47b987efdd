"""Finished calls in full, read back from the topics when somebody asks.

Only the outline of a finished call stays in memory. The rest lies in one partition of each topic, between the call's
beginning and a while after its end, and is read from there: by time, without a group, to the end of that stretch.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import confluent_kafka
import orjson

from services.assist_gateway.adapters.topics import OUTLINE, RECENT, change_from
from services.assist_gateway.domain.board import Call, CallBoard, Update
from services.chassis.consumer import incoming_from
from services.chassis.errors import Poison, Transient
from services.chassis.settings import KafkaSettings
from services.chassis.topic_view import offsets_at
from services.contracts.topics import CALLS_STATE, MEDIA_LEGS, TRANSCRIPTS_PARTIAL, Topic

BEFORE_MS = 60_000
AFTER_MS = 600_000
"""Recording, last feedback and summary come after a call's end."""
LONGEST_CALL_MS = 4 * 3_600_000
PATIENCE_S = 20.0
LEFT_OUT = {TRANSCRIPTS_PARTIAL.name, CALLS_STATE.name, MEDIA_LEGS.name}
TOPICS: Sequence[Topic[Any]] = tuple(topic for topic in OUTLINE + RECENT if topic.name not in LEFT_OUT)
AT_ONCE = 4


class Archive:
    """Reads whole calls; `read` blocks, a few at a time, and may be called on any thread."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics = {settings.topic_prefix + topic.name: topic for topic in TOPICS}
        self._room = threading.BoundedSemaphore(AT_ONCE)

    def read(self, outline: Call) -> Call:
        """The whole of a call whose outline is known; raises Transient when the broker does not give it in time."""
        first_ms, last_ms = span_ms(outline)
        board = CallBoard()
        for update in outline.overview.values():
            board.take(update)
        with self._room:
            for update in self._updates(outline, first_ms, last_ms):
                board.take(update)
        return board.call(outline.call_id) or outline

    def _updates(self, outline: Call, first_ms: int, last_ms: int) -> list[Update]:
        options = {
            "group.id": "earshot-assist-archive-unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
        consumer = confluent_kafka.Consumer(options | self._settings.kafka_options())
        try:
            wanted = [confluent_kafka.TopicPartition(name, outline.partition, first_ms) for name in self._topics]
            places = self._places(consumer, wanted)
            consumer.assign(places)
            return self._read(consumer, outline.call_id, {place.topic for place in places}, last_ms)
        finally:
            consumer.close()

    @staticmethod
    def _places(
        consumer: confluent_kafka.Consumer, wanted: list[confluent_kafka.TopicPartition]
    ) -> list[confluent_kafka.TopicPartition]:
        enough = threading.Event()
        timer = threading.Timer(PATIENCE_S, enough.set)
        timer.daemon = True
        timer.start()
        places = offsets_at(consumer, wanted, enough)
        timer.cancel()
        if not places:
            raise Transient("the broker did not say in time where the call's records are")
        return places

    def _read(self, consumer: confluent_kafka.Consumer, call_id: str, behind: set[str], last_ms: int) -> list[Update]:
        found: list[Update] = []
        tries = int(PATIENCE_S / 0.5)
        while behind:
            message = consumer.poll(0.5)
            if message is None:
                tries -= 1
                if tries <= 0:
                    raise Transient("the call's records did not come in time")
                continue
            error = message.error()
            if error is not None:
                if error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                    behind.discard(message.topic() or "")
                continue
            if message.timestamp()[1] > last_ms:
                behind.discard(message.topic() or "")
                consumer.incremental_unassign(
                    [confluent_kafka.TopicPartition(message.topic() or "", message.partition() or 0)]
                )
                continue
            if message.key() == call_id.encode():
                found += self._update(message)
        return found

    def _update(self, message: confluent_kafka.Message) -> list[Update]:
        incoming = incoming_from(message, self._topics)
        if incoming.value is None:
            return []
        try:
            change = change_from(incoming)
        except Poison:  # it was dead-lettered when it was new
            return []
        return [change] if isinstance(change, Update) else []


def span_ms(outline: Call) -> tuple[int, int]:
    """Between which moments (wall clock) the records of a finished call were written."""
    moments = [
        moment for record in outline.records("state") for name in ("started_at", "answered_at")
        if (moment := orjson.loads(record).get(name))
    ]  # fmt: skip
    begun = min((int(datetime.fromisoformat(moment).timestamp() * 1000) for moment in moments), default=None)
    last = outline.last_at_ms
    return (last - LONGEST_CALL_MS if begun is None else begun) - BEFORE_MS, last + AFTER_MS
