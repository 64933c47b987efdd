"""The broker of the integration tests: one that is named, else Apache Kafka, else the embedded one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.cli.adapters.embedded_broker import NAME, EmbeddedBroker
from tests.support.kafka_broker import ApacheKafka, why_no_apache_kafka


class Node(Protocol):
    """A broker process that a test may stop, kill and start again; ports and data stay."""

    bootstrap_servers: str

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def kill(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker. An embedded one carries one member per group, with a `group.instance.id`."""

    bootstrap_servers: str
    name: str
    embedded: bool
    node: Node | None
    """None for a broker that KAFKA_BOOTSTRAP_SERVERS names: it is not ours to stop."""


def describe() -> str:
    """One line for the terminal: which broker the tests will run on, and why."""
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if named:
        return f"broker: {named} (KAFKA_BOOTSTRAP_SERVERS)"
    missing = why_no_apache_kafka()
    if missing is None:
        return f"broker: {ApacheKafka.name()}"
    return f"broker: embedded {NAME} ({missing})"


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """The broker of this test run, ready; its data below `folder`; gone afterwards."""
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if named:
        yield Broker(named, named, embedded=False, node=None)
        return
    embedded = why_no_apache_kafka() is not None
    node: Node = (
        EmbeddedBroker(data_dir=folder / "data", log_path=folder / "broker.log") if embedded else ApacheKafka(folder)
    )
    node.start()
    try:
        name = f"embedded {NAME}" if embedded else ApacheKafka.name()
        yield Broker(node.bootstrap_servers, name, embedded, node)
    finally:
        node.stop()
