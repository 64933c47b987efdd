"""Where a partition ends, and what the broker has to say to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import confluent_kafka
import pytest

from services.chassis.ends import Ends
from services.chassis.errors import Transient

EOF = confluent_kafka.KafkaError._PARTITION_EOF
Offsets = tuple[int, int] | None


class Message:
    def __init__(self, error: int | None) -> None:
        self._error = error

    def error(self) -> confluent_kafka.KafkaError | None:
        return None if self._error is None else confluent_kafka.KafkaError(self._error)

    def topic(self) -> str:
        return "audio"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 7


class Consumer:
    """``answer`` is what the broker says; an error's number: nothing."""

    def __init__(self) -> None:
        self.answer: Offsets | int = (0, 7)

    def get_watermark_offsets(self, place: confluent_kafka.TopicPartition, **_: Any) -> Offsets:
        assert (place.topic, place.partition) == ("audio", 3)
        if isinstance(self.answer, int):
            raise confluent_kafka.KafkaException(confluent_kafka.KafkaError(self.answer))
        return self.answer


class Handler:
    def __init__(self) -> None:
        self.ends: list[tuple[str, int, Callable[[], bool]]] = []

    def reached_end(self, full_name: str, partition: int, still: Callable[[], bool]) -> None:
        self.ends.append((full_name, partition, still))


def test_an_end_is_one_as_long_as_the_broker_has_no_more() -> None:
    consumer, handler = Consumer(), Handler()
    assert Ends(consumer, handler).is_end(Message(EOF))
    ((name, partition, still),) = handler.ends
    assert (name, partition, still()) == ("audio", 3, True)
    consumer.answer = (0, 8)
    assert not still()


@pytest.mark.parametrize("answer", [None, confluent_kafka.KafkaError._TRANSPORT])
def test_a_broker_that_does_not_answer_confirms_nothing(answer: Offsets | int) -> None:
    consumer, handler = Consumer(), Handler()
    Ends(consumer, handler).is_end(Message(EOF))
    consumer.answer = answer
    with pytest.raises(Transient, match="where a partition ends"):
        handler.ends[0][2]()


def test_what_is_no_end_is_left_to_others_and_who_follows_no_ends_hears_of_none() -> None:
    handler = Handler()
    ends = Ends(Consumer(), handler)
    assert not ends.is_end(Message(None))
    assert not ends.is_end(Message(confluent_kafka.KafkaError._TRANSPORT))
    assert not handler.ends
    assert Ends(Consumer(), object()).is_end(Message(EOF))
