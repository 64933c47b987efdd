"""`make bench SUITE=coverage`: a floor's day in compressed time, judged by the simulator's truth.

Options by environment: CALLS=2000 SEED=1 SPEED=12.5 KILL=0 FAULTS=both|clean|faults (see `options`). Kinds of run that
are not asked for keep their figures in the results. Logs of the processes stay in `.run/bench/coverage`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import structlog

from services.chassis.consumer import Incoming
from services.chassis.errors import Fatal
from services.chassis.publisher import KafkaPublisher
from services.chassis.records import decode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.chassis.topic_view import TopicView
from services.contracts.records import CallLifecycle
from services.contracts.topics import CALLS_LIFECYCLE
from services.media_gateway.adapters.supervision_topic import follow_supervision
from tests.bench.coverage import options as settings_of
from tests.bench.coverage.gateway import PaperGateway
from tests.bench.coverage.judge import Disturbance, judge
from tests.bench.coverage.options import Options
from tests.bench.coverage.results import code_digest, merged
from tests.bench.coverage.surroundings import Killer, Surroundings
from tests.support.brokers import Broker, running_broker

FOLDER = Path(".run/bench/coverage")
TELL_EVERY_S = 10.0
LOOK_EVERY_S = 2.0
CLOSING_S = 60.0
__all__ = ["measure", "merged"]


def measure() -> dict[str, Any]:
    """Run as the environment says; the figures by kind of run."""
    options = Options.of()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    kinds = ("clean", "faults") if options.faults == "both" else (options.faults,)
    found: dict[str, Any] = {}
    for kind in kinds:
        name = f"{kind}_killed" if options.kill else kind
        folder, code = FOLDER / name, code_digest()
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory() as scratch, running_broker(Path(scratch)) as broker:
            figures = asyncio.run(_Run(options, kind, folder, broker).play())
        run = {"options": {**options.shown(), "faults": kind}, "broker": broker.name, "code": code}
        found[name] = {**run, **figures}
    return found


class _Run:
    """One day."""

    def __init__(self, options: Options, kind: str, folder: Path, broker: Broker) -> None:
        prefix = f"bench{secrets.token_hex(3)}."
        self._options = options
        self._kind = kind
        self._kafka = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=prefix)
        self._around = Surroundings(
            options, folder, broker=broker.bootstrap_servers, embedded=broker.embedded, prefix=prefix
        )
        self._lock = threading.Lock()
        self._lifecycle: list[CallLifecycle] = []
        self._day_began = 0.0
        self._kills: list[Disturbance] = []

    async def play(self) -> dict[str, Any]:
        """The figures."""
        ensure_topics(self._kafka, partitions=self._options.partitions, replication=1)
        publisher = KafkaPublisher(self._kafka, service="media_gateway")
        try:
            return await self._day(publisher)
        finally:
            self._around.stop()
            publisher.close(2.0)

    async def _day(self, publisher: KafkaPublisher) -> dict[str, Any]:
        self._around.start_simulator()
        async with httpx.AsyncClient(base_url=self._around.url, trust_env=False, timeout=60) as sim:
            plan = await _post(sim, "/sim/floor", settings_of.floor(self._options))
            devices = {d: s["extensionId"] for s in plan["supervisors"] for d in s["deviceIds"]}
            gateway = PaperGateway(
                f"{self._around.url.replace('http', 'ws', 1)}/sim/media", devices, publisher,
                slots=self._options.slots, register_every_s=settings_of.REGISTER_S / self._options.speed,
                silence_s=settings_of.SILENCE_S / self._options.speed,
            )  # fmt: skip
            views = [
                follow_supervision(self._kafka, publisher, gateway.learn_threadsafe),
                TopicView(self._kafka, topics=[CALLS_LIFECYCLE], on_record=self._take, name="judge"),
            ]
            for view in views:
                view.start()
            tasks = [asyncio.create_task(gateway.run())]
            try:
                await asyncio.wait_for(gateway.registered.wait(), 30)
                _say(f"{self._kind}: starting the services; {len(devices)} supervisors")
                await asyncio.to_thread(self._around.start_services, plan["supervisors"])
                if self._kind == "faults":
                    await _post(sim, "/sim/faults", settings_of.all_faults(self._options))
                await _post(sim, "/sim/floor/start", {})
                if self._options.kill:
                    tasks.append(asyncio.create_task(self._kill()))
                progress = await self._until_done(sim, tasks)
                truth = (await sim.get("/sim/floor/calls")).json()["calls"]
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                for view in views:
                    await asyncio.to_thread(view.stop)
        return {
            **judge(truth, self._lifecycle, progress, speed=self._options.speed, disturbances=self._kills),
            "kills": self._killed(),
            "gateway": dict(sorted(gateway.counts.items())),
        }

    def _killed(self) -> dict[str, Any]:
        """How often each was killed, and how long until it was ready again, in the machine's seconds."""
        down_s = sorted((kill.until_s - kill.from_s) / self._options.speed for kill in self._kills)
        return {
            **Counter(kill.what for kill in self._kills),
            "down_s": {"p50": round(down_s[len(down_s) // 2], 1), "max": round(down_s[-1], 1)} if down_s else None,
        }

    def _take(self, incoming: Incoming) -> None:
        with self._lock:
            self._lifecycle.append(decode(CALLS_LIFECYCLE, incoming.value))

    async def _until_done(self, sim: httpx.AsyncClient, tasks: list[asyncio.Task[None]]) -> dict[str, Any]:
        """Progress once the day is over and every eligible call has its account, or has had its time."""
        told = closing = 0.0
        while True:
            progress: dict[str, Any] = (await sim.get("/sim/floor")).json()
            now = time.monotonic()
            self._day_began = now - progress["simulatedS"] / self._options.speed
            ended = len({r.call_id for r in self._lifecycle if r.type == "ended"})
            if now - told >= TELL_EVERY_S:
                told = now
                _say(
                    f"{self._kind}: {progress['simulatedS'] / 3600:.2f} h, {progress['ended']} of "
                    f"{progress['planned']} calls over, {progress['live']} live, covered {progress['coveredBoth']} of "
                    f"{progress['supervisable']} supervisable, {ended} accounts for {progress['eligible']} eligible"
                )
            gone = self._around.died()
            if gone is not None:
                raise Fatal(f"{gone} ended by itself; see its log")
            for task in tasks:
                if task.done():
                    task.result()
            if progress["state"] == "done":
                for task in tasks[1:]:
                    task.cancel()
                closing = closing or now
                if now - closing > CLOSING_S or await self._all_accounted(sim):
                    await asyncio.sleep(1.0)
                    return progress
            await asyncio.sleep(LOOK_EVERY_S)

    async def _all_accounted(self, sim: httpx.AsyncClient) -> bool:
        truth = (await sim.get("/sim/floor/calls")).json()["calls"]
        ended = {r.call_id for r in self._lifecycle if r.type == "ended"}
        return all(c["telephonySessionId"] in ended for c in truth if c["eligible"])

    async def _kill(self) -> None:
        killer = Killer(self._options.seed)
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                wait_s, name = killer.next()
                await asyncio.sleep(wait_s)
                killed = time.monotonic()
                await asyncio.to_thread(self._around.restart, name)
                await asyncio.to_thread(self._around.wait_ready, name)
                spell = [(at - self._day_began) * self._options.speed for at in (killed, time.monotonic())]
                self._kills.append(Disturbance(name, *spell))
                down_s = time.monotonic() - killed
                _say(f"{self._kind}: killed {name}, ready again after {down_s:.1f} s")


async def _post(sim: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = await sim.post(path, json=body)
    if reply.status_code >= 300:
        raise Fatal(f"{path}: {reply.status_code} {reply.text[:200]}")
    made: dict[str, Any] = reply.json()
    return made


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
