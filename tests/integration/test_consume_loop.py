"""The consume loop on a real broker, where its unit tests' fakes cannot tell."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import confluent_kafka

from services.chassis.consumer import ConsumeLoop, Incoming
from services.chassis.errors import Backpressure
from services.chassis.health import Health
from services.chassis.publisher import KafkaPublisher
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.contracts.topics import TELEPHONY_EVENTS
from tests.support.brokers import Broker

WAIT_S = 60.0


class Notebook:
    """A handler that writes down what it is given; it has no room for ``refused`` while that is set."""

    def __init__(self, refused: tuple[int, int] | None = None) -> None:
        self.refused = refused
        self.refusals = self.partings = 0
        self.notes: dict[int, str] = {}
        self.heard: list[tuple[int, int]] = []
        self.breaths = 0

    def assigned(self, full_name: str, partition: int, note: str) -> None:
        self.notes[partition] = note

    def note(self, full_name: str, partition: int) -> str:
        return f"upto-{partition}"

    def handle(self, message: Incoming) -> None:
        assert message.partition in self.notes, "read before its note was known"
        if (message.partition, message.offset) == self.refused:
            self.refusals += 1
            raise Backpressure("full")
        self.heard.append((message.partition, message.offset))

    def idle(self) -> None:
        self.breaths += 1

    def safe_offset(self, full_name: str, partition: int, position: int) -> int:
        return position

    def revoked(self, full_name: str, partition: int, *, lost: bool) -> None:
        self.notes.pop(partition, None)
        self.partings += 1


def test_the_loop_lives_while_the_progress_of_new_partitions_is_undecided(broker: Broker, topic_prefix: str) -> None:
    settings = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=topic_prefix)
    ensure_topics(settings, partitions=2)
    topic, group = topic_prefix + TELEPHONY_EVENTS.name, f"{topic_prefix}notes"
    connection = {"bootstrap.servers": broker.bootstrap_servers}
    _produce(broker, topic, {0: 10, 1: 10})
    # A member that died within a transaction, as the broker sees it.
    dead = confluent_kafka.Producer(connection | {"transactional.id": f"{topic_prefix}dead"})
    dead.init_transactions(WAIT_S)
    member = confluent_kafka.Consumer(connection | {"group.id": group})
    dead.begin_transaction()
    place = confluent_kafka.TopicPartition(topic, 1, 3, "upto-3")
    dead.send_offsets_to_transaction([place], member.consumer_group_metadata(), WAIT_S)

    notebook, health, stop = Notebook(), Health(), threading.Event()
    publisher = KafkaPublisher(settings, service="test", health=health)
    loop = ConsumeLoop(
        settings, group=group, topics=[TELEPHONY_EVENTS], handler=notebook, publisher=publisher, health=health
    )
    thread = threading.Thread(target=loop.run, args=(stop, time.monotonic))
    thread.start()
    try:
        _wait(lambda: health.report(readiness=True)[0])
        breaths = notebook.breaths
        _wait(lambda: notebook.breaths > breaths + 20)
        assert (notebook.notes, notebook.heard) == ({}, [])
        dead.commit_transaction(WAIT_S)
        expected = [(0, offset) for offset in range(10)] + [(1, offset) for offset in range(3, 10)]
        _wait(lambda: len(notebook.heard) >= len(expected))
        assert sorted(notebook.heard) == expected
        assert notebook.notes == {0: "", 1: "upto-3"}
    finally:
        stop.set()
        thread.join(WAIT_S)
        publisher.close()
        member.close()


def test_a_message_that_waits_for_room_is_not_handled_once_its_partition_was_taken(
    broker: Broker, topic_prefix: str
) -> None:
    """Whoever has the partition then reads it again; else it would count as read there, and what is before it not."""
    settings = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=topic_prefix)
    ensure_topics(settings, partitions=2)
    _produce(broker, topic_prefix + TELEPHONY_EVENTS.name, {0: 10, 1: 10})
    health, stop = Health(), threading.Event()
    publisher = KafkaPublisher(settings, service="test", health=health)
    notebooks = [Notebook(refused=(1, 3)), Notebook()]
    loops = [
        ConsumeLoop(
            settings, group=f"{topic_prefix}moves", topics=[TELEPHONY_EVENTS], handler=notebook,
            publisher=publisher, health=health, session_timeout_ms=6_000,
        )
        for notebook in notebooks
    ]  # fmt: skip
    threads = [threading.Thread(target=loop.run, args=(stop, time.monotonic)) for loop in loops]
    try:
        threads[0].start()
        _wait(lambda: notebooks[0].refusals > 1)
        threads[1].start()
        _wait(lambda: notebooks[0].partings >= 2 and all(notebook.notes for notebook in notebooks))
        notebooks[0].refused = None
        _wait(lambda: len({heard for notebook in notebooks for heard in notebook.heard}) == 20)
        time.sleep(0.5)
        heard = [heard for notebook in notebooks for heard in notebook.heard]
        assert sorted(heard) == [(partition, offset) for partition in range(2) for offset in range(10)]
    finally:
        stop.set()
        for thread in threads:
            thread.join(WAIT_S)
        publisher.close()


class EndsNoted(Notebook):
    """Asks whether the ends that it heard of are so still: at each breath, and while it is ``busy`` with a message."""

    def __init__(self, busy_with: tuple[int, int]) -> None:
        super().__init__()
        self.busy_with = busy_with
        self.busy = threading.Event()
        self.still: dict[int, Callable[[], bool]] = {}
        self.at_ends: set[int] = set()

    def reached_end(self, full_name: str, partition: int, still: Callable[[], bool]) -> None:
        self.still[partition] = still

    def handle(self, message: Incoming) -> None:
        super().handle(message)
        self.still.pop(message.partition, None)
        if (message.partition, message.offset) == self.busy_with:
            self._look()
            self.busy.set()
            _wait(lambda: not self._look())

    def idle(self) -> None:
        self._look()

    def _look(self) -> set[int]:
        self.at_ends = {partition for partition, still in self.still.items() if still()}
        return self.at_ends


def test_a_partition_is_at_its_end_no_more_once_the_broker_has_more_of_it(broker: Broker, topic_prefix: str) -> None:
    settings = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=topic_prefix)
    ensure_topics(settings, partitions=2)
    health, stop = Health(), threading.Event()
    publisher = KafkaPublisher(settings, service="test", health=health)
    topic = topic_prefix + TELEPHONY_EVENTS.name
    notebook = EndsNoted(busy_with=(0, 3))
    loop = ConsumeLoop(
        settings, group=f"{topic_prefix}ends", topics=[TELEPHONY_EVENTS], handler=notebook, publisher=publisher,
        health=health,
    )  # fmt: skip
    thread = threading.Thread(target=loop.run, args=(stop, time.monotonic))
    try:
        _produce(broker, topic, {0: 3, 1: 3})
        thread.start()
        _wait(lambda: notebook.at_ends == {0, 1})
        _produce(broker, topic, {0: 1})
        assert notebook.busy.wait(WAIT_S)
        assert notebook.at_ends == {1}
        _produce(broker, topic, {1: 2})
        _wait(lambda: notebook.at_ends == {0, 1})
        assert len(notebook.heard) == 9
    finally:
        stop.set()
        thread.join(WAIT_S)
        publisher.close()


def _produce(broker: Broker, topic: str, messages: Mapping[int, int]) -> None:
    """So many ``messages`` for each partition."""
    producer = confluent_kafka.Producer({"bootstrap.servers": broker.bootstrap_servers})
    for partition, count in messages.items():
        for _ in range(count):
            producer.produce(topic, value=b"{}", partition=partition)
    assert producer.flush(WAIT_S) == 0


def _wait(enough: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not enough():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
