"""The assist suite: how well suggestions fit, what an utterance costs in insights, rules by the hundred, and screens.

Each section is a module's `measure() -> dict`; `screens` (viewers, and the way from an utterance to a screen) takes
part where it is there. The keys that stand at the top are those that are looked at first.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

from tests.bench.assist import publishing, retrieval, rules

SCREENS = "tests.bench.assist.screens"


def measure() -> dict[str, Any]:
    """All sections."""
    found = retrieval.measure()
    figures: dict[str, Any] = {
        "hit_at_1": found["held_out"]["hit_at_1"],
        "false_suggestions": found["held_out"]["false_suggestions"],
        "retrieval": found,
        "utterance": rules.measure(),
        "publishing": publishing.measure(),
    }
    if importlib.util.find_spec(SCREENS) is not None:
        figures |= importlib.import_module(SCREENS).measure()
    return figures
