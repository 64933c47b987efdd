"""Reading from a broker that answers a fetch at once, though there is nothing to read.

Kafka lets a fetch wait for up to `fetch.wait.max.ms`; the demo's embedded broker does not, so that every idle consumer
asks some ten thousand times a second. With `KAFKA_IDLE_REST_MS` a consumer that found nothing rests for so long before
it asks again.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import confluent_kafka

LOOK_S = 0.005


class PausableConsumer(Protocol):
    """What is used of `confluent_kafka.Consumer`."""

    def poll(self, timeout: float) -> confluent_kafka.Message | None:
        """One message, event or error."""
        ...

    def assignment(self) -> list[confluent_kafka.TopicPartition]:
        """What is read."""
        ...

    def pause(self, partitions: list[confluent_kafka.TopicPartition]) -> Any:
        """Ask for no more."""
        ...

    def resume(self, partitions: list[confluent_kafka.TopicPartition]) -> Any:
        """Ask again."""
        ...


def poll(consumer: PausableConsumer, timeout_s: float, *, rest_ms: int) -> confluent_kafka.Message | None:
    """`consumer.poll`, with rests where `rest_ms` is not 0. For the one thread that polls it."""
    if not rest_ms:
        return consumer.poll(timeout_s)
    deadline_s = time.monotonic() + timeout_s
    message = consumer.poll(LOOK_S)
    while message is None and time.monotonic() < deadline_s:
        places = consumer.assignment()
        consumer.pause(places)
        time.sleep(rest_ms / 1000)
        consumer.resume(places)
        message = consumer.poll(LOOK_S)
    return message
