"""services.chassis.faust_app against a broker: a table outlives its worker, aborted records are not seen."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # not marked exported

from services.cli.adapters.child_process import ChildProcess
from tests.integration.faust_counter import PARTITIONS
from tests.support.brokers import Broker

REPOSITORY = Path(__file__).resolve().parents[2]
WAIT_S = 30.0

StartWorker = Callable[[], ChildProcess]


@pytest.fixture
def topics(broker: Broker, topic_prefix: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    names = [NewTopic(topic_prefix + name, PARTITIONS, 1) for name in ("words", "counted")]
    for future in admin.create_topics(names).values():
        future.result(timeout=WAIT_S)


@pytest.fixture
def start_worker(broker: Broker, topic_prefix: str, tmp_path: Path, topics: None) -> Iterator[StartWorker]:
    started: list[ChildProcess] = []

    def start() -> ChildProcess:
        script = Path(__file__).with_name("faust_counter.py")
        arguments = [broker.bootstrap_servers, topic_prefix, str(tmp_path), "1" if broker.embedded else "0"]
        worker = ChildProcess.start(
            [sys.executable, str(script), *arguments],
            log_path=tmp_path / "worker.log",
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()


@pytest.fixture
def counted(broker: Broker, topic_prefix: str) -> Iterator[Consumer]:
    reader = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": f"{topic_prefix}reader",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    name = f"{topic_prefix}counted"
    reader.assign([TopicPartition(name, number, OFFSET_BEGINNING) for number in range(PARTITIONS)])
    yield reader
    reader.close()


def send(broker: Broker, topic: str, calls: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0})
    for call in calls:
        producer.produce(topic, b"word", key=call, headers=[("traceparent", b"00-ab")])
    assert producer.flush(WAIT_S) == 0


def read_until(reader: Consumer, worker: ChildProcess, wanted: dict[bytes, int]) -> list[Message]:
    """Read until the newest count of each call is the wanted one; what was read by then."""
    newest: dict[bytes | None, int] = {}
    found: list[Message] = []
    deadline = time.monotonic() + WAIT_S
    while newest != wanted:
        assert worker.exit_code() is None, worker.log_tail()
        assert time.monotonic() < deadline, f"{newest}\n{worker.log_tail()}"
        message = reader.poll(0.2)
        if message is not None and message.error() is None:
            found.append(message)
            newest[message.key()] = int(message.value() or b"-1")
    return found


def test_table_is_rebuilt_after_a_clean_stop_and_after_a_kill(
    broker: Broker, topic_prefix: str, start_worker: StartWorker, counted: Consumer
) -> None:
    words = f"{topic_prefix}words"
    calls = [b"s-1", b"s-2", b"s-3"]

    worker = start_worker()
    send(broker, words, calls * 10)
    messages = read_until(counted, worker, dict.fromkeys(calls, 10))
    headers = dict(messages[0].headers() or [])
    assert headers["traceparent"] == b"00-ab"
    assert headers["origin"] in {b"0/0", b"1/0"}
    assert worker.stop(grace_s=10.0) == 0, worker.log_tail()

    worker = start_worker()
    send(broker, words, calls)
    assert len(read_until(counted, worker, dict.fromkeys(calls, 11))) == 3
    worker.kill()

    worker = start_worker()
    send(broker, words, calls)
    read_until(counted, worker, dict.fromkeys(calls, 12))
    assert worker.stop(grace_s=10.0) == 0, worker.log_tail()


def test_records_of_an_aborted_transaction_are_not_seen(
    broker: Broker, topic_prefix: str, start_worker: StartWorker, counted: Consumer
) -> None:
    words = f"{topic_prefix}words"
    writer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": f"{topic_prefix}writer"})
    writer.init_transactions(WAIT_S)
    for finish in (writer.commit_transaction, writer.abort_transaction, writer.commit_transaction):
        writer.begin_transaction()
        writer.produce(words, b"word", key=b"s-1")
        writer.flush(WAIT_S)
        finish(WAIT_S)

    worker = start_worker()
    send(broker, words, [b"s-2"])
    read_until(counted, worker, {b"s-1": 2, b"s-2": 1})
    assert worker.stop(grace_s=10.0) == 0, worker.log_tail()

    # The offsets that markers and aborted records take up do not hold back the commit: nothing comes twice.
    worker = start_worker()
    send(broker, words, [b"s-1", b"s-2"])
    assert len(read_until(counted, worker, {b"s-1": 3, b"s-2": 2})) == 2
