"""The assist gateway as a process on topics of a test's own, and screens that talk to it over real sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka
import jwt
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from services.chassis.settings import KafkaSettings, load
from services.chassis.topic_admin import ensure_topics
from tests.support.brokers import Broker

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "schemas" / "examples"
KEY = "a key for this test alone, 32 or more"
PATIENCE_S = 30.0


def example(name: str, **changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text())
    return record | {"call_id": "s-1"} | changes


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


class Screen:
    """The far end of a WebSocket: several messages may come in one text, one a line; audio comes as bytes."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._lines: deque[str] = deque()

    def send(self, kind: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": kind} | fields))

    def receive(self) -> dict[str, Any] | bytes:
        while not self._lines:
            message = self.connection.recv(PATIENCE_S)
            if isinstance(message, bytes):
                return message
            self._lines.extend(message.split("\n"))
        told: dict[str, Any] = json.loads(self._lines.popleft())
        return told

    def wait_until_closed(self) -> None:
        with pytest.raises(ConnectionClosed):
            self._receive_for_ever()

    def _receive_for_ever(self) -> None:
        while True:
            self.receive()

    def next_of(self, kind: str) -> dict[str, Any]:
        """The next message of a kind; others before it are passed over."""
        while True:
            message = self.receive()
            if isinstance(message, dict) and message["type"] == kind:
                return message


class GatewayBench:
    """Topics of this test's own, and gateway processes."""

    def __init__(self, broker: Broker, prefix: str, folder: Path, *, partitions: int = 2, linger_ms: int = 5) -> None:
        self.prefix = prefix
        self.log = folder / "assist_gateway.log"
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "EARSHOT_TOPIC_PREFIX": prefix}
        self.settings = load(KafkaSettings, kafka)
        ensure_topics(self.settings, partitions=partitions)
        self.producer = confluent_kafka.Producer(self.settings.kafka_options() | {"linger.ms": linger_ms})
        self.port, self.health_port = free_ports()
        self.environ = dict(os.environ) | kafka | {
            "ASSIST_GATEWAY_HOST": "127.0.0.1", "ASSIST_GATEWAY_PORT": str(self.port),
            "ASSIST_GATEWAY_JWT_KEY": KEY, "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": str(self.health_port),
        }  # fmt: skip
        self.make_token: Callable[[dict[str, Any]], str] = lambda claims: jwt.encode(claims, KEY, algorithm="HS256")

    def tell(self, topic: str, record: dict[str, Any] | bytes, key: str = "s-1") -> None:
        self.queue(topic, record if isinstance(record, bytes) else json.dumps(record).encode(), key)
        self.flush()

    def queue(self, topic: str, value: bytes, key: str) -> None:
        """Send without waiting for the broker."""
        self.producer.produce(f"{self.prefix}{topic}.v1", key=key.encode(), value=value)

    def flush(self) -> None:
        """Wait for the broker to have it all."""
        assert self.producer.flush(PATIENCE_S) == 0

    @contextmanager
    def gateway(self, port: int = 0, health_port: int = 0, **environ: str) -> Iterator[subprocess.Popen[bytes]]:
        """A running gateway, ready; ended by SIGTERM, which it must obey with exit code 0."""
        ports = {"ASSIST_GATEWAY_PORT": str(port or self.port), "HEALTH_PORT": str(health_port or self.health_port)}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.assist_gateway"], cwd=ROOT, env=self.environ | environ | ports,
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            self._wait_until_ready(process, ports["HEALTH_PORT"])
            yield process
            if process.poll() is None:
                process.terminate()
                assert process.wait(PATIENCE_S) == 0, self.log.read_text()
        finally:
            process.kill()
            process.wait()

    def _wait_until_ready(self, process: subprocess.Popen[bytes], health_port: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{health_port}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def token(self, role: str = "admin", **claims: Any) -> str:
        return self.make_token({"sub": "tester", "role": role, "exp": time.time() + 300} | claims)

    def get(self, path: str, token: str, **headers: str) -> Any:
        """An answer; its body is still to be read."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        request.add_header("Authorization", f"Bearer {token}")
        return urllib.request.urlopen(request, timeout=PATIENCE_S)

    @contextmanager
    def screen(self, role: str = "admin", port: int = 0, **claims: Any) -> Iterator[Screen]:
        with connect(f"ws://127.0.0.1:{port or self.port}/v1/ws", max_size=None) as connection:
            screen = Screen(connection)
            screen.send("hello", token=self.token(role, **claims))
            yield screen

    def records_on(self, name: str, count: int) -> list[confluent_kafka.Message]:
        """The first records of a topic, whichever partition they are on."""
        options = {"group.id": f"{self.prefix}check", "auto.offset.reset": "earliest", "enable.auto.commit": False}
        consumer = confluent_kafka.Consumer(self.settings.kafka_options() | options)
        full_name = f"{self.prefix}{name}"
        partitions = consumer.list_topics(full_name, timeout=10).topics[full_name].partitions
        consumer.assign([confluent_kafka.TopicPartition(full_name, p, 0) for p in partitions])
        found: list[confluent_kafka.Message] = []
        deadline = time.monotonic() + PATIENCE_S
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append(message)
        consumer.close()
        return found
