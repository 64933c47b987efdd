"""How the bench looks for the load that a core keeps up with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.asr.suite import climbed


@pytest.mark.parametrize("steps", [(16, 24, 32, 40, 48), (8, 12, 16, 20), (1, 2, 3, 4), (36,)])
@pytest.mark.parametrize("keeps_up_with", range(0, 52, 3))
def test_the_highest_load_in_time_is_found_between_the_steps_too(steps: tuple[int, ...], keeps_up_with: int) -> None:
    tried: list[int] = []

    def step(legs: int) -> dict[str, Any]:
        tried.append(legs)
        return {"legs": legs, "partial_latency_s": {"p95": 1.5 if legs <= keeps_up_with else 1.51}}

    found = climbed(steps, step)
    best = min(keeps_up_with, max(steps))
    assert best - 2 < found["legs_per_core"] <= best
    assert [figures["legs"] for figures in found["load"]] == sorted(set(tried)) == sorted(tried)


def test_a_step_that_fails_or_shows_nothing_is_not_in_time() -> None:
    told = {8: {"legs": 8, "partial_latency_s": {"p95": None}}, 4: {"failed": "no memory"}}
    assert climbed((8,), lambda legs: told.get(legs, {"legs": legs}))["legs_per_core"] == 0
