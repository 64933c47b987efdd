from __future__ import annotations

import threading
from typing import Any

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition

from services.chassis.topic_view import offsets_at


class ScriptedConsumer:
    """Answers `offsets_for_times` from a script; an exception in it is raised."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)

    def offsets_for_times(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        answer = self.script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [TopicPartition(p.topic, p.partition, offset) for p, offset in zip(partitions, answer, strict=True)]


WANTED = [TopicPartition("t", 0, 1_000), TopicPartition("t", 1, 1_000)]


def test_a_partition_without_a_leader_is_asked_for_again() -> None:
    no_leader = confluent_kafka.KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
    consumer: Any = ScriptedConsumer(no_leader, no_leader, [7, 9])
    places = offsets_at(consumer, WANTED, threading.Event(), pause_s=0.0)
    assert [p.offset for p in places] == [7, 9]
    assert consumer.script == []


def test_where_nothing_is_that_new_reading_begins_at_the_end() -> None:
    consumer: Any = ScriptedConsumer([7, -1])
    places = offsets_at(consumer, WANTED, threading.Event())
    assert [p.offset for p in places] == [7, confluent_kafka.OFFSET_END]


def test_a_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    stop.set()
    assert offsets_at(ScriptedConsumer(), WANTED, stop) == []  # type: ignore[arg-type]
