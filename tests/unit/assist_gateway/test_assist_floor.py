"""Screens as models: each rebuilds the board from what it is sent, however slow it is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from services.assist_gateway.domain.access import Member, Viewer
from services.assist_gateway.domain.board import Kind
from services.assist_gateway.domain.floor import Floor
from tests.unit.assist_gateway.floor_screens import ADMIN, ANN, BOSS, Notes, Screen, Topics, shown, true_of


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def floor(notes: Notes) -> Iterator[Floor]:
    floor = Floor(notes)
    yield floor
    PLACES.pop(id(floor), None)


PLACES: dict[int, Topics] = {}


def tell(
    floor: Floor, call_id: str, kind: Kind, item: str = "0", record: bytes = b"", rank: int = 0, **facts: Any
) -> None:
    places = PLACES.setdefault(id(floor), Topics())
    floor.take(places.update(call_id, kind, item, record, rank, facts))


def start(floor: Floor, call_id: str, agent: str, at_ms: int = 0) -> None:
    tell(floor, call_id, "state", record=f"{agent}{at_ms}".encode(), rank=at_ms, agent_extension_id=agent,
         agent_at_ms=at_ms)  # fmt: skip


def test_snapshot_then_live(floor: Floor) -> None:
    start(floor, "c1", "ann")
    tell(floor, "c1", "utterance", "0")
    screen = Screen(floor, ANN)
    assert floor.watch(screen.session, "c1")
    tell(floor, "c1", "utterance", "1")
    tell(floor, "c2", "utterance", "0")
    assert screen.read().calls == {"c1": {"state/0": b"ann0", "utterance/0": b"0", "utterance/1": b"1"}}


def test_agent_is_refused_anothers_call_and_an_unknown_one_alike(floor: Floor, notes: Notes) -> None:
    start(floor, "c1", "bob")
    screen = Screen(floor, ANN)
    assert not floor.watch(screen.session, "c1")
    assert not floor.watch(screen.session, "nothing")
    tell(floor, "c1", "utterance", "1")
    assert screen.read().calls == {}
    assert screen.refused == ["not_permitted", "not_permitted"]
    assert notes.lines == [("refused", "ann", "c1", "not_permitted"), ("refused", "ann", "nothing", "not_permitted")]


def test_call_appears_whole_once_its_agent_is_known(floor: Floor, notes: Notes) -> None:
    screen = Screen(floor, ANN)
    floor.watch_all(screen.session, "full")
    tell(floor, "c1", "utterance", "0")
    assert screen.read().calls == {}
    start(floor, "c1", "ann")
    tell(floor, "c1", "utterance", "1")
    assert screen.read().calls == {"c1": {"state/0": b"ann0", "utterance/0": b"0", "utterance/1": b"1"}}
    assert notes.lines == [("watched", "ann", "c1", "live")]


def test_transferred_call_goes_to_the_new_agents_screen(floor: Floor) -> None:
    start(floor, "c1", "ann", 1)
    ann, bob = Screen(floor, ANN), Screen(floor, Viewer(subject="bob", role="agent", extension_id="bob"))
    floor.watch_all(ann.session, "full")
    floor.watch_all(bob.session, "full")
    assert (set(ann.read().calls), set(bob.read().calls)) == ({"c1"}, set())
    start(floor, "c1", "bob", 2)
    tell(floor, "c1", "utterance", "5")
    assert (set(ann.read().calls), set(bob.read().calls)) == (set(), {"c1"})


def test_roster_changes_reach_open_screens(floor: Floor) -> None:
    start(floor, "c1", "ann")
    screen = Screen(floor, BOSS)
    floor.watch_all(screen.session, "full")
    floor.set_member("boss", Member(monitoring_in=frozenset({"g"})))
    assert screen.read().calls == {}
    floor.set_member("ann", Member(monitored_in=frozenset({"g"})))
    assert set(screen.read().calls) == {"c1"}
    floor.set_member("boss", None)
    tell(floor, "c1", "utterance", "0")
    assert screen.read().calls == {}


def test_overview_hides_words_until_the_call_is_watched(floor: Floor, notes: Notes) -> None:
    start(floor, "c1", "ann")
    tell(floor, "c1", "utterance", "0")
    screen = Screen(floor, ADMIN)
    floor.watch_all(screen.session, "overview")
    tell(floor, "c1", "utterance", "1")
    assert screen.read().calls == {"c1": {"state/0": b"ann0"}}
    floor.watch(screen.session, "c1")
    assert len(screen.read().calls["c1"]) == 3
    floor.unwatch(screen.session, "c1")
    tell(floor, "c1", "utterance", "2")
    tell(floor, "c1", "alert", "0")
    assert set(screen.read().calls["c1"]) == {"state/0", "utterance/0", "utterance/1", "alert/0"}
    assert notes.lines == [("watched", "root", "", "overview"), ("watched", "root", "c1", "live")]


def test_admin_may_wait_for_a_call_that_is_not_there_yet(floor: Floor) -> None:
    screen = Screen(floor, ADMIN)
    assert floor.watch(screen.session, "c9")
    tell(floor, "c9", "utterance", "0")
    assert screen.read().calls == {"c9": {"utterance/0": b"0"}}


def test_forgotten_calls_leave_the_screens(floor: Floor) -> None:
    screen = Screen(floor, ADMIN)
    tell(floor, "c1", "lifecycle", ended=True)
    floor.watch(screen.session, "c1")
    floor.sweep(10_000, keep_full_ms=500, keep_ended_ms=1_000)
    assert screen.read().calls == {}
    assert screen.session.calls == set()


def test_calls_that_ended_leave_the_wall_and_stay_among_the_finished(floor: Floor) -> None:
    start(floor, "c1", "ann")
    tell(floor, "c1", "utterance", "0")
    tell(floor, "c1", "summary", "0", ended=True)
    screen = Screen(floor, ANN)
    floor.watch_all(screen.session, "full")
    assert set(screen.read().calls) == {"c1"}
    floor.sweep(10_000, keep_full_ms=500, keep_ended_ms=100_000)
    tell(floor, "c1", "recording", "0")
    assert screen.read().calls == {}
    assert floor.watch(screen.session, "c1")
    assert screen.read().refused == ["not_live"]
    (call,) = floor.calls_for(ANN)
    assert (call.thin, set(call.items)) == (True, {"state", "summary", "recording"})


def test_slow_screen_is_told_what_it_missed_and_gets_the_newest(floor: Floor) -> None:
    start(floor, "c1", "ann")
    screen = Screen(floor, ANN, limit=10)
    floor.watch(screen.session, "c1")
    for number in range(50):
        tell(floor, "c1", "utterance", str(number))
    assert not floor.watch(screen.session, "c9")
    assert len(screen.session.outbox) == 1
    screen.read()
    assert screen.skipped == 51  # with the first snapshot
    assert screen.refused == ["not_permitted"]  # an answer is not skipped
    assert len(screen.calls["c1"]) == 51
    tell(floor, "c1", "utterance", "50")
    assert len(screen.read().calls["c1"]) == 52


def test_slow_screen_that_lost_its_right_meanwhile_gets_nothing(floor: Floor) -> None:
    start(floor, "c1", "ann", 1)
    screen = Screen(floor, ANN, limit=10)
    floor.watch_all(screen.session, "full")
    screen.read()
    for number in range(50):
        tell(floor, "c1", "utterance", str(number))
    start(floor, "c1", "bob", 2)
    assert screen.read().calls == {}


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_each_screen_ends_with_what_it_may_see(seed: int) -> None:
    rng = random.Random(seed)
    floor = Floor(Notes())
    viewers = [ADMIN, ANN, BOSS, Viewer(subject="bob", role="agent", extension_id="bob")]
    screens = [Screen(floor, viewer, limit=rng.choice([3, 10, 1_000])) for viewer in viewers]
    for screen in screens:
        floor.watch_all(screen.session, "full")
    numbers: dict[str, int] = {}
    for step in range(400):
        call_id = f"c{rng.randrange(3)}"
        match rng.randrange(12):
            case 0:
                start(floor, call_id, rng.choice(["ann", "bob"]), step)
            case 1:
                groups = frozenset(rng.sample(["g", "h"], rng.randrange(3)))
                who = rng.choice(["boss", "ann", "bob"])
                floor.set_member(who, Member(monitored_in=groups, monitoring_in=groups))
            case 2:
                rng.choice(screens).read()
            case 3:  # a repetition
                tell(floor, call_id, "utterance", str(rng.randrange(numbers.get(call_id, 0) + 1)), b"r", final=True)
                numbers[call_id] = numbers.get(call_id, 0) or 1
            case _:
                tell(floor, call_id, "utterance", str(numbers.get(call_id, 0)), b"r", final=True)
                numbers[call_id] = numbers.get(call_id, 0) + 1
    for screen in screens:
        assert shown(screen.read()) == true_of(floor, screen.viewer)
