"""From a final utterance to its suggestion on the topic, through the real service and a real broker, without screens.

Customers of many calls say the labelled turns, each call one, at a steady pace; the time runs from handing the final to
the producer until the suggestion is read. `cpu_us_an_utterance` is the service's own processor time, Faust and Kafka
clients included, from the first final to the last.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import confluent_kafka

from services.chassis.records import decode, encode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.cli.adapters.child_process import ChildProcess
from services.contracts import records, topics
from tests.bench.assist.labelled_turns import labelled_turns
from tests.support.brokers import describe, running_broker
from tests.support.ports import free_port

ROUNDS = 2
PER_S = 40
WAIT_S = 60.0
PARTITIONS = 4
TOPICS = (
    topics.TRANSCRIPTS_FINAL, topics.TRANSCRIPTS_LEGS, topics.CALLS_LIFECYCLE, topics.ASSIST_FEEDBACK,
    topics.INSIGHTS_TIMERS, topics.ASSIST_SUGGESTIONS, topics.CALLS_INSIGHTS, topics.ALERTS, topics.CALLS_SUMMARY,
    topics.MONITORING_ROSTER,
)  # fmt: skip


def measure() -> dict[str, Any]:
    """Milliseconds, over all suggestions of all rounds."""
    with tempfile.TemporaryDirectory(prefix="earshot-bench-") as folder, running_broker(Path(folder)) as broker:
        settings = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix="bench.")
        ensure_topics(settings, topics=TOPICS, partitions=PARTITIONS, replication=1)
        service, port = _start(settings, Path(folder), embedded=broker.embedded)
        try:
            _wait_until_ready(service, port)
            _play(settings, "warm", 1)
            before = _cpu_s(service)
            sent, took = _play(settings, "call", ROUNDS)
            cpu_s, rss_mb = _cpu_s(service) - before, _rss_mb(service)
        finally:
            service.stop(grace_s=8.0)
    quantiles = statistics.quantiles(took, n=20)
    return {
        "broker": describe(),
        "utterances": sent,
        "utterances_per_s": PER_S,
        "suggestions": len(took),
        "publish_ms": {
            "p50": round(statistics.median(took), 1), "p95": round(quantiles[-1], 1), "max": round(max(took), 1),
        },
        "cpu_us_an_utterance": round(cpu_s * 1e6 / sent),
        "service_rss_mb": rss_mb,
    }  # fmt: skip


def _play(settings: KafkaSettings, name: str, rounds: int) -> tuple[int, list[float]]:
    producer = confluent_kafka.Producer(settings.kafka_options() | {"linger.ms": 0})
    reader = confluent_kafka.Consumer(
        settings.kafka_options() | {"group.id": f"bench-{name}", "fetch.wait.max.ms": 10, "enable.auto.commit": False}
    )
    topic = settings.topic_prefix + topics.ASSIST_SUGGESTIONS.name
    reader.assign([confluent_kafka.TopicPartition(topic, n, confluent_kafka.OFFSET_END) for n in range(PARTITIONS)])
    reader.poll(1.0)
    sent_at: dict[str, float] = {}
    took: list[float] = []
    turns = [turn.text for turn in labelled_turns()]
    due = time.monotonic()
    for number, text in enumerate(turns * rounds):
        call_id = f"s-{name}-{number}"
        due += 1 / PER_S
        while (left := due - time.monotonic()) > 0:
            _read(reader, min(left, 0.005), sent_at, took)
        producer.produce(settings.topic_prefix + topics.TRANSCRIPTS_FINAL.name, _final(call_id, text), call_id.encode())
        sent_at[call_id] = time.perf_counter()
        producer.poll(0)
    producer.flush(WAIT_S)
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 2.0:
        if _read(reader, 0.05, sent_at, took):
            quiet_since = time.monotonic()
    reader.close()
    return len(turns) * rounds, took


def _read(reader: confluent_kafka.Consumer, wait_s: float, sent_at: dict[str, float], took: list[float]) -> bool:
    message = reader.poll(wait_s)
    if message is None or message.error() is not None:
        return False
    suggestion = decode(topics.ASSIST_SUGGESTIONS, message.value())
    took.append((time.perf_counter() - sent_at[suggestion.call_id]) * 1000)
    return True


def _final(call_id: str, text: str) -> bytes:
    now = datetime.now(UTC)
    leg_id = f"p-{call_id}~0000cafe"
    return encode(
        records.Utterance(
            call_id=call_id, leg_id=leg_id, role="customer", utterance_id=f"{leg_id}@1000", revision=1, is_final=True,
            start_ms=1000, end_ms=4000, text=text, engine=records.Engine(name="script", model="none"),
            timing=records.Timing(audio_end=now, decoded=now, published=now),
        )
    )  # fmt: skip


def _start(settings: KafkaSettings, folder: Path, *, embedded: bool) -> tuple[ChildProcess, int]:
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parents[3]),
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "EARSHOT_TOPIC_PREFIX": settings.topic_prefix,
        "KAFKA_EMBEDDED": "true" if embedded else "false",
        "INSIGHTS_DATA_DIR": str(folder / "insights"),
        "HEALTH_HOST": "127.0.0.1",
        "HEALTH_PORT": str(port),
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-m", "services.insights"]
    return ChildProcess.start(command, log_path=folder / "insights.log", env=environment), port


def _wait_until_ready(service: ChildProcess, port: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        if service.exit_code() is not None or time.monotonic() > deadline:
            raise RuntimeError(service.log_tail())
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)


def _cpu_s(service: ChildProcess) -> float:
    fields = Path(f"/proc/{service.pid}/stat").read_text(encoding="ascii").rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(service: ChildProcess) -> int:
    status = Path(f"/proc/{service.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
