"""Which calls are supervised by policy, and how the settings say so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.chassis.errors import SettingError
from services.chassis.settings import load
from services.supervision_orchestrator.config import OrchestratorSettings
from services.supervision_orchestrator.domain.effects import PublishStep
from services.supervision_orchestrator.domain.inputs import ConsentTold
from services.supervision_orchestrator.domain.roster import Membership
from services.supervision_orchestrator.domain.rules import CallFacts, Rules
from tests.support.call_bench import AGENT, CALL, CallBench, change, floor, read_party

TWO = (read_party(1), read_party(2, "Answered", AGENT))
MONDAY_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FACTS = CallFacts(
    agent_extension_id="7", memberships=(Membership(group_id="31", monitored=True, monitoring=False),),
    direction="inbound", extensions=frozenset({"7", "900"}), queue_call=True, answered_at=MONDAY_NOON, consent="",
)  # fmt: skip
REQUIRED = {"RINGCENTRAL_CLIENT_ID": "i", "RINGCENTRAL_CLIENT_SECRET": "s", "RINGCENTRAL_JWT": "j"}


def settings(**environ: str) -> OrchestratorSettings:
    return load(OrchestratorSettings, REQUIRED | {f"SUPERVISION_ORCHESTRATOR_{k}": v for k, v in environ.items()})


@pytest.mark.parametrize(
    ("environ", "objection"),
    [
        ({}, ""),
        ({"AGENTS": "7, 8"}, ""),
        ({"AGENTS": "8"}, "policy_agent"),
        ({"GROUPS": "31"}, ""),
        ({"GROUPS": "32"}, "policy_group"),
        ({"QUEUES": "900"}, ""),
        ({"QUEUES": "*"}, ""),
        ({"QUEUES": "901"}, "policy_queue"),
        ({"DIRECTIONS": "inbound,internal"}, ""),
        ({"DIRECTIONS": "outbound"}, "policy_direction"),
        ({"HOURS": "mon-fri 08:00-18:00"}, ""),
        ({"HOURS": "mon-fri 08:00-18:00", "TIME_ZONE": "Asia/Tokyo"}, "policy_hours"),
        ({"HOURS": "tue 08:00-18:00; sat-sun 00:00-24:00"}, "policy_hours"),
        ({"HOURS": "sun 22:00-13:00"}, ""),
        ({"HOURS": "mon 22:00-13:00"}, "policy_hours"),
        ({"CONSENT": "required"}, "consent_missing"),
    ],
)
def test_objection(environ: dict[str, str], objection: str) -> None:
    assert settings(**environ).rules().objection(FACTS) == objection


@pytest.mark.parametrize(
    ("name", "value"),
    [("HOURS", "always"), ("HOURS", "mon 8-18h"), ("TIME_ZONE", "Mars/North"), ("DIRECTIONS", "sideways"),
     ("CONSENT", "maybe"), ("RATE_LIGHT", "0")],
)  # fmt: skip
def test_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^SUPERVISION_ORCHESTRATOR_{name}: "):
        settings(**{name: value})


def test_all_waits_and_windows_can_be_compressed() -> None:
    names = (
        "RETRY_FIRST", "RETRY_MAX", "REPLY_TIMEOUT", "INVITE_TIMEOUT", "RTP_TIMEOUT", "CLOSE", "RECHECK", "RING",
        "QUEUE", "YIELD", "HEALTHY", "FORGET", "RATE_WINDOW", "RATE_WINDOW_MARGIN", "COVERED_GAP", "TOO_SHORT",
        "TIMER_RESOLUTION",
    )  # fmt: skip
    short = settings(**{f"{name}_MS": "50" for name in names})

    policy = short.policy()
    waits = {getattr(policy, name) for name in policy.__dataclass_fields__ if name != "rate_window_ms"}
    assert waits == {50}
    assert policy.rate_window_ms == 100
    assert (short.limits().window_ms, short.limits().window_margin_ms) == (50, 50)


@pytest.mark.parametrize(
    ("environ", "extensions", "queue"),
    [
        ({}, ("7", "900"), ""),
        ({"KNOWN_QUEUES": "900"}, ("7", "900"), "900"),
        ({"KNOWN_QUEUES": "901, 900"}, ("901", "7", "900"), "900"),
        ({"KNOWN_QUEUES": "901"}, ("7", "900"), ""),
        ({"QUEUES": "900"}, ("7", "900"), "900"),
        ({"QUEUES": "*"}, ("7", "900"), ""),
        ({"QUEUES": "*", "KNOWN_QUEUES": "900"}, ("7", "900"), "900"),
        ({"KNOWN_QUEUES": "900"}, (), ""),
    ],
)
def test_the_queue_is_the_last_named_one_that_the_call_came_by(
    environ: dict[str, str], extensions: tuple[str, ...], queue: str
) -> None:
    assert settings(**environ).rules().queue_of(extensions) == queue


@pytest.mark.parametrize(("named", "queue"), [(frozenset[str](), ""), (frozenset({"62001"}), "62001")])
def test_steps_name_the_queue_that_the_reading_shows(named: frozenset[str], queue: str) -> None:
    bench = answered(Rules(known_queues=named))
    bench.answer_read(*TWO, read_party(3, "Disconnected", "900"), read_party(4, "Disconnected", "62001"))
    bench.hear(*bench.asks)

    steps = [effect for effect in bench.effects if isinstance(effect, PublishStep)]
    assert {step.type for step in steps} == {"requested", "accepted", "invite_received", "media_up"}
    assert {step.queue_id for step in steps} == {queue}


def answered(rules: Rules) -> CallBench:
    bench = CallBench(replace(floor(), rules=rules))
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    return bench


def end(bench: CallBench) -> tuple[str, str]:
    bench.feed(change(9, 2, "Disconnected", AGENT, at_ms=60_000), at_ms=60_000)
    bench.run_timers(90_000)
    (outcome,) = bench.outcomes
    return outcome.reason, outcome.detail


def test_call_refused_by_policy_is_asked_for_nothing_and_accounted_for() -> None:
    bench = answered(Rules(directions=frozenset({"outbound"})))

    assert (bench.reads, bench.asks, bench.reasons) == ([], [], ["policy_direction"])
    assert end(bench) == ("not_permitted", "policy_direction")


def test_consent_lets_the_call_in_and_its_lack_is_the_reason() -> None:
    required = Rules(consent_required=True)
    assert end(answered(required)) == ("consent_missing", "consent_missing")

    bench = answered(required)
    bench.feed(ConsentTold(call_id=CALL, given=True), at_ms=5_000)
    bench.answer_read(*TWO)
    assert len(bench.asks) == 2


def test_hours_are_those_of_the_answer_in_the_companys_zone() -> None:
    rules = settings(HOURS="mon 07:00-13:30", TIME_ZONE="Europe/Berlin").rules()

    assert rules.zone == ZoneInfo("Europe/Berlin")
    assert rules.objection(FACTS) == ""
    assert rules.objection(replace(FACTS, answered_at=datetime(2026, 7, 6, 12, 0, tzinfo=UTC))) == "policy_hours"
