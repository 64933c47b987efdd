"""The insights service on a broker: a call in, help and one summary out, across a kill and malformed records."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import confluent_kafka
import msgspec
import pytest

from services.chassis.records import decode, encode, header
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.cli.adapters.child_process import ChildProcess
from services.contracts import records, topics
from tests.support.brokers import Broker

pytestmark = pytest.mark.timeout(180)
REPOSITORY = Path(__file__).resolve().parents[2]
CONVERSATIONS = REPOSITORY / "tests" / "data" / "conversations"
PARTITIONS = 2
WAIT_S = 60.0
CALL = "s-a0d7f1c2z19a"
INPUTS = (topics.TRANSCRIPTS_FINAL, topics.TRANSCRIPTS_LEGS, topics.CALLS_LIFECYCLE, topics.ASSIST_FEEDBACK,
          topics.INSIGHTS_TIMERS)  # fmt: skip
OUTPUTS = (topics.ASSIST_SUGGESTIONS, topics.CALLS_INSIGHTS, topics.ALERTS, topics.CALLS_SUMMARY)


class Bench:
    """The topics of a test, a writer to them, and everything that has come out of the service."""

    def __init__(self, settings: KafkaSettings) -> None:
        self.settings = settings
        self.seen: dict[str, list[Any]] = {topic.name: [] for topic in OUTPUTS}
        self.dead: dict[str, confluent_kafka.Message] = {}
        self._producer = confluent_kafka.Producer(settings.kafka_options() | {"linger.ms": 0})
        self._reader = confluent_kafka.Consumer(settings.kafka_options() | {"group.id": f"{settings.topic_prefix}r"})
        names = [(topic.name, PARTITIONS) for topic in OUTPUTS] + [(f"{topic.name}.dlq", 1) for topic in INPUTS]
        self._reader.assign(
            [
                confluent_kafka.TopicPartition(settings.topic_prefix + name, number, confluent_kafka.OFFSET_BEGINNING)
                for name, count in names
                for number in range(count)
            ]
        )

    def send(self, topic: topics.Topic[Any], record: msgspec.Struct) -> None:
        self.send_raw(topic, record.call_id.encode(), encode(record))  # type: ignore[attr-defined]

    def send_raw(self, topic: topics.Topic[Any], key: bytes, value: bytes) -> None:
        self._producer.produce(self.settings.topic_prefix + topic.name, value, key)
        assert self._producer.flush(WAIT_S) == 0

    def of(self, topic: topics.Topic[Any]) -> list[Any]:
        return self.seen[topic.name]

    def read_until(self, service: ChildProcess, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not done():
            assert service.exit_code() is None, service.log_tail()
            assert time.monotonic() < deadline, f"{self.counts()}\n{service.log_tail()}"
            self.read(0.2)

    def read_on(self, for_s: float) -> None:
        deadline = time.monotonic() + for_s
        while time.monotonic() < deadline:
            self.read(0.2)

    def read(self, wait_s: float) -> None:
        message = self._reader.poll(wait_s)
        if message is None or message.error() is not None:
            return
        name = str(message.topic()).removeprefix(self.settings.topic_prefix)
        if name.endswith(".dlq"):
            self.dead[name.removesuffix(".dlq")] = message
            return
        topic = next(topic for topic in OUTPUTS if topic.name == name)
        assert message.key() == decode(topic, message.value()).call_id.encode()
        self.seen[name].append(decode(topic, message.value()))

    def counts(self) -> dict[str, int]:
        return {name: len(found) for name, found in self.seen.items()}

    def close(self) -> None:
        self._reader.close()


@pytest.fixture
def bench(broker: Broker, topic_prefix: str) -> Iterator[Bench]:
    settings = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=topic_prefix)
    ensure_topics(settings, topics=(*INPUTS, *OUTPUTS), partitions=PARTITIONS, replication=1)
    bench = Bench(settings)
    yield bench
    bench.close()


@pytest.fixture
def start(broker: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[Callable[..., ChildProcess]]:
    started: list[ChildProcess] = []

    def start(**settings: str) -> ChildProcess:
        port = _free_port()
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "EARSHOT_TOPIC_PREFIX": topic_prefix,
            "KAFKA_EMBEDDED": "true" if broker.embedded else "false",
            "KAFKA_GROUP_INSTANCE_ID": "insights-0",
            "INSIGHTS_DATA_DIR": str(tmp_path / "data"),
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": str(port),
            **settings,
        }
        command = [sys.executable, "-m", "services.insights"]
        service = ChildProcess.start(command, log_path=tmp_path / "insights.log", env=environment)
        started.append(service)
        _wait_until_ready(service, port)
        return service

    yield start
    for service in started:
        service.kill()


def test_a_call_gets_help_and_one_summary_across_a_kill(bench: Bench, start: Callable[..., ChildProcess]) -> None:
    finals = utterances("billing_dispute")
    half = len(finals) * 2 // 3
    bench.send(topics.CALLS_LIFECYCLE, lifecycle("answered"))
    service = start()
    for final in finals[:half]:
        bench.send(topics.TRANSCRIPTS_FINAL, final)
    bench.read_until(service, lambda: len(bench.of(topics.ASSIST_SUGGESTIONS)) >= 3)
    bench.send(topics.ASSIST_FEEDBACK, accepted(bench.of(topics.ASSIST_SUGGESTIONS)[0]))
    service.kill()

    service = start()
    bench.send(topics.CALLS_LIFECYCLE, lifecycle("ended"))
    for leg in legs(finals):
        bench.send(topics.TRANSCRIPTS_LEGS, leg)
    for final in (*finals[half - 3 : half], *finals[half:]):
        bench.send(topics.TRANSCRIPTS_FINAL, final)
    bench.read_until(service, lambda: bool(bench.of(topics.CALLS_SUMMARY)))
    bench.read_on(2.0)

    suggestions = bench.of(topics.ASSIST_SUGGESTIONS)
    by_id = {s.suggestion_id: s for s in suggestions}
    assert [s.citations[0].source for s in by_id.values()] == [
        "billing-dispute.md", "billing-dispute.md", "cancel-your-contract.md", "upgrade-your-plan.md",
        "pay-by-card.md", "opening-hours.md",
    ]  # fmt: skip
    customer = {u.utterance_id for u in finals if u.role == "customer"}
    assert all(set(s.source_utterance_ids) <= customer for s in suggestions)
    assert {(a.rule, a.severity) for a in bench.of(topics.ALERTS)} == {("anger", "info"), ("cancellation", "warning")}
    felt = {i.utterance_id for i in bench.of(topics.CALLS_INSIGHTS) if i.kind == "sentiment"}
    assert felt == {u.utterance_id for u in finals}
    assert len({encode(s) for s in bench.of(topics.CALLS_SUMMARY)}) == 1
    summary = bench.of(topics.CALLS_SUMMARY)[0]
    assert summary.transcript_complete
    assert (summary.utterances, summary.suggestions, summary.suggestions_accepted) == (len(finals), 6, 1)
    assert summary.reason_for_call.startswith("Hello. I am calling about my bill.")
    assert summary.outcome == "covered"
    assert service.stop(grace_s=8.0) == 0, service.log_tail()


def test_every_output_comes_once_when_nothing_fails(bench: Bench, start: Callable[..., ChildProcess]) -> None:
    service = start()
    finals = utterances("moving_house")
    for final in finals:
        bench.send(topics.TRANSCRIPTS_FINAL, final)
    for leg in legs(finals):
        bench.send(topics.TRANSCRIPTS_LEGS, leg)
    bench.send(topics.CALLS_LIFECYCLE, lifecycle("ended"))
    bench.send(topics.CALLS_LIFECYCLE, lifecycle("ended"))
    bench.read_until(service, lambda: bool(bench.of(topics.CALLS_SUMMARY)))
    bench.read_on(2.0)
    assert len(bench.of(topics.CALLS_SUMMARY)) == 1
    assert len(bench.of(topics.ASSIST_SUGGESTIONS)) == 3
    insights = [i.insight_id for i in bench.of(topics.CALLS_INSIGHTS)]
    assert len(set(insights)) == len(insights)
    assert {i.kind for i in bench.of(topics.CALLS_INSIGHTS)} == {"sentiment", "category", "dynamics"}


def test_a_call_without_transcript_is_summed_up_after_the_grace(
    bench: Bench, start: Callable[..., ChildProcess]
) -> None:
    service = start(INSIGHTS_SUMMARY_GRACE_MS="300")
    bench.send(topics.CALLS_LIFECYCLE, lifecycle("ended"))
    bench.read_until(service, lambda: bool(bench.of(topics.CALLS_SUMMARY)))
    bench.read_on(1.0)
    (summary,) = bench.of(topics.CALLS_SUMMARY)
    assert not summary.transcript_complete
    assert summary.utterances == 0


def test_a_summed_up_call_leaves_the_table(bench: Bench, start: Callable[..., ChildProcess]) -> None:
    service = start(INSIGHTS_SUMMARY_GRACE_MS="100", INSIGHTS_KEEP_CLOSED_MS="1000")
    for count in (1, 2):  # the second end finds no row: it is a new call's
        bench.send(topics.CALLS_LIFECYCLE, lifecycle("ended"))
        bench.read_until(service, lambda count=count: len(bench.of(topics.CALLS_SUMMARY)) == count)  # type: ignore[misc]
        bench.read_on(3.0)
    assert service.stop(grace_s=8.0) == 0, service.log_tail()


def test_malformed_records_go_to_dead_letters_and_the_stream_goes_on(
    bench: Bench, start: Callable[..., ChildProcess]
) -> None:
    service = start()
    for topic in INPUTS:
        bench.send_raw(topic, b"s-malformed", b'{"half a rec')
    for final in utterances("broadband_outage")[:3]:
        bench.send(topics.TRANSCRIPTS_FINAL, final)
    bench.read_until(service, lambda: len(bench.dead) == len(INPUTS) and bool(bench.of(topics.ASSIST_SUGGESTIONS)))
    for topic in INPUTS:
        dead = bench.dead[topic.name]
        assert (dead.key(), dead.value()) == (b"s-malformed", b'{"half a rec')
        assert header(dead.headers(), "dlq_reason") == "bad_json"  # type: ignore[arg-type]


def utterances(name: str) -> list[records.Utterance]:
    """The turns of a conversation as the transcriber would publish them."""
    document = json.loads((CONVERSATIONS / f"{name}.json").read_text())
    epoch = datetime.now(UTC) - timedelta(milliseconds=document["duration_ms"])
    found = []
    for turn in sorted(document["turns"], key=lambda turn: turn["end_ms"]):
        ended = epoch + timedelta(milliseconds=turn["end_ms"])
        leg_id = f"p-{turn['role']}~0000cafe"
        found.append(
            records.Utterance(
                call_id=CALL, leg_id=leg_id, role=turn["role"], utterance_id=f"{leg_id}@{turn['start_ms']}",
                revision=1, is_final=True, end_of_turn=True, start_ms=turn["start_ms"], end_ms=turn["end_ms"],
                text=turn["text"], words=tuple(msgspec.convert(word, records.Word) for word in turn["words"]),
                engine=records.Engine(name="script", model="none"),
                timing=records.Timing(audio_end=ended, decoded=ended, published=ended),
            )
        )  # fmt: skip
    return found


def legs(finals: list[records.Utterance]) -> list[records.TranscriptLeg]:
    now = datetime.now(UTC)
    counts = {final.leg_id: sum(other.leg_id == final.leg_id for other in finals) for final in finals}
    roles = {final.leg_id: final.role for final in finals}
    return [
        records.TranscriptLeg(
            call_id=CALL, leg_id=leg_id, role=roles[leg_id], status="complete", at=now, utterances=count
        )
        for leg_id, count in counts.items()
    ]


def lifecycle(type_: str) -> records.CallLifecycle:
    outcome = records.CallOutcome(
        reason="covered", duration_ms=165_000, agent_heard_ms=160_000, customer_heard_ms=160_000
    )
    return records.CallLifecycle(
        event_id=f"{CALL}/{type_}", call_id=CALL, type=type_, at=datetime.now(UTC), direction="inbound",  # type: ignore[arg-type]
        agent_extension_id="700200301", outcome=outcome if type_ == "ended" else None,
    )  # fmt: skip


def accepted(suggestion: records.Suggestion) -> records.SuggestionFeedback:
    return records.SuggestionFeedback(
        feedback_id="f-1", suggestion_id=suggestion.suggestion_id, call_id=CALL, action="accepted", at=datetime.now(UTC)
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(service: ChildProcess, port: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        assert service.exit_code() is None, service.log_tail()
        assert time.monotonic() < deadline, service.log_tail()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
