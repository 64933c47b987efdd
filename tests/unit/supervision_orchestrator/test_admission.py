"""Who gets a supervisor and a device, and who waits: choices, budgets, the queue."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from services.supervision_orchestrator.domain.admission import Booking, Wanting, admissible, choose, in_turn, reader
from services.supervision_orchestrator.domain.budgets import ANY, LIGHT, Budgets, Limits
from services.supervision_orchestrator.domain.floor import Device, Floor, Reserved, Supervisor
from services.supervision_orchestrator.domain.roster import Membership, Roster
from tests.support.call_bench import at


def monitors(*groups: str) -> tuple[Membership, ...]:
    return tuple(Membership(group_id=g, monitored=False, monitoring=True) for g in groups)


def monitored(*groups: str) -> tuple[Membership, ...]:
    return tuple(Membership(group_id=g, monitored=True, monitoring=False) for g in groups)


def phone(device_id: str, owner: str, *, free: int = 4, online: bool = True, slots: int = 0) -> Device:
    return Device(device_id=device_id, supervisor_extension_id=owner, online=online, free_slots=free, slots=slots)


def pool(*, requests: tuple[int, int] = (45, 45), devices: tuple[Device, ...] | None = None) -> Floor:
    """Supervisors `s1` of the east and `s2` of east and west; agents `east` and `west`."""
    entries = {"s1": monitors("E"), "s2": monitors("E", "W"), "east": monitored("E"), "west": monitored("W")}
    return Floor(
        roster=Roster(entries),
        supervisors=tuple(
            Supervisor(extension_id=s, requests=n) for s, n in zip(("s1", "s2"), requests, strict=True)
        ),
        devices=devices if devices is not None else (phone("d1", "s1"), phone("d2", "s2")),
    )  # fmt: skip


def call(name: str, agent: str = "east", *, since_ms: int = 0, **more: object) -> Wanting:
    base = {"legs": 2, "requests": 3}
    return Wanting(call_id=name, since=at(since_ms), agent_extension_id=agent, **(base | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("floor", "agent", "expected"),
    [
        (pool(), "west", Booking("s2", "d2")),
        (pool(requests=(45, 10)), "east", Booking("s1", "d1")),
        (pool(requests=(10, 45)), "east", Booking("s2", "d2")),
        (pool(requests=(2, 3)), "east", Booking("s2", "d2")),
        (pool(requests=(2, 2)), "east", "rate_limited"),
        (pool(requests=(45, 2)), "west", "rate_limited"),
        (pool(), "nobody", "not_permitted"),
        (pool(devices=(phone("d1", "s1"),)), "west", "no_device_online"),
        (pool(devices=(phone("d2", "s2", online=False),)), "west", "no_device_online"),
        (pool(devices=(phone("d2", "s2", free=1),)), "west", "no_capacity"),
        (pool(devices=(phone("d1", "s1", free=1), phone("d2", "s2"))), "east", Booking("s2", "d2")),
        (pool(devices=(phone("other", "s9"),)), "east", "no_device_online"),
    ],
)
def test_choice(floor: Floor, agent: str, expected: Booking | str) -> None:
    assert choose(floor, call("a", agent)) == expected


def test_second_leg_stays_with_supervisor_and_device_of_the_first() -> None:
    floor = pool(requests=(2, 45))
    bound = call("a", legs=1, requests=2, supervisor="s1", device_id="d1")

    assert choose(floor, bound) == Booking("s1", "d1")
    assert choose(pool(requests=(1, 45)), bound) == "rate_limited"
    assert choose(pool(devices=(phone("d2", "s2"),)), bound) == "no_device_online"


def test_legs_are_another_groups_only_where_the_groups_say_so() -> None:
    bound = call("a", "west", legs=1, requests=2, supervisor="s1", device_id="d1")
    not_here_yet = replace(pool(), supervisors=(Supervisor(extension_id="s2"),))

    assert choose(pool(), bound) == "another_group"
    assert choose(not_here_yet, replace(bound, agent_extension_id="east")) == "no_device_online"


def test_supervisor_that_must_be_silent_is_avoided_and_the_last_one_preferred() -> None:
    assert choose(pool(), call("a", avoid=frozenset({"s1"}))) == Booking("s2", "d2")
    assert choose(pool(requests=(20, 45)), call("a", prefer="s1")) == Booking("s1", "d1")


def test_only_the_devices_named_for_an_identity_are_used() -> None:
    floor = pool(devices=(phone("d1", "s1"), phone("d8", "s1", free=9)))
    named = Floor(
        roster=floor.roster, devices=floor.devices, supervisors=(Supervisor(extension_id="s1", device_ids=("d1",)),)
    )  # fmt: skip

    assert choose(named, call("a")) == Booking("s1", "d1")


def test_who_waits_longest_goes_first() -> None:
    queue = in_turn([call("young", since_ms=900), call("old", since_ms=100), call("west", "west", since_ms=500)])
    floor = Floor(**{f: getattr(pool(requests=(3, 3)), f) for f in ("roster", "supervisors", "devices")}, queue=queue)

    assert admissible(floor) == ["old", "west"]
    assert isinstance(choose(floor, call("old", since_ms=100)), Booking)
    assert choose(floor, call("young", since_ms=900)) == "rate_limited"
    assert choose(floor, call("fresh", since_ms=1_000)) == "rate_limited"
    assert isinstance(choose(floor, call("older", since_ms=50)), Booking)


def test_older_call_of_other_groups_does_not_hold_up() -> None:
    queue = (call("west", "west", since_ms=0),)
    floor = Floor(**{f: getattr(pool(requests=(3, 0)), f) for f in ("roster", "supervisors", "devices")}, queue=queue)

    assert choose(floor, call("east", since_ms=900)) == Booking("s1", "d1")


def test_what_others_hold_is_taken_off() -> None:
    floor = pool(devices=(phone("d1", "s1", free=4, slots=4),), requests=(5, 0))

    assert choose(floor.less(Reserved(asked={"d1": 3})), call("a")) == "no_capacity"
    assert choose(floor.less(Reserved(held={"d1": 3})), call("a")) == "no_capacity"  # the device's word is old
    assert choose(floor.less(Reserved(requests={"s1": 3})), call("a")) == "rate_limited"
    assert choose(floor.less(Reserved(asked={"d1": 2}, held={"d1": 2}, requests={"s1": 2})), call("a")) == Booking(
        "s1", "d1"
    )


def test_session_is_read_by_whoever_has_most_left() -> None:
    assert reader(pool(requests=(1, 7)), "", frozenset()) == "s2"
    assert reader(pool(requests=(1, 7)), "s1", frozenset()) == "s1"
    assert reader(pool(requests=(1, 7)), "", frozenset({"s2"})) == "s1"
    assert reader(pool(requests=(0, 0)), "", frozenset()) == ""


LIMITS = Limits(per_window={LIGHT: 10, "heavy": 2}, window_ms=1_000, window_margin_ms=100, spare=2)


def test_request_counts_from_its_decision_until_a_window_after_its_answer() -> None:
    budgets = Budgets(LIMITS)

    budgets.spend("s1", "r1", lost_at=at(5_000))
    assert budgets.free("s1", at(0)) == 7
    assert budgets.free("s2", at(0)) == 8
    budgets.settle("r1", at(900))
    budgets.settle("r1", at(950))
    assert budgets.free("s1", at(1_999)) == 7
    assert budgets.free("s1", at(2_000)) == 8


def test_request_without_an_answer_counts_as_sent_when_it_is_given_up() -> None:
    budgets = Budgets(LIMITS)
    budgets.spend("s1", "r1", lost_at=at(5_000))

    assert budgets.free("s1", at(6_000)) == 7
    assert budgets.free("s1", at(6_100)) == 8


def test_never_more_than_the_limit_in_any_window() -> None:
    budgets = Budgets(LIMITS)
    sent: list[int] = []
    for ms in range(0, 10_000, 37):
        if budgets.free("s1", at(ms)):
            budgets.spend("s1", str(ms), lost_at=at(ms + 500))
            budgets.settle(str(ms), at(ms + 20))
            sent.append(ms)

    assert len(sent) > 50
    assert all(sum(start <= ms < start + 1_000 for ms in sent) <= 8 for start in sent)


def test_penalty_closes_its_group_until_it_is_over() -> None:
    budgets = Budgets(LIMITS)

    budgets.close("s1", at(3_000))
    budgets.close("s1", at(2_000))
    assert budgets.free("s1", at(2_999)) == 0
    assert budgets.free("s1", at(2_999), group="heavy") == 2
    assert budgets.free("s1", at(3_000)) == 8
    budgets.close("s2", at(3_000), group=ANY)
    assert budgets.free("s2", at(0)) == budgets.free("s2", at(0), group="heavy") == 0


def test_limits_and_others_requests_are_learned_from_replies() -> None:
    budgets = Budgets(LIMITS)
    budgets.count("s1", at(0))

    budgets.learn("s1", LIGHT, at(10), limit=20, remaining=12, window_ms=2_000)
    assert budgets.free("s1", at(10)) == 20 - 2 - 8
    budgets.learn("s1", LIGHT, at(20), limit=20, remaining=15)
    assert budgets.free("s1", at(20)) == 20 - 2 - 8
    assert budgets.free("s1", at(10) + timedelta(milliseconds=2_100)) == 18
