"""A pipeline that already runs, in containers or on a cluster, to play a call through.

It is reached as its own clients would: the broker that KAFKA_BOOTSTRAP_SERVERS names and the simulator's address.
Nothing is started and nothing is stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from services.chassis.errors import Fatal
from services.chassis.settings import KafkaSettings
from services.cli.adapters.simulator import Simulator

READY_TIMEOUT_S = 180.0


class RunningStack:
    """The same surface as `Stack` where a call is played."""

    def __init__(self, simulator_url: str, say: Callable[[str], None]) -> None:
        self.simulator_url = simulator_url
        self._say = say

    @property
    def settings(self) -> KafkaSettings:
        """How to reach the broker: the environment's."""
        return KafkaSettings()

    def start(self) -> None:
        """Return once a supervisor's device is registered with the simulator. Raises Fatal after three minutes."""
        self._say(f"using the stack at {self.simulator_url} and the broker at {self.settings.kafka_bootstrap_servers}")
        simulator = Simulator(self.simulator_url)
        deadline = time.monotonic() + READY_TIMEOUT_S
        why = ""
        while time.monotonic() < deadline:
            try:
                if simulator.device_is_registered():
                    return
                why = "no device is registered with it: is the media gateway up?"
            except httpx.HTTPError as error:
                why = f"it does not answer ({type(error).__name__})"
            time.sleep(0.5)
        raise Fatal(f"the simulator at {self.simulator_url}: {why}")

    def audio_name(self, path: str) -> str:
        """The simulator has the file under its RINGCENTRAL_SIM_AUDIO_ROOT, by its bare name."""
        return path.rpartition("/")[2]

    def died(self) -> None:
        """Whoever runs the stack watches its processes."""

    def stop(self) -> None:
        """It goes on running."""
