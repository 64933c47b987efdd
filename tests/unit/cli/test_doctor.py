"""What `earshot doctor` makes of what it finds."""

from __future__ import annotations

from typing import Any

import pytest

from services.chassis.ringcentral.assignment import Permission
from services.chassis.ringcentral.detection import Mode
from services.chassis.ringcentral.groups import Group, Member
from services.cli.domain.capacity import Demand, blocked, check_capacity, lines_for
from services.cli.domain.checks import Check, Supervisor, check_devices, check_groups, check_permissions, check_topics

EVERYTHING = {"CallControl", "ReadAccounts", "ReadCallLog", "ReadPresence", "WebSocketsSubscription"}


def by_name(checks: Any) -> dict[str, Check]:
    found = {check.name: check for check in checks}
    assert all(bool(check.remedy) is not check.well for check in found.values())
    return found


@pytest.mark.parametrize(
    ("scopes", "mode", "missing"),
    [
        (EVERYTHING, "websocket", ""),
        (EVERYTHING, "presence", ""),
        (EVERYTHING, "webhook", "SubscriptionWebhook"),
        (EVERYTHING - {"ReadCallLog", "ReadAccounts"}, "websocket", "ReadAccounts, ReadCallLog"),
        (EVERYTHING - {"WebSocketsSubscription"} | {"SubscriptionWebSocket"}, "websocket", ""),
        (EVERYTHING - {"ReadPresence"}, "presence", "ReadPresence"),
        (set(), "websocket", ""),
    ],
)
def test_the_apps_permissions_for_each_mode(scopes: set[str], mode: Mode, missing: str):
    check = check_permissions(scopes, mode)
    assert check.well is not bool(missing)
    assert missing in check.remedy


def member(extension_id: str, *permissions: Permission) -> Member:
    return Member(extension_id=extension_id, extension_number="", permissions=frozenset(permissions))


def group(*members: Member) -> tuple[Group, list[Member]]:
    return Group(group_id="9", name="Desk"), list(members)


def supervisor(extension_id: str = "300", *devices: dict[str, str], chosen: tuple[str, ...] = ()) -> Supervisor:
    return Supervisor(extension_id=extension_id, devices=devices, chosen=chosen)


def test_groups_in_which_everybody_is_heard():
    desk = group(member("300", "Monitoring"), member("301", "Monitoring", "Monitored"))
    checks = by_name(check_groups([desk], [supervisor()]))
    assert [check.well for check in checks.values()] == [True, True, True]


def test_an_agent_whom_no_supervisor_of_ours_may_monitor_and_a_supervisor_of_nobody():
    desk = group(member("300", "Monitoring"), member("301", "Monitored"))
    other = group(member("999", "Monitoring"), member("302", "Monitored"))
    checks = by_name(check_groups([desk, other], [supervisor(), supervisor("310")]))
    assert "310" in checks["supervisors' permission"].remedy
    assert "302" in checks["agents with a supervisor"].remedy
    assert checks["agents with a supervisor"].found == "1 of 2"


def test_nobody_is_monitored():
    checks = by_name(check_groups([], [supervisor()]))
    assert "bootstrap" in checks["monitored agents"].remedy
    assert not checks["supervisors' permission"].well


PHONE = {"id": "1", "type": "OtherPhone", "status": "Online"}
OFF = {"id": "2", "type": "OtherPhone", "status": "Offline"}
APP = {"id": "3", "type": "SoftPhone", "status": "Online"}


@pytest.mark.parametrize(
    ("devices", "chosen", "right_type", "online", "told"),
    [
        ((PHONE, APP), (), True, True, ""),
        ((APP,), (), False, False, "SoftPhone"),
        ((), (), False, False, "Existing Phone"),
        ((PHONE, OFF), (), True, False, "2"),
        ((PHONE, OFF), ("1",), True, True, ""),
        ((PHONE,), ("7",), False, False, "7"),
    ],
)
def test_devices(
    devices: tuple[dict[str, str], ...], chosen: tuple[str, ...], right_type: bool, online: bool, told: str
):
    checks = by_name(check_devices(supervisor("300", *devices, chosen=chosen)))
    assert [check.well for check in checks.values()] == [right_type, online]
    assert told in "".join(check.remedy for check in checks.values())


def test_erlang_b_as_the_tables_have_it():
    assert blocked(10, 4.46) == pytest.approx(0.01, abs=0.0002)
    assert blocked(50, 37.9) == pytest.approx(0.01, abs=0.0002)
    assert (blocked(0, 3.0), lines_for(4.46), lines_for(0.0001)) == (1.0, 10, 1)


def capacity(demand: Demand, **changes: Any) -> dict[str, Check]:
    stock: dict[str, Any] = {
        "supervisors": 2, "light_limit": 50, "devices_online": 2, "calls_per_device": 2, "presence": False
    }  # fmt: skip
    return by_name(check_capacity(demand, **(stock | changes)))


def test_without_a_rate_capacity_is_told_and_not_judged():
    [told] = capacity(Demand()).values()
    assert told.found == (
        "2 supervisors may begin 30 calls a minute (3 Light requests each); 2 devices Online carry 4 calls at a time"
    )


def test_too_few_requests_and_too_few_devices_with_how_many_to_add():
    checks = capacity(Demand(calls_per_minute=40, call_minutes=2))
    assert "add 1 to the supervisors" in checks["capacity of requests"].remedy
    assert "have 46 more devices" in checks["capacity of devices"].remedy
    assert lines_for(80) == 96
    enough = capacity(Demand(calls_per_minute=40, call_minutes=2), supervisors=3, devices_online=48)
    assert all(check.well for check in enough.values())
    presence = capacity(Demand(calls_per_minute=40, call_minutes=2), supervisors=3, devices_online=48, presence=True)
    assert "add 3 to the supervisors" in presence["capacity of requests"].remedy


def test_topics_that_are_missing():
    assert check_topics(["a", "b"], ["a"]).well
    assert "earshot topics" in check_topics([], ["a"]).remedy
