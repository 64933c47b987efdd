"""What the product asks of a broker, run against whichever broker the fixture gives.

Groups have one member each with a fixed instance id and the range assignor: the embedded broker carries no
more. Faust on a broker is in test_faust_app.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, but not marked so
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import newest_record_at
from services.contracts.topics import CALLS_STATE, TELEPHONY_EVENTS
from tests.support.brokers import Broker

WAIT_S = 15.0


class Topics:
    """Creates topics under a test's own prefix; keeps the AdminClient alive while its futures run."""

    def __init__(self, bootstrap_servers: str, prefix: str) -> None:
        self.admin = AdminClient({"bootstrap.servers": bootstrap_servers})
        self._prefix = prefix

    def create(self, name: str, partitions: int = 1, config: dict[str, str] | None = None) -> str:
        full = self._prefix + name
        topic = NewTopic(full, num_partitions=partitions, replication_factor=1, config=config or {})
        for future in self.admin.create_topics([topic]).values():
            future.result(timeout=WAIT_S)
        return full


@pytest.fixture
def topics(broker: Broker, topic_prefix: str) -> Topics:
    return Topics(broker.bootstrap_servers, topic_prefix)


@pytest.fixture
def producer(broker: Broker) -> Iterator[Producer]:
    made = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 1, "enable.idempotence": True})
    yield made
    made.flush(WAIT_S)


@contextmanager
def consuming(broker: Broker, group: str, **config: str | int | bool) -> Iterator[Consumer]:
    """A consumer as the services make them."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": group,
            "group.instance.id": "0",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "range",
            "fetch.wait.max.ms": 10,
            "session.timeout.ms": 6000,
            **config,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def read(consumer: Consumer, count: int, timeout_s: float = WAIT_S) -> list[Message]:
    """The next `count` records, fewer when the time runs out."""
    found: list[Message] = []
    deadline = time.monotonic() + timeout_s
    while len(found) < count and time.monotonic() < deadline:
        for message in consumer.consume(count - len(found), timeout=0.2):
            if message.error():
                raise KafkaException(message.error())
            found.append(message)
    return found


def produce(producer: Producer, topic: str, values: list[bytes], **record: object) -> None:
    """Produce and wait for the acknowledgement of each."""
    failures: list[object] = []

    def delivered(error: object, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    for value in values:
        producer.produce(topic, value, on_delivery=delivered, **record)  # type: ignore[arg-type]
    assert producer.flush(WAIT_S) == 0
    assert failures == []


def recently_ms() -> int:
    """A minute ago: a record much older falls to the topic's retention as soon as it is written."""
    return int(time.time() * 1000) - 60_000


def values_of(messages: list[Message]) -> list[bytes | None]:
    return [message.value() for message in messages]


def test_topic_keeps_its_partitions_and_takes_a_compact_policy(topics: Topics) -> None:
    topic = topics.create("state", partitions=3, config={"cleanup.policy": "compact"})

    assert len(topics.admin.list_topics(topic, timeout=WAIT_S).topics[topic].partitions) == 3
    resource = ConfigResource(ResourceType.TOPIC, topic)
    (config,) = (f.result(timeout=WAIT_S) for f in topics.admin.describe_configs([resource]).values())
    assert config["cleanup.policy"].value == "compact"


def test_record_comes_back_with_key_value_timestamp_and_headers_in_order(
    topics: Topics, producer: Producer, broker: Broker
) -> None:
    topic = topics.create("chunks")
    headers = [("seq", b"7"), ("codec", b"pcm_s16le"), ("seq", b"8"), ("empty", b"")]
    value = bytes(range(256)) * 12

    spoken_ms = recently_ms()
    produce(producer, topic, [value], key=b"s-a1", headers=headers, timestamp=spoken_ms)

    with consuming(broker, topic) as consumer:
        consumer.subscribe([topic])
        (message,) = read(consumer, 1)
    assert (message.key(), message.value()) == (b"s-a1", value)
    assert message.headers() == headers
    assert message.timestamp()[1] == spoken_ms


def test_same_key_stays_in_one_partition_and_in_order(topics: Topics, producer: Producer, broker: Broker) -> None:
    topic = topics.create("calls", partitions=4)
    for call in (b"s-1", b"s-2", b"s-3", b"s-4", b"s-5"):
        produce(producer, topic, [b"%s/%d" % (call, n) for n in range(20)], key=call)

    with consuming(broker, topic) as consumer:
        consumer.subscribe([topic])
        messages = read(consumer, 100)

    by_key: dict[bytes | None, list[Message]] = {}
    for message in messages:
        by_key.setdefault(message.key(), []).append(message)
    assert len(by_key) == 5
    for key, found in by_key.items():
        assert values_of(found) == [b"%s/%d" % (key, n) for n in range(20)]
        assert len({message.partition() for message in found}) == 1


def test_group_resumes_after_its_commit(topics: Topics, producer: Producer, broker: Broker) -> None:
    topic = topics.create("finals")
    produce(producer, topic, [b"%d" % n for n in range(10)])

    with consuming(broker, topic) as consumer:
        consumer.subscribe([topic])
        first = read(consumer, 10)
        assert values_of(first) == [b"%d" % n for n in range(10)]
        consumer.commit(offsets=[TopicPartition(topic, 0, 4)], asynchronous=False)

    with consuming(broker, topic) as consumer:
        consumer.subscribe([topic])
        assert values_of(read(consumer, 6)) == [b"%d" % n for n in range(4, 10)]


def test_commit_keeps_its_metadata(topics: Topics, producer: Producer, broker: Broker) -> None:
    topic = topics.create("progress")
    produce(producer, topic, [b"a", b"b"])
    mark = TopicPartition(topic, 0, 1, '{"leg":17}')

    with consuming(broker, topic) as consumer:
        consumer.subscribe([topic])
        read(consumer, 1)
        consumer.commit(offsets=[mark], asynchronous=False)
        (kept,) = consumer.committed([TopicPartition(topic, 0)], timeout=WAIT_S)

    assert (kept.offset, kept.metadata) == (1, '{"leg":17}')


def test_manual_assignment_reads_from_the_beginning_and_tails(
    topics: Topics, producer: Producer, broker: Broker
) -> None:
    topic = topics.create("partials")
    produce(producer, topic, [b"old-1", b"old-2"])

    with consuming(broker, topic + ".begin") as beginning, consuming(broker, topic + ".tail") as tail:
        beginning.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        tail.assign([TopicPartition(topic, 0, OFFSET_END)])
        assert values_of(read(beginning, 2)) == [b"old-1", b"old-2"]
        assert read(tail, 1, timeout_s=1.0) == []  # also lets it find the end
        produce(producer, topic, [b"new"])
        assert values_of(read(tail, 1)) == [b"new"]
        assert values_of(read(beginning, 1)) == [b"new"]


def test_watermarks_tell_where_a_partition_ends(topics: Topics, producer: Producer, broker: Broker) -> None:
    topic = topics.create("watermarks")
    produce(producer, topic, [b"%d" % n for n in range(5)])

    with consuming(broker, topic) as consumer:
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=WAIT_S) == (0, 5)


def test_offsets_are_found_by_time(topics: Topics, producer: Producer, broker: Broker) -> None:
    topic = topics.create("by-time")
    first_ms = recently_ms()
    for n in range(5):
        produce(producer, topic, [b"%d" % n], timestamp=first_ms + n * 1000)

    with consuming(broker, topic) as consumer:
        asked = TopicPartition(topic, 0, first_ms + 2500)
        (found,) = consumer.offsets_for_times([asked], timeout=WAIT_S)

    assert found.offset == 3


def test_the_time_of_a_topics_newest_record_is_known(topics: Topics, producer: Producer, broker: Broker) -> None:
    full = topics.create(TELEPHONY_EVENTS.name, partitions=2)
    settings = KafkaSettings(
        kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=full.removesuffix(TELEPHONY_EVENTS.name)
    )
    assert newest_record_at(settings, TELEPHONY_EVENTS) is None
    assert newest_record_at(settings, CALLS_STATE) is None

    newest_ms = recently_ms()
    for key, at_ms in ((b"s-1", newest_ms), (b"s-2", newest_ms - 5000), (b"s-3", newest_ms - 9000)):
        produce(producer, full, [b"1"], key=key, timestamp=at_ms)
    found = newest_record_at(settings, TELEPHONY_EVENTS)

    assert found is not None
    assert round(found.timestamp() * 1000) == newest_ms


def transact(broker: Broker, topic: str, group: str, finish: Callable[[Producer], None]) -> None:
    """One transaction of one record and one offset, ended by `finish`."""
    writer = Producer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "transactional.id": f"{topic}.writer",
            "transaction.timeout.ms": 10_000,
        }
    )
    writer.init_transactions(WAIT_S)
    writer.begin_transaction()
    writer.produce(topic, finish.__name__.encode())
    with consuming(broker, group) as consumer:
        offsets = [TopicPartition(topic, 0, 1)]
        writer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), WAIT_S)
    writer.flush(WAIT_S)
    finish(writer)


def commit(writer: Producer) -> None:
    writer.commit_transaction(WAIT_S)


def abort(writer: Producer) -> None:
    writer.abort_transaction(WAIT_S)


def test_committed_transaction_shows_its_records_and_offsets(topics: Topics, broker: Broker) -> None:
    topic = topics.create("tx")
    group = topic + ".group"

    transact(broker, topic, group, commit)

    with consuming(broker, topic + ".reader", **{"isolation.level": "read_committed"}) as consumer:
        consumer.subscribe([topic])
        assert values_of(read(consumer, 1)) == [b"commit"]
    with consuming(broker, group) as consumer:
        (kept,) = consumer.committed([TopicPartition(topic, 0)], timeout=WAIT_S)
    assert kept.offset == 1


def test_aborted_transaction_is_hidden(topics: Topics, producer: Producer, broker: Broker) -> None:
    topic = topics.create("tx-aborted")
    transact(broker, topic, topic + ".group", abort)
    produce(producer, topic, [b"after"])

    with consuming(broker, topic + ".reader", **{"isolation.level": "read_committed"}) as consumer:
        consumer.subscribe([topic])
        assert values_of(read(consumer, 1)) == [b"after"]
