"""Reading topics without a group: from the start or from some minutes ago, then live, committing nothing.

For what every replica must know whole (roster, devices) or must see all of (screens). The callback runs on the
view's thread; `caught_up` is set once everything that was there at the start has been delivered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import confluent_kafka
import structlog

from services.chassis import metrics
from services.chassis.clock import Clock, SystemClock
from services.chassis.consumer import Incoming, incoming_from
from services.chassis.errors import Poison
from services.chassis.publisher import Publisher
from services.chassis.settings import KafkaSettings
from services.contracts.topics import Topic

log = structlog.get_logger()


class TopicView:
    """Follows all partitions of some topics. `start` begins the thread, `stop` ends it.

    `since_ms` limits how far back reading begins (None: from the beginning). What the callback rejects with
    Poison goes to the dead-letter topic when a `publisher` is given; without one it is only counted.
    `on_place` is told where reading of a partition begins and, at each end of it, which offset comes next there (the
    places of transactions' marks, which are no records, included).
    """

    def __init__(
        self, settings: KafkaSettings, *, topics: Sequence[Topic[Any]], on_record: Callable[[Incoming], None],
        publisher: Publisher | None = None, since_ms: int | None = None, clock: Clock | None = None, name: str = "view",
        fetch_wait_max_ms: int = 100, on_place: Callable[[str, int, int], None] | None = None,
    ) -> None:  # fmt: skip
        self._on_place = on_place
        self._topics = {settings.topic_prefix + topic.name: topic for topic in topics}
        self._on_record = on_record
        self._publisher = publisher
        self._since_ms = since_ms
        self._clock = clock or SystemClock()
        self._stop = threading.Event()
        self.caught_up = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        options = {
            "group.id": f"earshot-{name}-unused",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": fetch_wait_max_ms,
        }
        self._consumer = confluent_kafka.Consumer(options | settings.kafka_options())

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the consumer."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            behind = self._assign()
            while not self._stop.is_set():
                if not behind:
                    self.caught_up.set()
                message = self._consumer.poll(0.1)
                if message is not None:
                    self._take(message, behind)
        except BaseException as error:  # a view that dies unseen would freeze its owner's knowledge
            self.error = error
            log.error("view_stopped", view=self._thread.name, error=type(error).__name__)
            raise
        finally:
            self._consumer.close()

    def _assign(self) -> set[tuple[str, int]]:
        """Assign every partition, waiting for topics that do not exist yet; returns those to be read to their end."""
        partitions: list[confluent_kafka.TopicPartition] = []
        missing = set(self._topics)
        while missing and not self._stop.is_set():
            for name in sorted(missing):
                found = self._partitions(name)
                partitions += found
                if found:
                    missing.discard(name)
            if missing:
                log.info("waiting_for_topics", topics=sorted(missing))
                self._stop.wait(0.5)
        if self._since_ms is not None:
            at_ms = int(self._clock.now().timestamp() * 1000) - self._since_ms
            wanted = [confluent_kafka.TopicPartition(p.topic, p.partition, at_ms) for p in partitions]
            partitions = offsets_at(self._consumer, wanted, self._stop)
        for place in partitions:
            if self._on_place is not None and place.offset >= 0:
                self._on_place(place.topic, place.partition, place.offset)
        self._consumer.assign(partitions)
        return {(p.topic, p.partition) for p in partitions}

    def _partitions(self, name: str) -> list[confluent_kafka.TopicPartition]:
        try:
            found = self._consumer.list_topics(name, timeout=5.0).topics.get(name)
        except confluent_kafka.KafkaException:
            return []
        if found is None or found.error is not None:
            return []
        return [confluent_kafka.TopicPartition(name, p, confluent_kafka.OFFSET_BEGINNING) for p in found.partitions]

    def _take(self, message: confluent_kafka.Message, behind: set[tuple[str, int]]) -> None:
        error = message.error()
        if error is not None:
            if error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                behind.discard((message.topic() or "", message.partition() or 0))
                if self._on_place is not None:
                    self._on_place(message.topic() or "", message.partition() or 0, message.offset() or 0)
            else:
                log.info("view_waiting", error=error.name())
                self._stop.wait(0.2)
            return
        incoming = incoming_from(message, self._topics)
        metrics.CONSUMED.labels(incoming.full_name).inc()
        try:
            self._on_record(incoming)
        except Poison as poison:
            if self._publisher is not None:
                self._publisher.dead_letter(incoming.origin(), poison)
            else:
                metrics.DEAD_LETTERED.labels(incoming.full_name, poison.reason).inc()


def offsets_at(
    consumer: confluent_kafka.Consumer,
    wanted: Sequence[confluent_kafka.TopicPartition],
    stop: threading.Event,
    pause_s: float = 0.5,
) -> list[confluent_kafka.TopicPartition]:
    """Places of the first records at or after the times in `wanted` (ms, as offsets), or the end where there is none.

    Asks again until the broker knows them all: for a partition made a moment ago it has no leader yet. Empty when
    `stop` was set meanwhile.
    """
    while not stop.is_set():
        try:
            places = consumer.offsets_for_times(list(wanted), timeout=10.0)
            unknown = next((place.error for place in places if place.error is not None), None)
        except confluent_kafka.KafkaException as error:
            unknown = error.args[0]
        if unknown is None:
            for place in places:
                if place.offset < 0:
                    place.offset = confluent_kafka.OFFSET_END
            return places
        log.info("view_waiting", error=unknown.name())
        stop.wait(pause_s)
    return []
