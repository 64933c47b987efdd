"""Partitions that are newly ours are handed over to the handler once their progress is known.

A transaction that a dead member left open keeps the committed offsets of its partitions undecided until the broker
ends it. They wait; what the member has already is read on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import confluent_kafka
import structlog

from services.chassis.commits import Place

log = structlog.get_logger()
FIRST_TRY_S = 1.0
TRY_S = 0.1
AGAIN_S = 0.5


class Handover:
    """What waits for its note. Used by the consume loop's thread alone."""

    def __init__(
        self,
        consumer: confluent_kafka.Consumer,
        *,
        assigned: Callable[[str, int, str], None],
        clock_s: Callable[[], float],
    ) -> None:
        """``assigned`` takes over a partition: its topic's full name, its number, its note."""
        self._consumer = consumer
        self._assigned = assigned
        self._clock_s = clock_s
        self._waiting: dict[Place, confluent_kafka.TopicPartition] = {}
        self._due_s = 0.0

    def begin(self, partitions: Sequence[confluent_kafka.TopicPartition]) -> None:
        """Hand these over, at once if the broker answers at once."""
        self._waiting |= {(p.topic, p.partition): p for p in partitions}
        self._due_s = 0.0
        self.tend(try_s=FIRST_TRY_S)

    def tend(self, *, try_s: float = TRY_S) -> None:
        """Ask again, if it is time."""
        if not self._waiting or self._clock_s() < self._due_s:
            return
        try:
            known = self._consumer.committed(list(self._waiting.values()), timeout=try_s)
        except confluent_kafka.KafkaException as error:
            log.info("notes_waiting", count=len(self._waiting), error=error.args[0].name())
            known = []
        for place in known:
            if place.error is None:
                self._assigned(place.topic, place.partition, place.metadata or "")
                self.resume([self._waiting.pop((place.topic, place.partition))])
        self._due_s = self._clock_s() + AGAIN_S

    def forget(self, places: Sequence[Place]) -> None:
        """These go elsewhere."""
        for place in places:
            self._waiting.pop(place, None)

    def resume(self, partitions: Sequence[confluent_kafka.TopicPartition]) -> None:
        """Read on, but for those that still wait."""
        ours = self._consumer.assignment()
        ready = [p for p in partitions if p in ours and (p.topic, p.partition) not in self._waiting]
        if ready:
            self._consumer.resume(ready)

    def put_back(self, message: confluent_kafka.Message) -> bool:
        """Whether a message is of a partition that waits: it is read again when that is handed over."""
        place = place_of(message)
        if (place.topic, place.partition) not in self._waiting:
            return False
        self._consumer.pause([place])
        self._consumer.seek(place)
        return True


def place_of(message: confluent_kafka.Message) -> confluent_kafka.TopicPartition:
    """Where a message lies."""
    return confluent_kafka.TopicPartition(message.topic() or "", message.partition() or 0, message.offset() or 0)
