"""The assist gateway as a process: records on real topics reach a screen, a restart changes nothing for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import confluent_kafka
import jwt
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from services.chassis.records import decode, header
from services.chassis.settings import KafkaSettings, load
from services.chassis.topic_admin import ensure_topics
from services.contracts.topics import ASSIST_FEEDBACK, AUDIT
from tests.support.brokers import Broker

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "schemas" / "examples"
KEY = "a key for this test alone, 32 or more"
PATIENCE_S = 30.0


def example(name: str, **changes: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((EXAMPLES / f"{name}.json").read_text())
    return record | {"call_id": "s-1"} | changes


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


class Bench:
    """Topics of this test's own, and the gateway's process."""

    def __init__(self, broker: Broker, prefix: str, folder: Path) -> None:
        self.prefix = prefix
        self.log = folder / "assist_gateway.log"
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "EARSHOT_TOPIC_PREFIX": prefix}
        self.settings = load(KafkaSettings, kafka)
        ensure_topics(self.settings, partitions=2)
        self.producer = confluent_kafka.Producer(self.settings.kafka_options())
        with socket.create_server(("127.0.0.1", 0)) as free, socket.create_server(("127.0.0.1", 0)) as other:
            self.port, self.health_port = free.getsockname()[1], other.getsockname()[1]
        self.environ = dict(os.environ) | kafka | {
            "ASSIST_GATEWAY_HOST": "127.0.0.1", "ASSIST_GATEWAY_PORT": str(self.port),
            "ASSIST_GATEWAY_JWT_KEY": KEY, "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": str(self.health_port),
        }  # fmt: skip

    def tell(self, topic: str, record: dict[str, Any] | bytes, key: str = "s-1") -> None:
        value = record if isinstance(record, bytes) else json.dumps(record).encode()
        self.producer.produce(f"{self.prefix}{topic}.v1", key=key.encode(), value=value)
        assert self.producer.flush(10) == 0

    @contextmanager
    def gateway(self) -> Iterator[subprocess.Popen[bytes]]:
        """A running gateway, ready; ended by SIGTERM, which it must obey with exit code 0."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.assist_gateway"], cwd=ROOT, env=self.environ, stdout=log, stderr=log
            )
        try:
            self._wait_until_ready(process)
            yield process
            if process.poll() is None:
                process.terminate()
                assert process.wait(PATIENCE_S) == 0, self.log.read_text()
        finally:
            process.kill()
            process.wait()

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            assert process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}/readyz", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    @contextmanager
    def screen(self, role: str = "admin", port: int = 0, **claims: Any) -> Iterator[Screen]:
        token = jwt.encode({"sub": "tester", "role": role, "exp": time.time() + 300} | claims, KEY, algorithm="HS256")
        with connect(f"ws://127.0.0.1:{port or self.port}/v1/ws", max_size=None) as connection:
            screen = Screen(connection)
            screen.send("hello", token=token)
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


@pytest.fixture
def bench(broker: Broker, topic_prefix: str, tmp_path: Path) -> Bench:
    return Bench(broker, topic_prefix, tmp_path)


def test_records_reach_screens_and_bad_ones_their_dead_letter_topic(bench: Bench) -> None:
    bench.tell("calls.state", example("call-state", status="answered", agent_extension_id="7"))
    bench.tell("transcripts.final", example("utterance", utterance_id="u1", text="before"))
    with bench.gateway(), bench.screen("agent", extension_id="7") as screen:
        screen.send("watch", call_id="s-1")
        (call,) = screen.next_of("snapshot")["calls"]
        assert [utterance["text"] for utterance in call["utterances"]] == ["before"]
        assert call["state"]["status"] == "answered"
        bench.tell("transcripts.partial", b'{"half a rec')
        bench.tell("transcripts.partial", example("utterance", utterance_id="u2", is_final=False, text="live"))
        assert screen.next_of("utterance")["record"]["text"] == "live"
        bench.tell("assist.suggestions", example("suggestion", suggestion_id="s1"))
        assert screen.next_of("suggestion")["record"]["suggestion_id"] == "s1"
        screen.send("feedback", suggestion_id="s1", action="accepted")
        assert screen.next_of("feedback")["record"]["action"] == "accepted"
    (dead,) = bench.records_on("transcripts.partial.v1.dlq", 1)
    assert dead.value() == b'{"half a rec'
    assert header(dead.headers(), "dlq_reason") == "bad_json"  # type: ignore[arg-type]
    (feedback,) = bench.records_on(ASSIST_FEEDBACK.name, 1)
    assert decode(ASSIST_FEEDBACK, feedback.value()).by == "7"  # type: ignore[arg-type]
    (audit,) = bench.records_on(AUDIT.name, 1)
    assert decode(AUDIT, audit.value()).action == "watched"  # type: ignore[arg-type]


def test_supervisor_sees_the_groups_of_the_roster(bench: Bench) -> None:
    for extension_id, permission in (("7", "monitored"), ("9", "monitoring")):
        groups = [{"group_id": "g1", "permissions": [permission]}]
        bench.tell("monitoring.roster", example("roster-entry", extension_id=extension_id, groups=groups), extension_id)
    bench.tell("calls.state", example("call-state", agent_extension_id="7"))
    bench.tell("calls.state", example("call-state", call_id="s-2", agent_extension_id="8"), "s-2")
    with bench.gateway(), bench.screen("supervisor", extension_id="9") as screen:
        screen.send("watch_all")
        assert [call["call_id"] for call in screen.next_of("snapshot")["calls"]] == ["s-1"]
        bench.tell("monitoring.roster", example("roster-entry", extension_id="9", groups=[]), "9")
        assert screen.next_of("gone")["call_id"] == "s-1"


def test_restart_rebuilds_what_screens_see(bench: Bench) -> None:
    bench.tell("calls.state", example("call-state"))
    for number in range(3):
        bench.tell("transcripts.final", example("utterance", utterance_id=f"u{number}", text=str(number)))
    seen = []
    with bench.gateway() as process, bench.screen() as screen:
        screen.send("watch_all")
        seen.append(screen.next_of("snapshot"))
        process.kill()
        process.wait()
        screen.wait_until_closed()
    with bench.gateway(), bench.screen() as screen:
        screen.send("watch_all")
        seen.append(screen.next_of("snapshot"))
    assert len(seen[0]["calls"][0]["utterances"]) == 3
    assert seen[0]["calls"] == seen[1]["calls"]
    assert seen[0]["cursor"] == seen[1]["cursor"]  # offsets mean the same to every replica


def test_taken_port_is_said_in_one_line(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ = bench.environ | {"ASSIST_GATEWAY_PORT": str(taken.getsockname()[1])}
        command = [sys.executable, "-m", "services.assist_gateway"]
        ended = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr.decode().startswith("ASSIST_GATEWAY_PORT: ")
    assert ended.stderr.count(b"\n") == 1
