"""A floor of 1,000 live calls and 2,000 screens on one gateway core, through a real broker and real sockets.

Each call has its agent's screen, which is shown it in full. Each of as many supervisors has the overview of a group of
50 agents and watches one call in full. What a call makes: a partial a second, a final, a sentiment and dynamics every
four, a suggestion every twenty, a state and an alert every minute.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson

from tests.bench.assist.viewers import Came, Plan, Viewer
from tests.support.brokers import Broker
from tests.support.gateway_process import ROOT, GatewayBench, example

CALLS = int(os.environ.get("BENCH_CALLS", "1000"))
GROUP = 50
WARM_S, MEASURED_S = 10.0, 30.0
STEP_S = 0.02
LINGER_MS = 20
"""Part of each latency: without it every record is a request of its own, and the one broker is what is measured."""
MARKED = "@@0000000000000000@@"
PERIODS_S = {
    "transcripts.partial": 1.0, "transcripts.final": 4.0, "calls.insights/sentiment": 4.0,
    "calls.insights/dynamics": 4.0, "assist.suggestions": 20.0, "calls.state": 60.0, "alerts": 60.0,
}  # fmt: skip


def measure(broker: Broker, prefix: str, folder: Path, gateway_core: int | None) -> dict[str, Any]:
    """Figures of the fan-out, with the gateway on a core of its own where one is given."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    bench = GatewayBench(broker, prefix, folder, partitions=4, linger_ms=LINGER_MS)
    bench.environ["ASSIST_GATEWAY_JWT_LEEWAY_MS"] = "0"
    tell_roster_and_states(bench)
    with bench.gateway() as gateway:
        if gateway_core is not None:
            pin(gateway.pid, {gateway_core})
        with viewers(bench) as watching, talking(bench) as floor:
            time.sleep(WARM_S)
            before, told_before = used_s(gateway.pid), floor.told
            watching.say("begin")
            begun = time.monotonic()
            time.sleep(MEASURED_S)
            came = watching.report()
            wall_s = time.monotonic() - begun
            used = used_s(gateway.pid) - before
            told = floor.told - told_before
        memory = memory_mb(gateway.pid)
        skipped = metric(bench, "earshot_assist_messages_skipped_total")
    late = sorted(came.late_us)
    return {
        "calls": CALLS, "viewers": 2 * CALLS, "seconds": round(wall_s, 1), "own_core": gateway_core is not None,
        "records_per_s": round(told / wall_s), "messages_per_s": round(came.lines / wall_s),
        "sends_per_s": round(came.frames / wall_s), "core_share": round(used / wall_s, 3),
        "utterance_ms": {f"p{p}": round(late[len(late) * p // 100] / 1000, 1) for p in (50, 95, 99)} if late else None,
        "skipped": round(skipped), "closed": came.closed, "memory_mb": round(memory),
    }  # fmt: skip


def pin(pid: int, cores: set[int]) -> None:
    """All threads of a process on these cores."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), cores)


def agent(number: int) -> str:
    return str(10_000 + number)


def supervisor(number: int) -> str:
    return str(50_000 + number)


def call(number: int) -> str:
    return f"s-bench{number:05d}"


def tell_roster_and_states(bench: GatewayBench) -> None:
    for number in range(CALLS):
        group = f"g{number // GROUP}"
        for extension_id, permission in ((agent(number), "monitored"), (supervisor(number), "monitoring")):
            groups = [{"group_id": group, "permissions": [permission]}]
            entry = example("roster-entry", extension_id=extension_id, groups=groups)
            bench.queue("monitoring.roster", orjson.dumps(entry), extension_id)
        bench.queue("calls.state", orjson.dumps(state(number)), call(number))
    bench.flush()


def state(number: int) -> dict[str, Any]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return example("call-state", call_id=call(number), agent_extension_id=agent(number), status="answered",
                   updated_at=now, answered_at=now, started_at=now, ended_at=None)  # fmt: skip


@contextmanager
def viewers(bench: GatewayBench) -> Iterator[Watching]:
    """All screens, each with its first snapshot."""
    told = []
    for number in range(CALLS):
        own = bench.token("agent", sub=agent(number), extension_id=agent(number))
        told.append(Viewer(token=own, asks=[{"type": "watch_all", "detail": "full"}]))
        group = bench.token("supervisor", sub=supervisor(number), extension_id=supervisor(number))
        asks = [{"type": "watch_all", "detail": "overview"}, {"type": "watch", "call_id": call(number)}]
        told.append(Viewer(token=group, asks=asks))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.assist.viewers"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    watching = Watching(process)
    try:
        watching.say(msgspec.json.encode(Plan(port=bench.port, viewers=told)).decode())
        assert watching.line() == "ready"
        yield watching
    finally:
        process.kill()
        process.wait()


class Watching:
    """The viewers' process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()

    def report(self) -> Came:
        self.say("report")
        return msgspec.json.decode(self.line(), type=Came)


class Floor(threading.Thread):
    """All calls talk at once, evenly spread over time, until stopped."""

    def __init__(self, bench: GatewayBench) -> None:
        super().__init__(daemon=True)
        self._bench = bench
        self._stop_wanted = threading.Event()
        self.told = 0
        self._texts = {name: self._text(name) for name in PERIODS_S}

    @staticmethod
    def _text(name: str) -> bytes:
        at = {"call_id": "CALL"}
        match name:
            case "transcripts.partial":
                record = example("utterance", **at, utterance_id="UTTERANCE", is_final=False, revision=1, text=MARKED)
                record["words"] = record["words"][:6]
            case "transcripts.final":
                record = example("utterance", **at, utterance_id="UTTERANCE", is_final=True, revision=9, text=MARKED)
            case "calls.insights/sentiment":
                record = example("call-insight", **at, insight_id="UTTERANCE/s", at="NOW")
            case "calls.insights/dynamics":
                record = example("call-insight-2", **at, insight_id="UTTERANCE/d", at="NOW")
            case "assist.suggestions":
                record = example("suggestion", **at, suggestion_id="UTTERANCE/h")
            case "calls.state":
                record = {**state(0), "call_id": "CALL", "agent_extension_id": "AGENT", "updated_at": "NOW"}
            case _:
                record = example("alert", **at, alert_id="UTTERANCE/a")
        return orjson.dumps(record)

    def run(self) -> None:
        """Tell in each step what has become due."""
        begun = time.monotonic()
        done = dict.fromkeys(PERIODS_S, 0)
        while not self._stop_wanted.wait(STEP_S):
            past_s = time.monotonic() - begun
            for name, period_s in PERIODS_S.items():
                due = int(past_s / period_s * CALLS)
                for turn in range(done[name], due):
                    self._tell(name, turn % CALLS, int((turn // CALLS) * period_s / 4))
                done[name] = due
            self._bench.producer.poll(0)

    def _tell(self, name: str, number: int, quarter: int) -> None:
        now_us = time.time_ns() // 1000
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now_us // 1_000_000)) + f".{now_us // 1000 % 1000:03d}Z"
        value = (
            self._texts[name].replace(b"CALL", call(number).encode()).replace(b"AGENT", agent(number).encode())
            .replace(b"UTTERANCE", f"{call(number)}@{quarter}".encode()).replace(b"NOW", now.encode())
            .replace(MARKED.encode(), b"@@%016d@@" % now_us)
        )  # fmt: skip
        self._bench.queue(name.partition("/")[0], value, call(number))
        self.told += 1

    def stop(self) -> None:
        self._stop_wanted.set()
        self.join()


@contextmanager
def talking(bench: GatewayBench) -> Iterator[Floor]:
    floor = Floor(bench)
    floor.start()
    try:
        yield floor
    finally:
        floor.stop()
        bench.flush()


def used_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def metric(bench: GatewayBench, name: str) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{bench.health_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith(name + " "))
