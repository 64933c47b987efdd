"""The insights service on a broker: a call in, help and one summary out, across a kill and malformed records."""

from __future__ import annotations

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
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
from tests.support.ports import free_port
from tests.support.rule_calls import Record, rule_calls

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
    ensure_topics(settings, topics=(*INPUTS, *OUTPUTS, topics.MONITORING_ROSTER), partitions=PARTITIONS, replication=1)
    bench = Bench(settings)
    yield bench
    bench.close()


@pytest.fixture
def start(broker: Broker, topic_prefix: str, tmp_path: Path) -> Iterator[Callable[..., ChildProcess]]:
    started: list[ChildProcess] = []

    def start(**settings: str) -> ChildProcess:
        port = free_port()
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
    assert sorted((a.rule, a.severity) for a in bench.of(topics.ALERTS)) == [
        ("anger", "info"), ("cancellation", "warning"),
    ]  # fmt: skip
    assert len(by_id) == len(suggestions)
    felt = {i.utterance_id for i in bench.of(topics.CALLS_INSIGHTS) if i.kind == "sentiment"}
    assert felt == {u.utterance_id for u in finals}
    assert len({encode(s) for s in bench.of(topics.CALLS_SUMMARY)}) == 1
    summary = bench.of(topics.CALLS_SUMMARY)[0]
    assert summary.transcript_complete
    assert (summary.utterances, summary.suggestions, summary.suggestions_accepted) == (len(finals), 6, 1)
    assert summary.reason_for_call.startswith("Hello. I am calling about my bill.")
    assert summary.outcome == "covered"
    counted = {a.source: (a.made, a.accepted) for a in summary.acceptance}
    assert counted["billing-dispute.md"] == (2, 1)
    assert {step.step: step.status for step in summary.checklist} == {
        "greeting": "done", "identification": "done", "retention": "done", "anything_else": "done", "goodbye": "done",
    }  # fmt: skip
    assert summary.promises
    assert summary.sentiment_course
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
    assert {i.kind for i in bench.of(topics.CALLS_INSIGHTS)} == {
        "sentiment", "category", "dynamics", "checklist", "summary",
    }  # fmt: skip


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


def test_forty_calls_alert_as_they_should_across_a_kill(bench: Bench, start: Callable[..., ChildProcess]) -> None:
    epoch = datetime.now(UTC) - timedelta(minutes=10)
    calls = rule_calls(epoch)
    order, waiting, timed = random.Random(4), [list(call.records) for call in calls], []
    while waiting:  # the calls overlap; each keeps its own order
        chosen = order.choice(waiting)
        timed.append(chosen.pop(0))
        waiting = [records_left for records_left in waiting if records_left]
    third = len(timed) // 3
    service = start()
    send_all(bench, timed[:third])
    bench.read_until(service, lambda: len(bench.of(topics.ALERTS)) >= 4)
    send_all(bench, timed[third : 2 * third])
    service.kill()
    service = start()
    send_all(bench, timed[2 * third :])
    bench.read_until(service, lambda: len({s.call_id for s in bench.of(topics.CALLS_SUMMARY)}) == len(calls))
    bench.read_on(1.0)
    found = sorted((a.call_id, a.rule) for a in bench.of(topics.ALERTS))
    assert found == sorted((call.call_id, rule) for call in calls for rule, _ in call.alerts)
    assert len(bench.of(topics.CALLS_SUMMARY)) == len(calls)
    assert service.stop(grace_s=8.0) == 0, service.log_tail()


def test_rules_and_articles_change_while_it_runs(
    bench: Bench, start: Callable[..., ChildProcess], tmp_path: Path
) -> None:
    rules, articles = tmp_path / "rules.yaml", tmp_path / "articles"
    rules.write_text("rules:\n  first: {category: c, alert: info, phrases: [blue moon], cool_down_s: 0}\n")
    articles.mkdir()
    (articles / "a.md").write_text("# Gift cards\n## Validity\nA gift card is valid for three years.")
    service = start(
        INSIGHTS_RULES_FILE=str(rules), INSIGHTS_KNOWLEDGE_DIR=str(articles), INSIGHTS_RELOAD_EVERY_MS="100"
    )
    said = iter(range(1, 1000))

    def until_raised(text: str, rule: str) -> None:
        before = len(bench.of(topics.ALERTS))

        def raised() -> bool:
            bench.send(topics.TRANSCRIPTS_FINAL, one_final(text, next(said)))
            bench.read(0.3)
            return any(alert.rule == rule for alert in bench.of(topics.ALERTS)[before:])

        bench.read_until(service, raised)

    until_raised("once in a blue moon", "first")
    rules.write_text("rules:\n  second: {category: c, alert: info, phrase: [green cheese]}\n")
    wait_for_log(service, "change_rejected")
    until_raised("once in a blue moon", "first")
    rules.write_text("rules:\n  second: {category: c, alert: info, phrases: [green cheese], cool_down_s: 0}\n")
    until_raised("green cheese", "second")
    (articles / "b.html").write_text("<h1>Bicycles</h1><h2>Brakes</h2><p>Squeaking brakes need new pads.</p>")
    wait_for_log(service, '"what":"knowledge","event":"change_taken"')
    bench.send(topics.TRANSCRIPTS_FINAL, one_final("What can I do about squeaking brakes?", next(said)))
    bench.read_until(service, lambda: bool(bench.of(topics.ASSIST_SUGGESTIONS)))
    assert bench.of(topics.ASSIST_SUGGESTIONS)[0].citations[0].source == "b.html"


def test_a_transferred_call_takes_its_summary_along(bench: Bench, start: Callable[..., ChildProcess]) -> None:
    service = start()
    bench.send(topics.TRANSCRIPTS_FINAL, one_final("My internet is down since Monday.", 1))
    bench.read_until(service, lambda: bool(bench.of(topics.ASSIST_SUGGESTIONS)))
    transferred = msgspec.structs.replace(lifecycle("transferred"), peer_call_id="s-peer")
    bench.send(topics.CALLS_LIFECYCLE, transferred)
    bench.read_until(service, lambda: any(i.call_id == "s-peer" for i in bench.of(topics.CALLS_INSIGHTS)))
    (handed,) = [i for i in bench.of(topics.CALLS_INSIGHTS) if i.call_id == "s-peer"]
    assert (handed.kind, handed.handed_on_from) == ("summary", CALL)
    assert handed.summary.reason == "My internet is down since Monday."


def send_all(bench: Bench, found: Sequence[Record]) -> None:
    by_type = {
        records.Utterance: topics.TRANSCRIPTS_FINAL, records.CallLifecycle: topics.CALLS_LIFECYCLE,
        records.TranscriptLeg: topics.TRANSCRIPTS_LEGS,
    }  # fmt: skip
    for record in found:
        bench.send(by_type[type(record)], record)


def one_final(text: str, second: int) -> records.Utterance:
    now = datetime.now(UTC)
    return records.Utterance(
        call_id=CALL, leg_id="p-customer~0000cafe", role="customer",
        utterance_id=f"p-customer~0000cafe@{second * 1000}",
        revision=1, is_final=True, start_ms=second * 1000, end_ms=second * 1000 + 900, text=text,
        engine=records.Engine(name="script", model="none"),
        timing=records.Timing(audio_end=now, decoded=now, published=now),
    )  # fmt: skip


def wait_for_log(service: ChildProcess, text: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while text not in service.log_tail():
        assert service.exit_code() is None, service.log_tail()
        assert time.monotonic() < deadline, service.log_tail()
        time.sleep(0.05)


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
