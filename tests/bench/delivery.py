"""`make bench SUITE=delivery`: transcribers that are killed lose nothing and repeat nothing.

Two groups hear the same sixteen legs at real time for five minutes on real Kafka, with Whisper: one worker that is
left alone (and takes the time that the others leave), and two of which one is killed (SIGKILL) every 20 s. Every third
kill keeps its worker away for longer than a session of the group, so that its partitions move to the other worker, and
back again when it returns. At the end a read_committed reader of either group's topics must hold the same utterances.

Options by environment: DURATION_S=300 LEGS=16 ENGINE=whisper|scripted. Logs stay in `.run/bench/delivery`.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from services.contracts.records import Utterance
from tests.support.brokers import Broker, running_broker
from tests.support.transcription import Group, Kill, Killing, Outcome, call_ids, play

FOLDER = Path(".run/bench/delivery")
MODULES = {"whisper": "services.transcriber", "scripted": "tests.support.scripted_transcriber"}
PARTITIONS = 8
KILL_EVERY_S = 20
AWAY_S = 14.0
LATE_S = 3.0
WAIT_S = 240.0


def measure() -> dict[str, Any]:
    """Run as the environment says; the figures."""
    duration_s = int(os.environ.get("DURATION_S", "300"))
    legs = int(os.environ.get("LEGS", "16"))
    engine = os.environ.get("ENGINE", "whisper")
    shutil.rmtree(FOLDER, ignore_errors=True)
    kills = [
        Kill(at_s, number % 2, AWAY_S if number % 3 == 2 else 0.0)
        for number, at_s in enumerate(range(KILL_EVERY_S, duration_s, KILL_EVERY_S))
    ]
    with tempfile.TemporaryDirectory() as scratch, running_broker(Path(scratch)) as broker:
        if broker.embedded:
            raise SystemExit("the delivery suite needs Apache Kafka: Java 17 and Maven, or KAFKA_BOOTSTRAP_SERVERS")
        found = _played(broker, MODULES[engine], legs, duration_s, kills)
    return {"options": {"duration_s": duration_s, "legs": legs, "engine": engine, "broker": broker.name}, **found}


def _played(broker: Broker, module: str, legs: int, duration_s: int, kills: Sequence[Kill]) -> dict[str, Any]:
    calm = Group(broker.bootstrap_servers, "calm.", PARTITIONS)
    killed = Group(broker.bootstrap_servers, "killed.", PARTITIONS)
    try:
        # What it publishes does not depend on when, so it takes the time that the others leave.
        calm.add_worker("calm-0", module=module, folder=FOLDER, nice=19)
        for number in range(2):
            killed.add_worker(f"killed-{number}", module=module, folder=FOLDER)
        for worker in (*calm.workers, *killed.workers):
            worker.start()
        killing, began_s = Killing(killed, kills), time.monotonic()
        play([calm, killed], call_ids(legs // 2, PARTITIONS), duration_s * 1000, speed=1.0, killing=killing)
        found = killed.outcome(legs, within_s=WAIT_S, tend=lambda: killing.tend(time.monotonic() - began_s))
        expected = calm.outcome(legs, within_s=WAIT_S)
    finally:
        calm.close()
        killed.close()
    moved = sum(e["count"] for w in killed.workers for e in w.told("partitions_revoked") if not e["lost"])
    return {
        **_compared(expected, found),
        "kills": len(killing.done),
        "kills_with_takeover": sum(kill.away_s > 0 for kill, _ in killing.done),
        "partitions_moved_back": moved,
        "final_latency_s": _latencies(found.finals),
        "catch_up_s": {
            "restarted_at_once": _catch_up(found.finals, killing.done, away=False),
            "taken_over": _catch_up(found.finals, killing.done, away=True),
        },
    }


def _compared(expected: Outcome, found: Outcome) -> dict[str, Any]:
    wanted, got = expected.utterances(), found.utterances()
    repeated = Counter(u.utterance_id for u in found.finals)
    differing = sorted(i for i in wanted.keys() & got.keys() if wanted[i] != got[i])
    return {
        "utterances": {"calm": len(wanted), "killed": len(got)},
        "equal": wanted == got and len(got) == len(found.finals) and expected.leg_counts() == found.leg_counts(),
        "missing": len(wanted.keys() - got.keys()),
        "extra": len(got.keys() - wanted.keys()),
        "differing": len(differing),
        "repeated": sum(count - 1 for count in repeated.values()),
        "repeated_calm": len(expected.finals) - len(wanted),
        "legs_equal": expected.leg_counts() == found.leg_counts(),
        "examples": {
            "missing": sorted(wanted.keys() - got.keys())[:5],
            "extra": sorted(got.keys() - wanted.keys())[:5],
            "differing": [(wanted[i], got[i]) for i in differing[:3]],
        },
    }


def _late_s(final: Utterance) -> float:
    return (final.timing.published - final.timing.audio_end).total_seconds() if final.timing else 0.0


def _latencies(finals: Sequence[Utterance]) -> dict[str, float]:
    cuts = statistics.quantiles([_late_s(final) for final in finals], n=100)
    return {"p50": round(cuts[49], 2), "p90": round(cuts[89], 2), "p99": round(cuts[98], 2)}


def _catch_up(finals: Sequence[Utterance], done: Sequence[tuple[Kill, datetime]], *, away: bool) -> dict[str, float]:
    """From a kill to the last final that came later than LATE_S because of it; 0 where none did."""
    times: list[float] = []
    for kill, at in done:
        if (kill.away_s > 0) is away:
            until = at + timedelta(seconds=KILL_EVERY_S)
            late = [f for f in finals if f.timing and at <= f.timing.published < until and _late_s(f) > LATE_S]
            times.append(max(((f.timing.published - at).total_seconds() for f in late if f.timing), default=0.0))
    return {"median": round(statistics.median(times), 1), "worst": round(max(times), 1)} if times else {}
