"""What screens wait for: from a final utterance to its suggestion, and a full floor on one gateway core.

`measure()` gives `suggestion_ms` (publication of the final to arrival of the suggestion at the agent's WebSocket,
through a real broker, the insights service and the gateway as processes) and `fan_out` (see `fan_out.py`).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.assist import fan_out, suggestion_delay
from tests.support.brokers import running_broker


def measure() -> dict[str, Any]:
    """Both, each with topics of its own on one broker."""
    cores = sorted(os.sched_getaffinity(0))
    gateway_core = cores[-1] if len(cores) > 1 else None
    with tempfile.TemporaryDirectory(prefix="assist-bench-") as folder:
        if gateway_core is not None:
            os.sched_setaffinity(0, cores[:-1])  # everything that is started from here on, but for the gateway
        try:
            with running_broker(Path(folder)) as broker:
                floor = fan_out.measure(broker, "bench-fan-out.", Path(folder), gateway_core)
                os.sched_setaffinity(0, cores)
                delay = suggestion_delay.measure(broker, "bench-delay.", Path(folder))
                return delay | {"broker": broker.name, "fan_out": floor}
        finally:
            os.sched_setaffinity(0, cores)
