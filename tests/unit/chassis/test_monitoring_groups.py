"""Monitoring groups: reading, planning, bulk assignment, waiting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.ringcentral import RingCentralRefused
from services.chassis.ringcentral.assignment import (
    PERMISSIONS,
    Assignment,
    Changes,
    applied,
    plan_changes,
    read_permissions,
)
from services.chassis.ringcentral.extensions import Extension, read_extensions
from services.chassis.ringcentral.groups import GROUPS, Group, Member, MonitoringGroups
from services.chassis.ringcentral.paging import follow_pages
from services.chassis.ringcentral.patience import WAITS, PatientRest

IDS = st.sampled_from([f"7002003{number:02}" for number in range(12)])
HELD = st.frozensets(st.sampled_from(PERMISSIONS), min_size=1)
CURRENT = st.dictionaries(IDS, HELD)
WANTED = st.dictionaries(IDS, st.frozensets(st.sampled_from(PERMISSIONS)))


def without_empty(membership: Mapping[str, frozenset[Any]]) -> dict[str, frozenset[Any]]:
    return {key: held for key, held in membership.items() if held}


@given(CURRENT, WANTED)
def test_the_plan_makes_what_is_wanted_and_nothing_else(current, wanted):
    after = applied(plan_changes(current, wanted), current)
    assert after == without_empty({**current, **wanted})


@given(CURRENT, WANTED)
def test_planning_again_finds_nothing_to_do(current, wanted):
    assert len(plan_changes(applied(plan_changes(current, wanted), current), wanted)) == 0


@given(CURRENT, WANTED)
def test_adds_are_no_members_yet_and_updates_and_removals_are(current, wanted):
    changes = plan_changes(current, wanted)
    assert not {a.extension_id for a in changes.added} & current.keys()
    assert {a.extension_id for a in changes.updated} | set(changes.removed) <= current.keys()
    body = changes.body()
    named = [entry["id"] for entries in body.values() for entry in entries]
    assert len(named) == len(set(named)) == len(changes)
    assert all(entries for entries in body.values())


@given(CURRENT, WANTED, st.integers(1, 5))
def test_parts_are_small_and_together_the_whole(current, wanted, most):
    changes = plan_changes(current, wanted)
    parts = list(changes.split(most))
    assert all(1 <= len(part) <= most for part in parts)
    assert len(parts) == -(-len(changes) // most)
    assert tuple(a for part in parts for a in part.added) == changes.added
    assert tuple(a for part in parts for a in part.updated) == changes.updated
    assert tuple(e for part in parts for e in part.removed) == changes.removed
    state = current
    for part in parts:
        state = applied(part, state)
    assert state == applied(changes, current)


def test_both_permissions_of_a_member_are_sent_in_one_entry():
    changes = plan_changes({"1": frozenset({"Monitored"})}, {"1": frozenset(PERMISSIONS), "2": frozenset()})
    assert changes.body() == {"updatedExtensions": [{"id": "1", "permissions": ["Monitoring", "Monitored"]}]}


def test_permissions_are_read_wherever_they_stand():
    assert read_permissions(["Monitored", "Monitoring"]) == {"Monitoring", "Monitored"}
    assert read_permissions(["Whispering"]) == read_permissions(None) == read_permissions("Monitoring") == frozenset()


class PagedRest:
    """Two records a page, whatever was asked; remembers requests; refuses as scripted."""

    def __init__(self, lists: Mapping[str, list[dict[str, Any]]]) -> None:
        self.lists = dict(lists)
        self.asked: list[tuple[str, str, Any]] = []
        self.refusals: list[RingCentralRefused] = []

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self._note("GET", path)
        bare, _, rest = path.partition("?")
        page = int(parse_qs(rest).get("page", ["1"])[0])
        records = self.lists[bare][2 * page - 2 : 2 * page]
        more = {"nextPage": {"uri": f"https://elsewhere.test{bare}?page={page + 1}"}}
        return {"records": records, "navigation": more if len(self.lists[bare]) > 2 * page else {}}

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self._note("POST", path, body)
        return {"id": 900101, "name": (body or {}).get("name")} if path == GROUPS else {}

    def put(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self._note("PUT", path, body)
        return {}

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self._note("DELETE", path)
        return {}

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        return follow_pages(self.get, path, query)

    def _note(self, method: str, path: str, body: Any = None) -> None:
        self.asked.append((method, path, body))
        if self.refusals:
            raise self.refusals.pop(0)


def test_groups_and_members_of_all_pages_with_ids_as_text():
    rest = PagedRest(
        {
            GROUPS: [{"id": 31, "name": "Desk A", "site": {"id": 7}}, {"id": "32", "name": "B"}, {"id": 33}],
            f"{GROUPS}/31/members": [
                {"id": 301, "extensionNumber": 108, "permissions": ["Monitored", "Monitoring"]},
                {"id": "302", "permissions": ["Monitored"]},
                {"id": "303", "extensionNumber": "110", "permissions": []},
            ],
        }
    )
    groups = MonitoringGroups(rest, per_page=2)
    assert groups.find(site_id="7") == [
        Group(group_id="31", name="Desk A", site_id="7"),
        Group(group_id="32", name="B"),
        Group(group_id="33", name=""),
    ]
    assert [path for _, path, _ in rest.asked] == [f"{GROUPS}?perPage=2&siteId=7", f"{GROUPS}?page=2"]
    assert groups.members("31") == [
        Member(extension_id="301", extension_number="108", permissions=frozenset(PERMISSIONS)),
        Member(extension_id="302", extension_number="", permissions=frozenset({"Monitored"})),
        Member(extension_id="303", extension_number="110", permissions=frozenset()),
    ]


def test_changes_to_groups_as_requests():
    rest = PagedRest({})
    groups = MonitoringGroups(rest)
    made = groups.create("Desk B", site_id="7")
    assert made == Group(group_id="900101", name="Desk B", site_id="7")
    assert groups.rename(made, "Desk C").name == "Desk C"
    added = Assignment(extension_id="301", permissions=frozenset({"Monitored"}))
    assert groups.assign("900101", Changes(added=(added,), removed=("302",)).split(1)) == 2
    assert groups.assign("900101", Changes().split(1)) == 0
    groups.delete("a/b")
    assert rest.asked == [
        ("POST", GROUPS, {"name": "Desk B", "site": {"id": "7"}}),
        ("PUT", f"{GROUPS}/900101", {"name": "Desk C"}),
        (
            "POST",
            f"{GROUPS}/900101/bulk-assign",
            {"addedExtensions": [{"id": "301", "permissions": ["Monitored"]}]},
        ),
        ("POST", f"{GROUPS}/900101/bulk-assign", {"removedExtensions": [{"id": "302"}]}),
        ("DELETE", f"{GROUPS}/a%2Fb", None),
    ]


def test_extensions_with_what_is_not_told_left_open():
    records = [
        {"id": 301, "extensionNumber": "108", "type": "User", "status": "Enabled"},
        {"id": 300, "type": "User", "status": "Enabled", "permissions": {"admin": {"enabled": True}}},
        {"id": 302, "permissions": {"admin": {"enabled": "yes"}}},
    ]
    rest = PagedRest({"/restapi/v1.0/account/~/extension": records})
    assert read_extensions(rest) == [
        Extension(extension_id="301", number="108", type="User", status="Enabled"),
        Extension(extension_id="300", number="", type="User", status="Enabled", admin=True),
        Extension(extension_id="302", number="", type="", status=""),
    ]


def patient(rest: PagedRest) -> tuple[PatientRest, list[float], list[int]]:
    slept: list[float] = []
    told: list[int] = []
    return PatientRest(rest, sleep=slept.append, on_wait=told.append), slept, told


def test_a_penalty_between_two_pages_is_waited_out_and_loses_no_record():
    rest = PagedRest({GROUPS: [{"id": n} for n in range(1, 6)]})
    waiting, slept, told = patient(rest)
    records = waiting.pages(GROUPS)
    first = next(records)
    rest.refusals = [RingCentralRefused(429, "CMN-301", retry_after_ms=61_000)] * 2
    assert [record["id"] for record in [first, *records]] == [1, 2, 3, 4, 5]
    assert (slept, told) == ([61.0, 61.0], [61_000, 61_000])


@pytest.mark.parametrize(
    "refusal",
    [
        RingCentralRefused(403, "CMN-408", retry_after_ms=1000),
        RingCentralRefused(500, retry_after_ms=1000),
        RingCentralRefused(503),
        RingCentralRefused(0),
    ],
)
def test_nothing_else_is_repeated(refusal):
    rest = PagedRest({})
    rest.refusals = [refusal]
    waiting, slept, _ = patient(rest)
    with pytest.raises(RingCentralRefused):
        waiting.post(GROUPS, {"name": "x"})
    assert (len(rest.asked), slept) == (1, [])


def test_patience_ends():
    rest = PagedRest({})
    rest.refusals = [RingCentralRefused(429, retry_after_ms=1000)] * (WAITS + 1)
    waiting, slept, _ = patient(rest)
    with pytest.raises(RingCentralRefused):
        waiting.delete(f"{GROUPS}/31")
    assert len(slept) == WAITS
