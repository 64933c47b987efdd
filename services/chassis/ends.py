"""Where partitions end, for a handler that must tell silence from lag."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol, runtime_checkable

import confluent_kafka

from services.chassis.errors import Transient
from services.chassis.handover import place_of

ASK_S = 0.5


@runtime_checkable
class FollowsEnds(Protocol):
    """What a handler of the consume loop has besides when it follows where partitions end."""

    def reached_end(self, full_name: str, partition: int, still: Callable[[], bool]) -> None:
        """All that the partition holds has been handled; more may come.

        ``still`` asks the broker whether none has: while other partitions' backlog is handled, what is there of this
        one waits behind it. It is for the loop's thread, takes half a second at most, and raises Transient where the
        broker does not answer.
        """
        ...


class Ends:
    """Tells a handler of ends. Used by the consume loop's thread alone."""

    def __init__(self, consumer: confluent_kafka.Consumer, handler: object) -> None:
        """``handler`` hears of them if it ``FollowsEnds``."""
        self._consumer = consumer
        self._reached = handler.reached_end if isinstance(handler, FollowsEnds) else None

    def is_end(self, message: confluent_kafka.Message) -> bool:
        """Whether this is none but the word that a partition has been read to its end; then it is passed on."""
        error = message.error()
        if error is None or error.code() != confluent_kafka.KafkaError._PARTITION_EOF:
            return False
        if self._reached is not None:
            end = place_of(message)
            self._reached(end.topic, end.partition, partial(self._is_still, end))
        return True

    def _is_still(self, end: confluent_kafka.TopicPartition) -> bool:
        try:
            offsets = self._consumer.get_watermark_offsets(end, timeout=ASK_S, cached=False)
        except confluent_kafka.KafkaException as error:
            raise Transient(f"the broker does not say where a partition ends: {error.args[0].name()}") from None
        if offsets is None:
            raise Transient("the broker does not say in time where a partition ends")
        return bool(offsets[1] <= end.offset)
