"""The judge of the coverage bench, on made-up truths."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from services.contracts.records import CallLifecycle, CallOutcome
from tests.bench.coverage.judge import Disturbance, judge, lived_after_s
from tests.bench.coverage.options import Options, waits

PROGRESS = {"planned": 1, "rateLimitViolations": 0, "injected": {}}


def call(call_id: str = "s-1", **facts: Any) -> dict[str, Any]:
    return {
        "telephonySessionId": call_id, "flow": "inbound", "line": "main", "eligible": True, "supervisable": True,
        "agents": [{"answeredS": 10.0}], "endedS": 100.0, "talkS": 90.0, "bothHeardS": 88.0, "covered": "both",
        "firstAudioS": 1.5, "supervised": [], "refusals": [], "doubleSupervised": 0, "outsideGroups": 0,
        "dropped": False, "faults": [], "livedAfterLastFaultS": 90.0, **facts,
    }  # fmt: skip


def ended(call_id: str = "s-1", event_id: str = "s-1#ended", reason: Any = "covered") -> CallLifecycle:
    return CallLifecycle(
        event_id=event_id, call_id=call_id, type="ended", at=datetime(2026, 1, 1, tzinfo=UTC),
        outcome=CallOutcome(reason=reason),
    )  # fmt: skip


def test_a_covered_call_with_its_account() -> None:
    found = judge([call()], [ended()], PROGRESS, speed=25)
    counted = ("eligible", "supervisable", "covered_both", "covered_partly", "terminal_records", "settled")
    assert [found[name] for name in counted] == [1, 1, 1, 0, 1, 1]
    assert (found["failures"], found["covered_both_share"], found["reasons"]) == ({}, 1.0, {"covered": 1})
    assert found["time_to_first_audio_ms"]["p50"] == 1500


def test_accounts_that_are_missing_repeated_or_more_than_one() -> None:
    records = [ended("s-2", "a"), ended("s-2", "b"), ended("s-3", "c"), ended("s-3", "c")]
    found = judge([call(), call("s-2"), call("s-3")], records, PROGRESS, speed=25)
    assert (found["no_terminal_record"], found["several_terminal_records"], found["terminal_records"]) == (1, 1, 3)
    assert found["terminal_records_repeated"] == 1
    assert [c["call_id"] for c in found["failures"]["no_terminal_record"]] == ["s-1"]


def test_an_answered_call_that_is_said_not_to_have_been_answered() -> None:
    found = judge([call(), call("s-2", eligible=False)], [ended(reason="not_answered")], PROGRESS, speed=25)
    assert (found["said_not_answered"], found["reasons"]) == (1, {"not_answered": 1})


def test_a_call_that_nobody_heard_although_it_had_the_time() -> None:
    lost = call(covered="none", firstAudioS=None, bothHeardS=0.0)
    found = judge([lost, call("s-2", covered="partly", livedAfterLastFaultS=5.0)], [], PROGRESS, speed=25)
    assert (found["settled"], found["settled_covered_both"], found["covered_both"]) == (1, 0, 0)
    assert {name: len(calls) for name, calls in found["failures"].items()} == {
        "not_covered": 1, "partly_covered": 1, "settled_not_covered": 1, "no_terminal_record": 2,
    }  # fmt: skip


def test_a_kill_counts_as_a_fault_for_the_calls_it_met() -> None:
    kill = Disturbance("kill", 50.0, 80.0)
    assert lived_after_s(call(), [kill]) == 20.0
    assert lived_after_s(call(), [Disturbance("kill", 101.0, 120.0)]) == 90.0
    assert lived_after_s(call(), [Disturbance("kill", 90.0, 120.0)]) == 0.0


def test_options_from_the_environment() -> None:
    options = Options.of({"CALLS": "50", "KILL": "1", "SPEED": "20", "GROUPS": "1000"})
    assert (options.calls, options.kill, options.speed, options.groups) == (50, True, 20.0, Options().groups)
    with pytest.raises(ValueError, match="FAULTS"):
        Options.of({"FAULTS": "some"})


def test_waits_are_compressed_down_to_what_the_machine_can_keep() -> None:
    at_ten = waits(10)
    assert at_ten["SUPERVISION_ORCHESTRATOR_RETRY_FIRST_MS"] == "100"
    assert at_ten["SUPERVISION_ORCHESTRATOR_REPLY_TIMEOUT_MS"] == "2000"
    assert waits(1000)["SUPERVISION_ORCHESTRATOR_REPLY_TIMEOUT_MS"] == "1500"
