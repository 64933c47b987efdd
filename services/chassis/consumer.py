"""Reading from topics in a consumer group: the loop that handles, dead-letters, retries and commits.

The handler is called on the loop's thread, one message at a time, in each partition's order. What it raises
decides: `Poison` sends the message to the dead-letter topic and goes on; `Transient` and `Backpressure` try the
same message again, the assignment paused meanwhile so that the group stays intact; anything else ends the loop.

An offset is committed once its message is handled, unless the handler holds it back: see `Handler.safe_offset`.
With a `committer` that is also the publisher, outputs and offsets go in one transaction: see `transactions`. A
handler then publishes only once the message at hand is taken into its state, or its retry would publish again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol, runtime_checkable

import confluent_kafka
import msgspec
import structlog

from services.chassis import metrics
from services.chassis.commits import Commits, Committer
from services.chassis.ends import Ends, FollowsEnds
from services.chassis.errors import Backpressure, Fatal, Poison, Transient
from services.chassis.handover import Handover, place_of
from services.chassis.health import Health
from services.chassis.publisher import Origin, Publisher
from services.chassis.settings import KafkaSettings
from services.contracts.topics import Topic

log = structlog.get_logger()
MAX_RETRY_S = 10.0
MAX_BACKPRESSURE_S = 0.5
BREATH_S = 0.05
GONE_FOR_NOW = {
    confluent_kafka.KafkaError._ALL_BROKERS_DOWN,
    confluent_kafka.KafkaError._TRANSPORT,
    confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART,
    confluent_kafka.KafkaError._UNKNOWN_TOPIC,
    confluent_kafka.KafkaError._UNKNOWN_PARTITION,
    confluent_kafka.KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    confluent_kafka.KafkaError.COORDINATOR_NOT_AVAILABLE,
    confluent_kafka.KafkaError.NOT_COORDINATOR,
}


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it came; `topic` is the registry's entry, `full_name` the broker's name."""

    topic: Topic[Any]
    full_name: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp_ms: int

    def origin(self) -> Origin:
        """What its dead letter would say."""
        return Origin(
            topic=self.full_name, partition=self.partition, offset=self.offset, key=self.key.encode(), value=self.value,
            headers=self.headers,
        )  # fmt: skip


class Handler(Protocol):
    """What a service does with its messages; every method is called on the loop's thread."""

    def handle(self, message: Incoming) -> None:
        """Take one message."""
        ...

    def idle(self) -> None:
        """Called at least every 200 ms, between messages, for timers and finished work."""
        ...

    def safe_offset(self, full_name: str, partition: int, position: int) -> int:
        """The offset to commit: `position` (the next to read) or an earlier one that a restart must see again."""
        ...

    def revoked(self, full_name: str, partition: int, *, lost: bool) -> None:
        """The partition goes elsewhere: finish or drop its state before returning; `lost`: it is gone already."""
        ...


@runtime_checkable
class RemembersProgress(Protocol):
    """What a handler has besides when it keeps a note with its committed offsets (at most 4,096 bytes each)."""

    def assigned(self, full_name: str, partition: int, note: str) -> None:
        """The partition is ours; `note` is what its last owner left, or empty."""
        ...

    def note(self, full_name: str, partition: int) -> str:
        """What to commit beside the offset that `safe_offset` has just given."""
        ...


class ConsumeLoop:
    """One consumer group member. `run` blocks until `stop` is set."""

    def __init__(
        self, settings: KafkaSettings, *, group: str, topics: Sequence[Topic[Any]], handler: Handler,
        publisher: Publisher, health: Health, group_instance_id: str = "", start: str = "earliest",
        fetch_wait_max_ms: int = 100, session_timeout_ms: int = 10_000, poll_s: float = 0.1, assignor: str = "",
        committer: Committer | None = None,
    ) -> None:  # fmt: skip
        self._topics = {settings.topic_prefix + topic.name: topic for topic in topics}
        self._handler = handler
        self._publisher = publisher
        self._health = health
        self._committer = committer
        self._broken = False
        self._in_hand: tuple[str, int] | None = None
        self._poll_s = poll_s
        options = {
            "group.id": group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": start,
            # Alike for all topics: one member holds the same partitions of each, so a call's records stay together.
            "partition.assignment.strategy": "range",
            "session.timeout.ms": session_timeout_ms,
            "heartbeat.interval.ms": max(session_timeout_ms // 5, 200),
            "fetch.wait.max.ms": fetch_wait_max_ms,
            "topic.metadata.refresh.interval.ms": 10_000,
            "enable.partition.eof": isinstance(handler, FollowsEnds),
        }
        if group_instance_id:
            options["group.instance.id"] = group_instance_id
        if assignor:
            options["partition.assignment.strategy"] = assignor
        self._consumer = confluent_kafka.Consumer(options | settings.kafka_options())
        self._ends = Ends(self._consumer, handler)

    def run(self, stop: threading.Event, clock_s: Callable[[], float]) -> None:
        """Read until `stop`; commits what is safe at the end. Raises Fatal when the broker says never."""
        self._health.waiting("consumer", "no partitions assigned yet")
        self._handover = Handover(self._consumer, assigned=self._hand_over, clock_s=clock_s)
        self._commits = Commits(
            self._consumer, safe_offset=self._handler.safe_offset, note=self._note, clock_s=clock_s,
            committer=self._committer,
        )  # fmt: skip
        self._consumer.subscribe(
            list(self._topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        try:
            while not stop.is_set():
                message = self._consumer.poll(self._poll_s)
                if message is not None:
                    self._take(message, stop)
                self._handler.idle()
                self._commits.tend()
                self._handover.tend()
            self._commit_at_end()
        except BaseException:
            self._broken = True
            raise
        finally:
            self._consumer.close()

    def _take(self, message: confluent_kafka.Message, stop: threading.Event) -> None:
        error = message.error()
        if error is not None:
            if self._ends.is_end(message):
                return
            if error.code() in GONE_FOR_NOW or error.retriable():
                log.info("consume_waiting", error=error.name())
                stop.wait(0.2)
                return
            raise Fatal(f"the broker refused reading: {error.name()}")
        if self._handover.put_back(message):
            return
        incoming = self._incoming(message)
        self._in_hand = (incoming.full_name, incoming.partition)
        metrics.CONSUMED.labels(incoming.full_name).inc()
        try:
            with metrics.HANDLE_SECONDS.labels(incoming.full_name).time():
                handled = self._handle(incoming, stop)
        except Poison as poison:
            self._publisher.dead_letter(incoming.origin(), poison)
            handled = True
        if handled:
            self._commits.read(incoming.full_name, incoming.partition, incoming.offset + 1)

    def _handle(self, incoming: Incoming, stop: threading.Event) -> bool:
        """Whether the message was handled; False when the service was stopped before it could be, or when its partition
        went elsewhere meanwhile: then it is for whoever has that now, and reads on from what was committed.
        """
        wait_s = 0.05
        while True:
            try:
                self._handler.handle(incoming)
                return True
            except (Transient, Backpressure) as error:
                metrics.RETRIED.labels(incoming.full_name).inc()
                least_s = error.retry_after_ms / 1000 if isinstance(error, Transient) else 0.0
                if not self._pause_for(max(wait_s, least_s), stop) or self._in_hand is None:
                    return False
                wait_s = min(wait_s * 2, MAX_RETRY_S if isinstance(error, Transient) else MAX_BACKPRESSURE_S)

    def _pause_for(self, seconds: float, stop: threading.Event) -> bool:
        """Keep the membership alive without reading on; whether to try again."""
        assignment = self._consumer.assignment()
        self._consumer.pause(assignment)
        strayed = self._consumer.poll(0)
        if strayed is not None and not self._ends.is_end(strayed) and strayed.error() is None:
            self._consumer.seek(place_of(strayed))  # of a partition assigned just now
        stopped = False
        while seconds > 0 and not stopped:
            stopped = stop.wait(min(seconds, BREATH_S))
            seconds -= BREATH_S
            self._handler.idle()
            self._commits.tend()
            self._handover.tend()
        self._handover.resume(self._consumer.assignment())
        return not stopped

    def _note(self, full_name: str, partition: int) -> str:
        return self._handler.note(full_name, partition) if isinstance(self._handler, RemembersProgress) else ""

    def _commit_at_end(self) -> None:
        try:
            self._commits.commit()
        except Transient:
            log.warning("commit_failed_at_end")  # leaving the group tries once more

    def _assigned(self, _: confluent_kafka.Consumer, partitions: list[confluent_kafka.TopicPartition]) -> None:
        log.info("partitions_assigned", count=len(partitions))
        if isinstance(self._handler, RemembersProgress) and partitions:
            self._handover.begin(partitions)
        self._health.ready("consumer")

    def _hand_over(self, full_name: str, partition: int, note: str) -> None:
        if isinstance(self._handler, RemembersProgress):
            self._handler.assigned(full_name, partition, note)

    def _revoked(self, _: confluent_kafka.Consumer, partitions: list[confluent_kafka.TopicPartition]) -> None:
        self._part(partitions, lost=self._broken and self._committer is not None)

    def _lost(self, _: confluent_kafka.Consumer, partitions: list[confluent_kafka.TopicPartition]) -> None:
        self._part(partitions, lost=True)

    def _part(self, partitions: list[confluent_kafka.TopicPartition], *, lost: bool) -> None:
        places = [(p.topic, p.partition) for p in partitions]
        log.info("partitions_revoked", count=len(places), lost=lost)
        self._handover.forget(places)
        with suppress(confluent_kafka.KafkaException):
            self._consumer.resume(partitions)  # else they would be paused still should they come back
        if self._in_hand in places:
            self._in_hand = None
        for name, partition in places:
            self._handler.revoked(name, partition, lost=lost)
        if lost:
            self._commits.lost(places)
        else:
            self._commits.revoked(places)

    def _incoming(self, message: confluent_kafka.Message) -> Incoming:
        return incoming_from(message, self._topics)


def incoming_from(message: confluent_kafka.Message, topics: dict[str, Topic[Any]]) -> Incoming:
    """A librdkafka message as ours; `topics` maps full names to registry entries."""
    name = message.topic() or ""
    key = message.key() or b""
    value = message.value()
    return Incoming(
        topic=topics[name],
        full_name=name,
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        key=key.decode(errors="replace") if isinstance(key, bytes) else key,
        value=value.encode() if isinstance(value, str) else value,
        headers=tuple(_header_pairs(message)),
        timestamp_ms=message.timestamp()[1],
    )


def _header_pairs(message: confluent_kafka.Message) -> list[tuple[str, bytes | None]]:
    headers: Any = message.headers() or []  # typed as a dict too, which reading never gives
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in headers]
