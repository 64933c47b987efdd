"""`make bench SUITE=asr`: accuracy, latency, stability and cost of the transcriber for each model, and legs a core.

Environment: DATA, a folder of WAV or FLAC with text (else the repository's conversations); MODELS, such as `tiny.en`;
PEERS, the virtual environment of WhisperLive and WhisperLiveKit; SERVERS, which of them (empty: none); PARTS of
offline, streaming, virtual_load and load, and, only where asked for, accuracy (each leg by itself through the servers
at real time, which takes most of an hour) and slower (the load, SLOWER times as slowly: what a core would keep up with
that is so many times as fast); SECONDS, of real time a step; LEGS and PEER_LEGS, the steps of the load. Behind the
first that is too much, it is looked for between the steps.
Everything runs on the first of the cores that this process may use. What one run leaves out, the results keep from the
runs before.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from services.transcriber.adapters.onnx_graph import sums_signed
from services.transcriber.adapters.sound import to_whisper_rate
from services.transcriber.adapters.whisper_engine import WhisperEngine
from services.transcriber.config import TranscriberSettings
from services.transcriber.domain.scheduling import Kind
from services.transcriber.domain.secret import Secret
from tests.bench.asr import peers
from tests.bench.asr.engines import MODELS, load_engine, missing, offline
from tests.bench.asr.feed import Feed
from tests.bench.asr.figures import error_rate, sight, text_of
from tests.bench.asr.material import Call, Leg, calls, legs_of
from tests.bench.asr.virtual import Stages, VirtualRun

P95_LIMIT_S = 1.5
ERRORS = ("substitutions", "deletions", "insertions")
SHOW_ALL = ",".join(f"{secret.value}=keep" for secret in Secret)
STEPS = {"tiny.en": (16, 24, 32, 40, 48, 56, 64, 72, 80), "base": (8, 12, 16, 20, 24, 28, 32)}
PEER_STEPS = (1, 2, 3, 4, 6, 8)
NEAREST_LEGS = 2
"""The load is looked for to so many."""
QUIET_LEGS = 4
VIRTUAL_STEPS = (24, 32, 40)
PARTS = ("offline", "streaming", "virtual_load", "load")


def measure() -> dict[str, Any]:
    """All of it; what cannot be measured here says why."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    found = calls()
    seconds = int(os.environ.get("SECONDS", "60"))
    models = filter(None, os.environ.get("MODELS", ",".join(MODELS)).split(","))
    parts = os.environ.get("PARTS", ",".join(PARTS)).split(",")
    out: dict[str, Any] = {
        "suite": "asr",
        "data": {
            "calls": len(found),
            "legs": len(legs_of(found)),
            "leg_seconds": sum(leg.duration_ms for leg in legs_of(found)) // 1000,
            "words": sum(len(leg.text.split()) for leg in legs_of(found)),
        },
        "machine": {
            "cpu": _cpu(),
            "vnni": sums_signed(),
            "cores_used": 1,
            "cores": os.cpu_count(),
            "load_before": os.getloadavg()[0],
        },
        "seconds_a_step": seconds,
        "models": {},
        "peers": {},
        "legs_per_core": {},
    }
    for model in models:
        out["models"][model] = {"skipped": why} if (why := missing(model)) else _model(model, found, seconds, parts)
        out["legs_per_core"][model] = out["models"][model].get("legs_per_core")
    for name in filter(None, os.environ.get("SERVERS", ",".join(peers.PEER)).split(",")):
        out["peers"][name] = {"skipped": why} if (why := peers.missing(name)) else _peer(name, found, seconds, parts)
        out["legs_per_core"][name] = out["peers"][name].get("legs_per_core")
        if why:
            print(f"{name}: skipped, {why}", file=sys.stderr)
    return out


def merged(earlier: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """What was measured before stays where this run was not asked for it, or could not measure it."""
    kept = found.copy()
    for part in ("models", "peers"):
        kept[part] = {name: dict(old) for name, old in earlier.get(part, {}).items()}
        for name, new in found[part].items():
            if "skipped" not in new or name not in kept[part]:
                kept[part][name] = kept[part].get(name, {}) | new
    reached = {name: legs for name, legs in found["legs_per_core"].items() if legs is not None}
    kept["legs_per_core"] = found["legs_per_core"] | earlier.get("legs_per_core", {}) | reached
    return kept


def _model(model: str, found: Sequence[Call], seconds: int, parts: Sequence[str]) -> dict[str, Any]:
    stages = Stages()
    figures: dict[str, Any] = {}
    print(f"{model}: {', '.join(parts)}, over {_leg_seconds(found):.0f} s of legs", file=sys.stderr, flush=True)
    if "offline" in parts:
        figures["offline_full_windows"] = _offline(model, found)
    if "streaming" in parts:
        figures["streaming"] = _streaming(load_engine(model, stage=stages.stage), stages, found)
    timed = any(leg.words for leg in legs_of(found))
    if "virtual_load" in parts and timed:
        figures["virtual_load"] = [_virtual(model, found, legs, seconds) for legs in steps("LEGS", VIRTUAL_STEPS)]
    if "load" in parts and timed:
        figures |= _paced(model, seconds)
    if "slower" in parts and timed:
        slower = float(os.environ.get("SLOWER", "1"))
        figures["slower"] = {"times": slower, **_paced(model, seconds, slower=slower)}
    return figures


def _paced(model: str, seconds: int, **options: Any) -> dict[str, Any]:
    asked = {"model": model, "seconds": seconds, **options}
    return climbed(
        steps("LEGS", STEPS.get(model, STEPS["base"])),
        lambda legs: _child("paced", json.dumps({"legs": legs, **asked}), label=model),
    )


def _offline(model: str, found: Sequence[Call]) -> dict[str, Any]:
    """Each leg as a whole by faster-whisper: 30 s windows, beam 5."""
    whisper = offline(model)
    began = time.process_time()
    pairs = []
    for leg in legs_of(found):
        segments, _ = whisper.transcribe(
            to_whisper_rate(leg.pcm16, 8_000), language="en", beam_size=5, condition_on_previous_text=False
        )
        pairs.append((leg.text, " ".join(segment.text.strip() for segment in segments)))
    spent = time.process_time() - began
    return error_rate(pairs) | {"cpu_s_per_leg_s": round(spent / _leg_seconds(found), 4)}


def _streaming(engine: WhisperEngine, stages: Stages, found: Sequence[Call]) -> dict[str, Any]:
    """All calls from their beginning, a few legs at a time, in virtual time, with nothing hidden."""
    runs, pairs, total = [], [], None
    for at in range(0, len(found), max(1, QUIET_LEGS // len(found[0].legs))):
        some = found[at : at + max(1, QUIET_LEGS // len(found[0].legs))]
        longest_ms = max(leg.duration_ms for leg in legs_of(some))
        feed = Feed(some, legs=len(legs_of(some)), until_ms=longest_ms + 1_000, runs_on=False, from_start=True)
        run = VirtualRun(engine, TranscriberSettings(redact=SHOW_ALL), stages=stages)
        run.play(feed)
        runs.append(run)
        pairs += [(leg.leg.text, text_of(run.screen.seen.get(leg_id, ()))) for leg_id, leg in feed.playing.items()]
        part = sight(feed.playing, run.screen.seen)
        total = part if total is None else total.plus(part)
    leg_s = _leg_seconds(found)
    return {
        **error_rate(pairs),
        "virtual_time": {"legs": QUIET_LEGS, **(total.figures() if total is not None else {})},
        "cpu_s_per_leg_s": round(sum(run.busy_s for run in runs) / leg_s, 4),
        "cpu_s_per_leg_s_by_stage": {name: round(spent / leg_s, 5) for name, spent in sorted(stages.cpu_s.items())},
        "decodes_per_leg_minute": {
            kind.value: round(60 * sum(run.pool.decodes[kind.value] for run in runs) / leg_s, 2) for kind in Kind
        },
        "full_windows": sum(run.pool.full_windows for run in runs),
    }


def _virtual(model: str, found: Sequence[Call], legs: int, seconds: int) -> dict[str, Any]:
    """One load in virtual time: what one core would show if it had nothing else to do; see ``virtual``."""
    run = VirtualRun(load_engine(model), TranscriberSettings())
    feed = Feed(found, legs=legs, until_ms=seconds * 1000)
    run.play(feed)
    shown = sight(feed.playing, run.screen.seen, from_ms=5_000, until_ms=seconds * 1000)
    return {"legs": legs, **shown.figures(), "core": round(run.busy_s / seconds, 3)}


def _peer(name: str, found: Sequence[Call], seconds: int, parts: Sequence[str]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    if "accuracy" in parts:
        figures["accuracy"] = _accuracy(name, legs_of(found))
    if "load" in parts:
        figures |= climbed(
            steps("PEER_LEGS", PEER_STEPS), lambda legs: _child("peers", name, str(legs), str(seconds), label=name)
        )
    return figures


def _accuracy(name: str, legs: Sequence[Leg]) -> dict[str, Any]:
    """Word error rate of a server that hears one leg after the other."""
    total: Counter[str] = Counter()
    for number, leg in enumerate(legs):
        told = _child("peers", name, "1", str(leg.duration_ms // 1000 + 1), str(number), label=name)
        total.update({kind: told["whole_legs"][kind] for kind in ("words", *ERRORS)})
    return {"wer_percent": round(100 * sum(total[kind] for kind in ERRORS) / total["words"], 2), **total}


def climbed(legs: Sequence[int], step: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """Raise the load until partials are late, then look between; the highest load at which they were not."""
    kept: list[dict[str, Any]] = []

    def in_time(number: int) -> bool:
        kept.append(step(number))
        p95 = kept[-1].get("partial_latency_s", {}).get("p95")
        return p95 is not None and p95 <= P95_LIMIT_S

    reached = 0
    late: int | None = None
    for number in legs:
        if not in_time(number):
            late = number
            break
        reached = number
    while late is not None and late - reached > NEAREST_LEGS:
        between = (reached + late + 1) // 2 // NEAREST_LEGS * NEAREST_LEGS
        if in_time(between):
            reached = between
        else:
            late = between
    return {"load": sorted(kept, key=lambda figures: figures.get("legs", 0)), "legs_per_core": reached}


def _child(module: str, *arguments: str, label: str) -> dict[str, Any]:
    command = [sys.executable, "-m", f"tests.bench.asr.{module}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"failed": done.stderr.strip()[-400:]}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    latency = {kind: figures[f"{kind}_latency_s"] for kind in ("partial", "final")}
    print(f"{label}: {figures['legs']} legs, core {figures['core']}, {latency}", file=sys.stderr, flush=True)
    return figures


def steps(variable: str, default: Sequence[int]) -> tuple[int, ...]:
    """Numbers of legs, from the environment where it names some."""
    return tuple(int(number) for number in filter(None, os.environ.get(variable, "").split(","))) or tuple(default)


def _leg_seconds(found: Sequence[Call]) -> float:
    return sum(leg.duration_ms for leg in legs_of(found)) / 1000


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        return platform.processor()
