"""Broker, simulator and the two services under test, as processes of their own."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx

from services.chassis.errors import Fatal
from services.cli.adapters.child_process import ChildProcess
from services.cli.adapters.stack import free_port
from tests.bench.coverage.options import Options, simulator, waits

READY_TIMEOUT_S = 120.0
UNDER_TEST = ("event_ingestor", "supervision_orchestrator")
OWN_OPTIONS = frozenset(f.name.upper() for f in fields(Options))
REPOSITORY = Path(__file__).resolve().parents[3]


class Surroundings:
    """`start_simulator` first; then, with the supervisors' credentials, `start_services`."""

    def __init__(self, options: Options, folder: Path, *, broker: str, embedded: bool, prefix: str) -> None:
        self._options = options
        self._folder = folder
        self._kafka = {
            "KAFKA_BOOTSTRAP_SERVERS": broker,
            "EARSHOT_TOPIC_PREFIX": prefix,
            **({"KAFKA_EMBEDDED": "true"} if embedded else {}),
        }
        self._children: dict[str, ChildProcess] = {}
        self._ports = {name: free_port() for name in UNDER_TEST}
        self._jwts = ""
        self.url = f"http://127.0.0.1:{free_port()}"

    def start_simulator(self) -> None:
        """Return once it answers."""
        port = self.url.rpartition(":")[2]
        self._spawn(
            "ringcentral_sim",
            [sys.executable, "-m", "services.ringcentral_sim"],
            {**simulator(self._options), "RINGCENTRAL_SIM_PORT": port},
        )
        self._wait("ringcentral_sim", f"{self.url}/healthz")

    def start_services(self, supervisors: list[dict[str, Any]]) -> None:
        """Return once both are ready."""
        self._jwts = json.dumps([{"jwt": s["jwt"], "device_ids": s["deviceIds"]} for s in supervisors])
        for name in UNDER_TEST:
            shutil.rmtree(self._folder / "data" / name, ignore_errors=True)
            self._start(name)
        for name in UNDER_TEST:
            self.wait_ready(name)

    def restart(self, name: str) -> None:
        """SIGKILL, and start again at once; does not wait."""
        self._children.pop(name).kill()
        self._start(name)

    def wait_ready(self, name: str) -> None:
        """Return once the service says so. Raises Fatal."""
        self._wait(name, f"http://127.0.0.1:{self._ports[name]}/readyz")

    def died(self) -> str | None:
        """A process that ended by itself."""
        return next((name for name, child in self._children.items() if child.exit_code() is not None), None)

    def stop(self) -> None:
        """End all of them."""
        for child in reversed(self._children.values()):
            child.stop()

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m", "tests.bench.coverage.scaled", f"services.{name}", str(self._options.speed)]
        self._spawn(
            name,
            command,
            {
                **waits(self._options.speed),
                "HEALTH_HOST": "127.0.0.1",
                "HEALTH_PORT": str(self._ports[name]),
                "KAFKA_GROUP_INSTANCE_ID": f"bench-{name}",
                "RINGCENTRAL_SERVER_URL": self.url,
                "RINGCENTRAL_CLIENT_ID": "sim-client-id",
                "RINGCENTRAL_CLIENT_SECRET": "sim-client-secret",
                "RINGCENTRAL_JWT": "sim-jwt-supervisor",
                "RINGCENTRAL_JWTS": self._jwts if name == "supervision_orchestrator" else "",
                "SUPERVISION_ORCHESTRATOR_DATA_DIR": str(self._folder / "data" / name),
                "RINGCENTRAL_STATE_DIR": str(self._folder / "data" / name / "ringcentral"),
                "SUPERVISION_ORCHESTRATOR_REQUEST_THREADS": "16",
            },
        )

    def _spawn(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        # The run's own options, such as HOURS, are nobody's settings.
        kept = {k: v for k, v in os.environ.items() if k not in OWN_OPTIONS}
        env = {**kept, "PYTHONPATH": str(REPOSITORY), **self._kafka, **environment}
        log = self._folder / "logs" / f"{name}.log"
        self._children[name] = ChildProcess.start(command, log_path=log, env=env, cwd=REPOSITORY)

    def _wait(self, name: str, url: str) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                if httpx.get(url, timeout=2.0, trust_env=False).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            child = self._children[name]
            if child.exit_code() is not None or time.monotonic() > deadline:
                raise Fatal(f"{name} is not ready; {child.log_path} ends:\n{child.log_tail(8)}")
            time.sleep(0.1)


class Killer:
    """Whom to kill when: seeded, every service about as often."""

    def __init__(self, seed: int, *, shortest_s: float = 20.0, longest_s: float = 60.0) -> None:
        self._dice = random.Random(f"kill {seed}")
        self._between = (shortest_s, longest_s)

    def next(self) -> tuple[float, str]:
        """Real seconds to wait, and the service."""
        return self._dice.uniform(*self._between), self._dice.choice(UNDER_TEST)
