"""Run a service with the constants of `options.CONSTANTS` in compressed time: `python -m ... MODULE SPEED`."""

from __future__ import annotations

import importlib
import runpy
import sys
from typing import Any

from tests.bench.coverage.options import CONSTANTS


def compress(service: str, speed: float) -> None:
    """Divide the constants of the service and of the chassis by `speed`."""
    for name, constants in CONSTANTS.items():
        if not name.startswith((service, "services.chassis")):
            continue
        module = importlib.import_module(name)
        for constant, least in constants.items():
            setattr(module, constant, _divided(getattr(module, constant), speed, least))


def _divided(value: Any, speed: float, least: float) -> Any:
    if isinstance(value, tuple):
        return tuple(_divided(one, speed, least) for one in value)
    scaled = max(value / speed, least)
    return round(scaled) if isinstance(value, int) else scaled


if __name__ == "__main__":
    service_name, speed_text = sys.argv[1:3]
    del sys.argv[1:]
    compress(service_name, float(speed_text))
    runpy.run_module(service_name, run_name="__main__", alter_sys=True)
