"""Writing to topics: records in, acknowledged messages out, dead letters included.

`Publisher` is the port that services see; `KafkaPublisher` the real one, `testing.FakePublisher` the fake.
All of it is thread-safe. Delivery is asynchronous: `flush` waits for the acknowledgements, and a record that the
broker never took makes `failed` true and the health unready, so that the service can stop instead of losing on.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import confluent_kafka
import msgspec
import structlog

from services.chassis import metrics
from services.chassis.clock import Clock, SystemClock, format_utc
from services.chassis.errors import Backpressure, Fatal, Poison
from services.chassis.health import Health
from services.chassis.records import Headers, cloud_event_headers, encode, encode_headers
from services.chassis.settings import KafkaSettings
from services.contracts.topics import Topic

log = structlog.get_logger()
RecordT = TypeVar("RecordT", bound=msgspec.Struct)
RawHeaders = Sequence[tuple[str, bytes | None]]


class Publisher(Protocol):
    """What a service writes with."""

    def publish(self, topic: Topic[RecordT], key: str, record: RecordT, *, event_id: str) -> None:
        """Send a JSON record; `event_id` becomes `ce_id`. Raises Backpressure when the local queue is full."""
        ...

    def publish_value(self, topic: Topic[Any], key: str, value: bytes | None, *, event_id: str) -> None:
        """Send a value that is encoded already, or a tombstone (None)."""
        ...

    def publish_bytes(self, topic: Topic[RecordT], key: str, value: bytes, metadata: RecordT, *, event_id: str) -> None:
        """Send raw bytes, the record as headers (`audio.chunks`)."""
        ...

    def dead_letter(self, origin: Origin, poison: Poison) -> None:
        """Keep what could not be read on `<topic>.dlq`, as it came, with the reason."""
        ...

    def flush(self, timeout_s: float) -> bool:
        """Wait for the broker; whether everything was acknowledged."""
        ...


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message came from, and what it was, for its dead letter. `topic` is the full name."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def dead_letter_headers(
    origin: Origin, poison: Poison, *, service: str, at: datetime
) -> list[tuple[str, bytes | None]]:
    """The origin's headers and those that say why it is here; `dlq_id` is the same for a repeated reading."""
    why = {
        "dlq_id": f"{origin.topic}/{origin.partition}/{origin.offset}",
        "dlq_reason": poison.reason,
        "dlq_detail": poison.detail,
        "dlq_topic": origin.topic,
        "dlq_partition": str(origin.partition),
        "dlq_offset": str(origin.offset),
        "dlq_service": service,
        "dlq_at": format_utc(at),
    }
    kept: list[tuple[str, bytes | None]] = [h for h in origin.headers if not h[0].startswith("dlq_")]
    return kept + [(name, text.encode()) for name, text in why.items()]


class DeadLetterLimit:
    """Stops a service that dead-letters more than `limit` records within a minute.

    Of one key (one call) only a tenth of the limit counts: one source that sends nonsense stops nobody else.
    """

    def __init__(self, limit: int, clock: Clock) -> None:
        self._limit = limit
        self._of_one = max(1, limit // 10)
        self._clock = clock
        self._times: list[tuple[float, bytes | None]] = []

    def count(self, key: bytes | None = None) -> None:
        """Take note of one more; raises Fatal past the limit."""
        now = self._clock.monotonic_s()
        self._times = [(t, k) for t, k in self._times if now - t < 60.0]
        if key and sum(k == key for _, k in self._times) >= self._of_one:
            return
        self._times.append((now, key))
        if len(self._times) > self._limit:
            raise Fatal(f"more than DEAD_LETTER_LIMIT={self._limit} dead letters within a minute; stopping")


class RecordWriter(ABC):
    """A Publisher but for how a finished message is sent and flushed."""

    def __init__(self, settings: KafkaSettings, *, service: str, clock: Clock, dead_letter_limit: int) -> None:
        self._prefix = settings.topic_prefix
        self._service = service
        self._clock = clock
        self._limit = DeadLetterLimit(dead_letter_limit, clock)

    @abstractmethod
    def flush(self, timeout_s: float) -> bool:
        """Wait for acknowledgements."""

    @abstractmethod
    def _produce(self, name: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> None:
        """Send to the topic of this full name."""

    def publish(self, topic: Topic[RecordT], key: str, record: RecordT, *, event_id: str) -> None:
        """Send a JSON record."""
        self._send(topic, key, encode(record), self._headers(topic, key, event_id))

    def publish_value(self, topic: Topic[Any], key: str, value: bytes | None, *, event_id: str) -> None:
        """Send a value that is encoded already, or a tombstone."""
        self._send(topic, key, value, self._headers(topic, key, event_id))

    def publish_bytes(self, topic: Topic[RecordT], key: str, value: bytes, metadata: RecordT, *, event_id: str) -> None:
        """Send raw bytes, the record as headers."""
        self._send(topic, key, value, self._headers(topic, key, event_id) + encode_headers(metadata))

    def dead_letter(self, origin: Origin, poison: Poison) -> None:
        """Keep an unreadable message; raises Fatal past the limit."""
        headers = dead_letter_headers(origin, poison, service=self._service, at=self._clock.now())
        where = {"topic": origin.topic, "partition": origin.partition, "offset": origin.offset}
        log.warning("dead_lettered", reason=poison.reason, detail=poison.detail, **where)
        metrics.DEAD_LETTERED.labels(origin.topic, poison.reason).inc()
        self._produce(f"{origin.topic}.dlq", origin.key, origin.value, headers)
        self._limit.count(origin.key)

    def _headers(self, topic: Topic[Any], key: str, event_id: str) -> Headers:
        return cloud_event_headers(topic, source=self._service, event_id=event_id, at=self._clock.now(), key=key)

    def _send(self, topic: Topic[Any], key: str, value: bytes | None, headers: Headers) -> None:
        self._produce(self._prefix + topic.name, key.encode(), value, headers)


class KafkaPublisher(RecordWriter):
    """A confluent-kafka producer with its own poll thread."""

    def __init__(
        self, settings: KafkaSettings, *, service: str, health: Health | None = None, clock: Clock | None = None,
        dead_letter_limit: int = 100, linger_ms: int = 5,
    ) -> None:  # fmt: skip
        super().__init__(settings, service=service, clock=clock or SystemClock(), dead_letter_limit=dead_letter_limit)
        self._health = health
        options = {"linger.ms": linger_ms, "enable.idempotence": True, "compression.type": "none"}
        self._producer = confluent_kafka.Producer(options | settings.kafka_options())
        self.failed = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="publisher", daemon=True)
        self._thread.start()

    def flush(self, timeout_s: float) -> bool:
        """Wait for acknowledgements."""
        return bool(self._producer.flush(timeout_s) == 0) and not self.failed

    def close(self, timeout_s: float = 10.0) -> bool:
        """Flush and stop the poll thread; whether everything was acknowledged."""
        flushed = self.flush(timeout_s)
        self._closing.set()
        self._thread.join()
        return flushed

    def _produce(self, name: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> None:
        try:
            self._producer.produce(name, value=value, key=key, headers=list(headers), on_delivery=self._delivered)
        except BufferError:
            raise Backpressure("the producer's queue is full") from None

    def _delivered(self, error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message) -> None:
        topic = message.topic() or "unknown"
        if error is None:
            metrics.PUBLISHED.labels(topic).inc()
            return
        self.failed = True
        metrics.PUBLISH_FAILED.labels(topic).inc()
        log.error("publish_failed", topic=topic, error=error.name())
        if self._health is not None:
            self._health.failed("publisher", f"{topic}: {error.name()}")

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(0.1)
