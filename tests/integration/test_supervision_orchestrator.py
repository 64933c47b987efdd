"""The orchestrator on a broker: a call from ring to account, a kill in the middle of it, records nobody can read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from services.chassis.records import encode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.contracts import records, topics
from tests.support.brokers import Broker
from tests.support.orchestrator_process import SUPERVISOR

REPOSITORY = Path(__file__).resolve().parents[2]
USED = (
    topics.TELEPHONY_EVENTS, topics.SUPERVISION_INBOX, topics.MEDIA_LEGS, topics.MONITORING_ROSTER,
    topics.MEDIA_DEVICES, topics.CALLS_LIFECYCLE, topics.CALLS_STATE, topics.SUPERVISION_EVENTS,
)  # fmt: skip
AGENT, DEVICE = "700200301", "801000000001"
START_WAIT_S = 40.0
WAIT_S = 20.0


class Floor:
    """The orchestrator's surroundings: topics to write and read, a RingCentral in a folder, the process itself."""

    def __init__(self, broker: Broker, prefix: str, folder: Path) -> None:
        self.folder = folder
        self.prefix = prefix
        self._bootstrap = broker.bootstrap_servers
        (folder / "sessions").mkdir()
        settings = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=prefix)
        ensure_topics(settings, topics=USED, partitions=2, replication=1)
        self._producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 1})
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start the orchestrator; it is ready some seconds later, and nothing waits for that."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "KAFKA_BOOTSTRAP_SERVERS": self._bootstrap,
            "KAFKA_GROUP_INSTANCE_ID": "orchestrator-0",
            "EARSHOT_TOPIC_PREFIX": self.prefix,
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": "0",
            "RINGCENTRAL_CLIENT_ID": "none",
            "RINGCENTRAL_CLIENT_SECRET": "none",
            "RINGCENTRAL_JWT": "none",
            "SUPERVISION_ORCHESTRATOR_DATA_DIR": str(self.folder / "faust"),
            **settings,
        }
        script = REPOSITORY / "tests" / "support" / "orchestrator_process.py"
        log = (self.folder / "orchestrator.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, str(script), str(self.folder)], env=environment, stdout=log, stderr=log
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
                process.wait()

    def log(self) -> str:
        return (self.folder / "orchestrator.log").read_text()[-4000:]

    def send(self, topic: Any, key: str, value: Any) -> None:
        raw = value if isinstance(value, bytes) else encode(value)
        self._producer.produce(self.prefix + topic.name, key=key.encode(), value=raw)
        assert self._producer.flush(WAIT_S) == 0

    def opens(self) -> None:
        """One agent, one supervisor, one device."""
        now = datetime.now(UTC)
        for extension_id, permission in ((AGENT, "monitored"), (SUPERVISOR, "monitoring")):
            group = records.GroupMembership(group_id="31", permissions=(permission,))  # type: ignore[arg-type]
            entry = records.RosterEntry(extension_id=extension_id, groups=(group,), updated_at=now)
            self.send(topics.MONITORING_ROSTER, extension_id, entry)
        device = records.MediaDevice(
            device_id=DEVICE, supervisor_extension_id=SUPERVISOR, online=True, free_slots=4, updated_at=now
        )
        self.send(topics.MEDIA_DEVICES, DEVICE, device)

    def asked(self) -> list[tuple[str, str]]:
        path = self.folder / "asked.jsonl"
        return [tuple(json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []

    def records(self, name: str, record: Any, ready: Callable[[list[Any]], bool], wait_s: float = WAIT_S) -> list[Any]:
        """All of a topic, read until `ready`; fails with the orchestrator's log after `wait_s`."""
        consumer = Consumer(
            {"bootstrap.servers": self._bootstrap, "group.id": "reader", "enable.auto.commit": False, "log_level": 0}
        )
        full = self.prefix + name
        partitions = consumer.list_topics(full, timeout=WAIT_S).topics[full].partitions
        consumer.assign([TopicPartition(full, p, OFFSET_BEGINNING) for p in partitions])
        found: list[Any] = []
        deadline = time.monotonic() + wait_s
        try:
            while not ready(found):
                assert time.monotonic() < deadline, f"{name}: {found}\n{self.log()}"
                message = consumer.poll(0.2)
                if message is not None and message.error() is None:
                    found.append(record(message))
        finally:
            consumer.close()
        return found


class Call:
    """One call and its gateway, told from outside."""

    def __init__(self, floor: Floor, core: str) -> None:
        self.floor = floor
        self.call_id = f"s-{core}"
        self.agent, self.customer = f"p-{core}-2", f"p-{core}-1"
        self._began = datetime.now(UTC).replace(microsecond=0)
        self._sequence = 1
        session = [
            {"party_id": self.customer, "code": "Answered", "direction": "Outbound"},
            {"party_id": self.agent, "code": "Answered", "direction": "Inbound", "extension_id": AGENT},
        ]
        (floor.folder / "sessions" / f"{self.call_id}.json").write_text(json.dumps(session))

    def ends_unseen(self) -> None:
        """RingCentral knows the session no more, and no notification says so."""
        (self.floor.folder / "sessions" / f"{self.call_id}.json").unlink()

    def change(self, code: str, after_ms: int) -> None:
        self._sequence += 1
        at = (self._began + timedelta(milliseconds=after_ms)).isoformat(timespec="milliseconds")
        party = {"id": self.agent, "extensionId": AGENT, "direction": "Inbound", "status": {"code": code}}
        uuid = f"{self.call_id}-{self._sequence}"
        event = {
            "event_id": uuid,
            "source": "websocket",
            "received_at": at,
            "notification": {
                "uuid": uuid,
                "event": f"/restapi/v1.0/account/1/extension/{AGENT}/telephony/sessions",
                "timestamp": at,
                "body": {
                    "sequence": self._sequence,
                    "telephonySessionId": self.call_id,
                    "eventTime": at,
                    "parties": [party],
                },
            },
        }
        self.floor.send(topics.TELEPHONY_EVENTS, self.call_id, orjson.dumps(event))

    def leg(self, party_id: str, kind: str, after_ms: int) -> None:
        leg_id = f"{party_id}~0000000a"
        record = records.MediaLeg(
            event_id=f"{leg_id}:{kind}", call_id=self.call_id, leg_id=leg_id, type=kind,  # type: ignore[arg-type]
            at=self._began + timedelta(milliseconds=after_ms), party_id=party_id, device_id=DEVICE,
        )  # fmt: skip
        self.floor.send(topics.MEDIA_LEGS, self.call_id, record)

    def steps(self, kind: str, count: int, wait_s: float = WAIT_S) -> list[records.SupervisionEvent]:
        """The first `count` steps of a kind, by distinct event id."""

        def mine(found: list[Any]) -> dict[str, Any]:
            return {e.event_id: e for e in found if e.call_id == self.call_id and e.type == kind}

        found = self.floor.records(
            topics.SUPERVISION_EVENTS.name, _decoder(records.SupervisionEvent), lambda f: len(mine(f)) >= count, wait_s
        )
        return list(mine(found).values())

    def facts(self, until: str, wait_s: float = WAIT_S) -> list[records.CallLifecycle]:
        """The call's facts, raw repetitions included, once `until` is among them."""
        found = self.floor.records(
            topics.CALLS_LIFECYCLE.name,
            _decoder(records.CallLifecycle),
            lambda f: any(e.call_id == self.call_id and e.type == until for e in f),
            wait_s,
        )
        return [e for e in found if e.call_id == self.call_id]


def _decoder(record: Any) -> Callable[[Any], Any]:
    import msgspec

    return lambda message: msgspec.json.decode(message.value(), type=record)


@pytest.fixture
def floor(broker: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[Floor]:
    made = Floor(broker, topic_prefix, tmp_path)
    made.opens()
    yield made
    made.close()


def test_call_is_asked_for_once_and_accounted_for_once_across_a_kill(floor: Floor) -> None:
    process = floor.start()
    call = Call(floor, "a1")
    call.change("Setup", 0)
    call.change("Answered", 1_000)

    requested = call.steps("requested", 2, START_WAIT_S)
    assert {(e.party_id, e.role, e.agent_extension_id, e.device_id) for e in requested} == {
        (call.agent, "agent", AGENT, DEVICE),
        (call.customer, "customer", AGENT, DEVICE),
    }
    for party in (call.agent, call.customer):
        call.leg(party, "invited", 1_200)
        call.leg(party, "up", 1_400)
    call.steps("media_up", 2)
    call.steps("accepted", 2)

    process.send_signal(signal.SIGKILL)
    process.wait()
    call.change("Hold", 20_000)
    again = floor.start()
    call.change("Answered", 30_000)
    call.change("Disconnected", 61_000)
    for party in (call.agent, call.customer):
        call.leg(party, "down", 61_000)

    facts = call.facts("ended", START_WAIT_S)
    assert sum(fact.type == "ended" for fact in facts) == 1
    assert list(dict.fromkeys(fact.type for fact in facts)) == ["started", "answered", "held", "resumed", "ended"]
    outcome = facts[-1].outcome
    assert outcome is not None
    assert (outcome.reason, outcome.duration_ms, outcome.gap_ms) == ("covered", 60_000, 400)
    assert sorted(r for c, r in floor.asked() if r != "read") == sorted([call.agent, call.customer])

    again.terminate()
    assert again.wait(timeout=10) == 0, floor.log()


def test_requests_whose_answers_a_kill_lost_are_made_again_while_the_call_lives(floor: Floor) -> None:
    waits = {f"SUPERVISION_ORCHESTRATOR_{name}_TIMEOUT_MS": "2000" for name in ("REPLY", "INVITE")}
    process = floor.start(**waits)
    call = Call(floor, "b1")
    call.change("Answered", 0)
    call.steps("requested", 2, START_WAIT_S)
    process.send_signal(signal.SIGKILL)
    process.wait()

    floor.start(**waits)
    requested = call.steps("requested", 4, START_WAIT_S)
    assert sorted((e.party_id, e.attempt) for e in requested) == sorted(
        (party, attempt) for party in (call.agent, call.customer) for attempt in (1, 2)
    )

    call.ends_unseen()
    ended = [f for f in call.facts("ended", START_WAIT_S) if f.type == "ended"]
    assert [f.outcome.reason for f in ended if f.outcome] == ["no_audio"]


@pytest.mark.parametrize(
    ("topic", "raw"),
    [
        (topics.TELEPHONY_EVENTS, b"\xff\xfe not json"),
        (topics.SUPERVISION_INBOX, b'{"reply_id": 7}'),
        (topics.MEDIA_LEGS, b""),
        (topics.MONITORING_ROSTER, b"[]"),
        (topics.MEDIA_DEVICES, b'{"device_id": ""}'),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_unreadable_record_goes_to_the_dead_letters_and_the_stream_goes_on(
    floor: Floor, topic: Any, raw: bytes
) -> None:
    call = Call(floor, "c1")
    floor.send(topic, call.call_id, raw)
    floor.start()
    call.change("Answered", 0)

    (dead,) = floor.records(f"{topic.name}.dlq", lambda m: m, lambda found: len(found) == 1, START_WAIT_S)
    assert dead.value() == raw
    assert dict(dead.headers())["dlq_topic"].decode() == floor.prefix + topic.name
    assert call.facts("answered", START_WAIT_S)
