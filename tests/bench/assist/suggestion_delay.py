"""From a final utterance to its suggestion on the agent's screen: broker, insights and gateway for real, no model.

Each question is asked in a call of its own, whose agent has a screen of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.support.brokers import Broker
from tests.support.gateway_process import PATIENCE_S, ROOT, GatewayBench, example, free_ports

CALLS = 100
SETTLING = 10
PACE_S = 0.1
QUESTIONS = (
    "How do I reset my router?",
    "I was charged twice on my bill, can you remove the charge?",
    "How much notice do I have to give to cancel my contract?",
    "Can I change the delivery address of my order?",
    "What are your opening hours on Saturday?",
    "I forgot the password of my wifi, where do I find it?",
    "How do I get a refund for an order that I sent back?",
    "Do I get a credit for the outage last week?",
)


def measure(broker: Broker, prefix: str, folder: Path) -> dict[str, Any]:
    """`suggestion_ms` of the questions that were answered, and how many were not."""
    bench = GatewayBench(broker, prefix, folder, partitions=4)
    for number in range(CALLS + SETTLING):
        state = example("call-state", call_id=call(number), agent_extension_id=agent(number), status="answered")
        bench.queue("calls.state", json.dumps(state).encode(), call(number))
    bench.flush()
    with insights(bench, folder), bench.gateway():
        settle(bench)
        late = sorted(ms for number in range(CALLS) if (ms := ask(bench, number)) is not None)
    assert late, "no question was answered"
    quantile = {f"p{p}": round(late[min(len(late) - 1, len(late) * p // 100)], 1) for p in (50, 95)}
    return {"suggestion_ms": quantile | {"max": round(late[-1], 1), "asked": CALLS, "answered": len(late)}}


def call(number: int) -> str:
    return f"s-ask{number:04d}"


def agent(number: int) -> str:
    return str(20_000 + number)


def settle(bench: GatewayBench) -> None:
    """Ask, each time in another call, until an answer has come: both services are at work from here on."""
    assert any(ask(bench, number, patience_s=5.0) is not None for number in range(CALLS, CALLS + SETTLING)), (
        "insights gave no suggestion"
    )


def ask(bench: GatewayBench, number: int, patience_s: float = 2.0) -> float | None:
    """Milliseconds from a final's publication to its suggestion on the agent's screen; None where none comes."""
    with screen(bench, number) as connection:
        utterance_id = f"{call(number)}@{time.monotonic_ns()}"
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        said = example(
            "utterance", call_id=call(number), utterance_id=utterance_id, role="customer", is_final=True,
            text=QUESTIONS[number % len(QUESTIONS)], words=[], redactions=[],
            timing={"audio_end": now, "decoded": now, "published": now},
        )  # fmt: skip
        time.sleep(PACE_S)
        begun = time.monotonic()
        bench.queue("transcripts.final", json.dumps(said).encode(), call(number))
        bench.producer.poll(0)
        while (left_s := begun + patience_s - time.monotonic()) > 0:
            try:
                text = connection.recv(left_s)
            except TimeoutError:
                return None
            if isinstance(text, str) and '"type":"suggestion"' in text and utterance_id in text:
                return (time.monotonic() - begun) * 1000
    return None


@contextmanager
def screen(bench: GatewayBench, number: int) -> Iterator[ClientConnection]:
    """The agent's screen, with its first snapshot."""
    token = bench.token("agent", extension_id=agent(number))
    headers = {"Authorization": f"Bearer {token}"}
    with connect(f"ws://127.0.0.1:{bench.port}/v1/ws", max_size=None, additional_headers=headers) as connection:
        connection.send('{"type":"watch_all","detail":"full"}')
        while '"type":"snapshot"' not in str(connection.recv(PATIENCE_S)):
            pass
        yield connection


@contextmanager
def insights(bench: GatewayBench, folder: Path) -> Iterator[None]:
    """The insights service with its sample knowledge, ready."""
    port, _ = free_ports()
    environ = {
        **os.environ, "KAFKA_BOOTSTRAP_SERVERS": bench.settings.kafka_bootstrap_servers,
        "EARSHOT_TOPIC_PREFIX": bench.prefix, "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": str(port),
        "INSIGHTS_DATA_DIR": str(folder / "insights"),
    }  # fmt: skip
    with (folder / "insights.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.insights"], cwd=ROOT, env=environ, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 4 * PATIENCE_S
        while not is_ready(port):
            assert process.poll() is None, (folder / "insights.log").read_text()
            assert time.monotonic() < deadline, (folder / "insights.log").read_text()
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except OSError:
        return False
