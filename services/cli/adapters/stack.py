"""The whole pipeline as child processes on this machine: broker, simulator, every service.

Each process logs to `<run_dir>/logs/NAME.log` and dies with this one. Ports are free ones on 127.0.0.1. The product's
services get nothing of the simulator but base URLs and credentials. Main thread only.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import httpx

from services.chassis.errors import Fatal
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.cli.adapters.child_process import ChildProcess
from services.cli.adapters.embedded_broker import EmbeddedBroker

READY_TIMEOUT_S = 120.0
PORTS = range(24_000, 30_000)
PARTITIONS = 2
SERVICES = (
    "event_ingestor",
    "supervision_orchestrator",
    "media_gateway",
    "transcriber",
    "insights",
    "assist_gateway",
    "recorder",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A running service and where its health answers."""

    name: str
    process: ChildProcess
    health_url: str


class Stack:
    """Starts everything with `start`, stops it with `stop`. `say` is told of each step."""

    EMBEDDED_BROKER_SETTINGS: ClassVar[dict[str, str]] = {"KAFKA_EMBEDDED": "true"}

    def __init__(self, run_dir: Path, say: Callable[[str], None], environ: Mapping[str, str] | None = None) -> None:
        self.run_dir = run_dir
        self._say = say
        self._environ = dict(os.environ if environ is None else environ)
        self._broker: EmbeddedBroker | None = None
        self._children: list[ChildProcess] = []
        self.services: dict[str, Service] = {}
        self.simulator_url = f"http://127.0.0.1:{free_port()}"
        self.page_port = free_port()
        self.token_key = secrets.token_hex(32)

    @property
    def settings(self) -> KafkaSettings:
        """How to reach the broker that the stack runs on."""
        return KafkaSettings.model_validate(self._environ)

    def audio_name(self, path: str) -> str:
        """What the simulator is asked to play: it sees the same files."""
        return path

    def start(self) -> None:
        """Start broker, simulator and services, and return once all of them are ready. Raises Fatal."""
        shutil.rmtree(self.run_dir / "logs", ignore_errors=True)
        self._start_broker()
        self._say("creating topics")
        ensure_topics(self.settings, partitions=PARTITIONS, replication=1)
        self._start_simulator()
        for name in SERVICES:
            self._start_service(name)
        self.wait_until_ready()

    def restart(self, name: str, settings: Mapping[str, str] | None = None) -> None:
        """Kill a service as a crash would (SIGKILL) and start it again, with `settings` on top; does not wait."""
        service = self.services[name]
        service.process.kill()
        self._children.remove(service.process)
        port = int(service.health_url.rpartition(":")[2])
        process = self._spawn(name, {**self._environment_of(name, port), **(settings or {})})
        self.services[name] = Service(name=name, process=process, health_url=service.health_url)

    def stop(self) -> None:
        """Stop the services, then the simulator, then the broker."""
        services = [service.process for service in self.services.values()]
        with ThreadPoolExecutor(max_workers=len(SERVICES)) as pool:
            list(pool.map(lambda child: child.stop(grace_s=10.0), services))
        for child in reversed(self._children):
            child.stop()
        if self._broker is not None:
            self._broker.stop()

    def died(self) -> str | None:
        """One line about a process that is gone, or None while all run."""
        for service in self.services.values():
            if service.process.exit_code() is not None:
                return f"{service.name} ended by itself; see {service.process.log_path}"
        if self._broker is not None and self._broker.exit_code() is not None:
            return f"the broker ended by itself; see {self._log('broker')}"
        return None

    def _start_broker(self) -> None:
        named = self._environ.get("KAFKA_BOOTSTRAP_SERVERS")
        if named:
            self._say(f"using the broker at {named}")
            self._environ.setdefault("EARSHOT_TOPIC_PREFIX", "earshot.")
            return
        self._say("starting the embedded broker")
        data_dir = self.run_dir / "broker"
        shutil.rmtree(data_dir, ignore_errors=True)
        self._broker = EmbeddedBroker(data_dir=data_dir, log_path=self._log("broker"))
        self._broker.start()
        self._environ["KAFKA_BOOTSTRAP_SERVERS"] = self._broker.bootstrap_servers
        self._environ = {**self.EMBEDDED_BROKER_SETTINGS, **self._environ}

    def _start_simulator(self) -> None:
        self._say("starting the RingCentral simulator")
        port = self.simulator_url.rpartition(":")[2]
        process = self._spawn(
            "ringcentral_sim",
            {
                "RINGCENTRAL_SIM_HOST": "127.0.0.1",
                "RINGCENTRAL_SIM_PORT": port,
                "RINGCENTRAL_SIM_SIP_PORT": "0",
                "RINGCENTRAL_SIM_SIP_TLS_PORT": "0",
            },
        )
        deadline = time.monotonic() + 30.0
        while not _answers(f"{self.simulator_url}/healthz"):
            if process.exit_code() is not None or time.monotonic() > deadline:
                raise Fatal(f"the simulator did not start; {self._log('ringcentral_sim')} ends:\n{process.log_tail(5)}")
            time.sleep(0.1)

    def _start_service(self, name: str) -> None:
        port = free_port()
        process = self._spawn(name, self._environment_of(name, port))
        self.services[name] = Service(name=name, process=process, health_url=f"http://127.0.0.1:{port}")

    def _environment_of(self, name: str, health_port: int) -> dict[str, str]:
        data = str(self.run_dir / "data" / name)
        return {
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": str(health_port),
            "KAFKA_GROUP_INSTANCE_ID": f"demo-{name}",
            "RINGCENTRAL_SERVER_URL": self.simulator_url,
            "RINGCENTRAL_CLIENT_ID": "sim-client-id",
            "RINGCENTRAL_CLIENT_SECRET": "sim-client-secret",
            "RINGCENTRAL_JWT": "sim-jwt-supervisor",
            "SUPERVISION_ORCHESTRATOR_DATA_DIR": data,
            "INSIGHTS_DATA_DIR": data,
            "MEDIA_GATEWAY_SIP_TRANSPORT": "tls",
            "MEDIA_GATEWAY_TLS_VERIFY": "false",
            "MEDIA_GATEWAY_HOST": "127.0.0.1",
            "RECORDER_DESTINATION": str(self.run_dir / "recordings"),
            "RECORDER_SPOOL_DIR": data,
            "ASSIST_GATEWAY_HOST": "127.0.0.1",
            "ASSIST_GATEWAY_PORT": str(self.page_port),
            "ASSIST_GATEWAY_JWT_KEY": self.token_key,
            "ASSIST_GATEWAY_RECORDINGS": str(self.run_dir / "recordings"),
        }

    def _spawn(self, name: str, environment: Mapping[str, str]) -> ChildProcess:
        env = {**self._environ, **{k: v for k, v in environment.items() if k not in self._environ or k in OURS}}
        command = [sys.executable, "-m", f"services.{name}"]
        child = ChildProcess.start(command, log_path=self._log(name), env=env)
        self._children.append(child)
        return child

    def wait_until_ready(self) -> None:
        """Return once every service says that it is ready. Raises Fatal with the end of the log of one that is not."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        waiting = set(self.services)
        while waiting:
            for name in sorted(waiting):
                running = self.services[name].process.exit_code() is None
                if running and _answers(f"{self.services[name].health_url}/readyz"):
                    waiting.discard(name)
                    self._say(f"{name} is ready ({len(self.services) - len(waiting)} of {len(self.services)})")
            dead = [name for name in waiting if self.services[name].process.exit_code() is not None]
            if dead or time.monotonic() > deadline:
                name = sorted(dead or waiting)[0]
                how = "ended" if dead else f"was not ready within {READY_TIMEOUT_S:.0f} s"
                raise Fatal(f"{name} {how}; {self._log(name)} ends:\n{self.services[name].process.log_tail(5)}")
            time.sleep(0.2)

    def _log(self, name: str) -> Path:
        return self.run_dir / "logs" / f"{name}.log"


OURS = frozenset(
    {"HEALTH_HOST", "HEALTH_PORT", "RINGCENTRAL_SERVER_URL", "RINGCENTRAL_SIM_PORT", "KAFKA_GROUP_INSTANCE_ID"}
)
"""Set by the stack even where the caller's environment names them; all else the caller may override."""


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago, outside the range that the system gives to clients."""
    for port in random.SystemRandom().sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Fatal(f"no free TCP port on 127.0.0.1 between {PORTS.start} and {PORTS.stop - 1}")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0).status_code == 200
    except httpx.HTTPError:
        return False
