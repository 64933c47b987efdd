"""Outputs and offsets go together or not at all; what was aborted goes again, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import confluent_kafka
import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from services.chassis.commits import Commits
from services.chassis.errors import Fatal, Transient
from services.chassis.health import Health
from services.chassis.settings import KafkaSettings
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.transactions import GIVE_UP_AFTER, TransactionalPublisher, transactional_id
from services.contracts.topics import CALLS_STATE

TOPIC = "earshot.audio.chunks.v1"
ABORTABLE = KafkaError(KafkaError.UNKNOWN_MEMBER_ID, "no", False, False, True)
FENCED = KafkaError(KafkaError._FENCED, "no", True, False, False)
LATER = KafkaError(KafkaError._TIMED_OUT, "no", False, True, False)
Step = Literal["send_offsets", "commit"]


@dataclass
class FakeProducer:
    """A transaction log: what was committed, as (values, offsets) each."""

    committed: list[tuple[list[bytes | None], dict[tuple[str, int], tuple[int, str]]]] = field(default_factory=list)
    aborted: int = 0
    errors: list[tuple[Step, KafkaError]] = field(default_factory=list)
    _open: bool = False
    _values: list[bytes | None] = field(default_factory=list)
    _offsets: dict[tuple[str, int], tuple[int, str]] = field(default_factory=dict)

    def init_transactions(self, timeout: float) -> None:
        pass

    def begin_transaction(self) -> None:
        assert not self._open
        self._open, self._values, self._offsets = True, [], {}

    def produce(self, topic: str, *, value: bytes | None, key: bytes | None, headers: Any) -> None:
        assert self._open
        self._values.append(value)

    def send_offsets_to_transaction(self, positions: list[TopicPartition], group_metadata: Any, timeout: float) -> None:
        self._fail("send_offsets")
        assert group_metadata == "group"
        self._offsets = {(p.topic, p.partition): (p.offset, p.metadata or "") for p in positions}

    def commit_transaction(self, timeout: float) -> None:
        self._fail("commit")
        self._open = False
        self.committed.append((self._values, self._offsets))

    def abort_transaction(self, timeout: float) -> None:
        self._open = False
        self.aborted += 1

    def _fail(self, step: Step) -> None:
        if self.errors and self.errors[0][0] == step:
            raise KafkaException(self.errors.pop(0)[1])


class FakeConsumer:
    def __init__(self) -> None:
        self.commits: list[list[TopicPartition]] = []

    def commit(self, *, offsets: list[confluent_kafka.TopicPartition], asynchronous: Literal[False]) -> Any:
        self.commits.append(offsets)

    def consumer_group_metadata(self) -> Any:
        return "group"


class Bench:
    """A handler that publishes what it is told, its marks the number of outputs so far, with fakes around it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.producer, self.consumer = FakeProducer(), FakeConsumer()
        self.publisher = TransactionalPublisher(
            KafkaSettings(), service="test", transactional_id="t", health=Health(), producer=self.producer
        )
        self.made = 0
        self.commits = Commits(
            self.consumer, safe_offset=lambda _, __, position: position, note=lambda _, __: str(self.made),
            clock_s=self.clock.monotonic_s, committer=self.publisher,
        )  # fmt: skip
        self.position = 0

    def hear(self, *, outputs: int = 0) -> None:
        self.position += 1
        for _ in range(outputs):
            self.made += 1
            self.publisher.publish_value(CALLS_STATE, "s-1", str(self.made).encode(), event_id=str(self.made))
        self.commits.read(TOPIC, 0, self.position)
        self.commits.tend()

    @property
    def published(self) -> list[bytes | None]:
        return [value for values, _ in self.producer.committed for value in values]

    def check(self) -> None:
        """At each commit the marks are those of all outputs so far, and none came twice."""
        so_far = 0
        for values, offsets in self.producer.committed:
            so_far += len(values)
            assert {note for _, note in offsets.values()} == {str(so_far)}
        assert self.published == [str(n + 1).encode() for n in range(so_far)]


def test_outputs_leave_at_once_with_their_offsets_and_offsets_alone_each_second() -> None:
    bench = Bench()
    bench.hear()
    assert bench.producer.committed == []
    bench.hear(outputs=2)
    assert bench.producer.committed == [([b"1", b"2"], {(TOPIC, 0): (2, "2")})]
    bench.hear()
    bench.clock.advance_ms(1_000)
    bench.commits.tend()
    assert bench.producer.committed[1:] == [([], {(TOPIC, 0): (3, "2")})]
    bench.clock.advance_ms(1_000)
    bench.commits.tend()
    assert len(bench.producer.committed) == 2
    assert bench.consumer.commits == []


@pytest.mark.parametrize("step", ["send_offsets", "commit"])
def test_an_abort_loses_nothing_and_repeats_nothing(step: Step) -> None:
    bench = Bench()
    bench.producer.errors = [(step, ABORTABLE), (step, ABORTABLE)]
    for _ in range(8):
        bench.hear(outputs=1)
        bench.clock.advance_ms(600)
    bench.commits.commit()
    assert bench.producer.aborted == 2
    assert bench.made == len(bench.published) == 8
    bench.check()


@pytest.mark.parametrize("step", ["send_offsets", "commit"])
def test_a_step_that_may_be_repeated_is(step: Step) -> None:
    bench = Bench()
    bench.producer.errors = [(step, LATER)]
    bench.hear(outputs=1)
    assert (bench.published, bench.producer.aborted) == ([b"1"], 0)


def test_who_is_fenced_ends() -> None:
    bench = Bench()
    bench.producer.errors = [("commit", FENCED)]
    with pytest.raises(Fatal, match="_FENCED"):
        bench.hear(outputs=1)
    assert bench.producer.committed == []


def test_aborts_without_end_end_the_process() -> None:
    bench = Bench()
    bench.producer.errors = [("commit", ABORTABLE)] * GIVE_UP_AFTER
    bench.publisher.publish_value(CALLS_STATE, "s-1", b"1", event_id="1")
    for _ in range(GIVE_UP_AFTER - 1):
        with pytest.raises(Transient):
            bench.commits.commit()
    with pytest.raises(Fatal):
        bench.commits.commit()


def test_a_partition_that_leaves_takes_its_outputs_along_or_the_process_ends() -> None:
    bench = Bench()
    bench.publisher.publish_value(CALLS_STATE, "s-1", b"1", event_id="1")
    bench.commits.read(TOPIC, 0, 1)
    bench.commits.read(TOPIC, 1, 5)
    bench.commits.revoked([(TOPIC, 0)])
    assert bench.producer.committed == [([b"1"], {(TOPIC, 0): (1, "0"), (TOPIC, 1): (5, "0")})]
    bench.publisher.publish_value(CALLS_STATE, "s-1", b"2", event_id="2")
    bench.producer.errors = [("commit", ABORTABLE)]
    with pytest.raises(Fatal):
        bench.commits.revoked([(TOPIC, 1)])


def test_outputs_of_partitions_that_are_lost_are_dropped() -> None:
    bench = Bench()
    bench.publisher.publish_value(CALLS_STATE, "s-1", b"1", event_id="1")
    bench.commits.read(TOPIC, 0, 1)
    bench.commits.lost([(TOPIC, 0)])
    bench.commits.commit()
    assert (bench.publisher.pending, bench.producer.committed) == (0, [])


def test_without_a_committer_offsets_are_committed_each_second() -> None:
    clock, consumer = FakeClock(), FakeConsumer()
    safe: Callable[[str, int, int], int] = lambda _, __, position: position - 2  # noqa: E731
    commits = Commits(consumer, safe_offset=safe, note=lambda _, __: "note", clock_s=clock.monotonic_s)
    commits.read(TOPIC, 0, 7)
    commits.tend()
    assert consumer.commits == []
    clock.advance_ms(1_000)
    commits.tend()
    ((place,),) = consumer.commits
    assert (place.offset, place.metadata) == (5, "note")


def test_the_transactional_id_is_a_place() -> None:
    settings = KafkaSettings()
    assert transactional_id(settings, group="transcriber", instance_id="pod-1") == "earshot.transcriber-pod-1"
    nameless = transactional_id(settings, group="transcriber", instance_id="")
    assert nameless.startswith("earshot.transcriber-")
    assert nameless != "earshot.transcriber-"
