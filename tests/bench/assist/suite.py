"""The assist suite: how well suggestions fit, what an utterance costs in insights, rules by the hundred, and screens.

Each section is a module's `measure() -> dict`. The keys that stand at the top are those that are looked at first.
"""

from __future__ import annotations

from typing import Any

from tests.bench.assist import publishing, retrieval, rules, screens


def measure() -> dict[str, Any]:
    """All sections."""
    found = retrieval.measure()
    return {
        "hit_at_1": found["held_out"]["hit_at_1"],
        "false_suggestions": found["held_out"]["false_suggestions"],
        "retrieval": found,
        "utterance": rules.measure(),
        "publishing": publishing.measure(),
        **screens.measure(),
    }
