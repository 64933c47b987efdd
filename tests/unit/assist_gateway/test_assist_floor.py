"""Screens as models: each rebuilds the board from what it is sent, however slow it is."""

from __future__ import annotations

import random
from typing import Any

import pytest

from services.assist_gateway.domain.access import Member, Viewer
from services.assist_gateway.domain.board import Kind, Update
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.session import Changed, Gone, Message, Refused, Session, Skipped, Snapshot

ADMIN = Viewer(subject="root", role="admin")
ANN = Viewer(subject="ann", role="agent", extension_id="ann")
BOSS = Viewer(subject="boss", role="supervisor", extension_id="boss")


class Notes:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, str]] = []

    def watched(self, viewer: Viewer, call_id: str, detail: str) -> None:
        self.lines.append(("watched", viewer.subject, call_id, detail))

    def refused(self, viewer: Viewer, call_id: str, detail: str) -> None:
        self.lines.append(("refused", viewer.subject, call_id, detail))


class Screen:
    """Keeps what it is told; fails when it is told something twice or out of order."""

    def __init__(self, floor: Floor, viewer: Viewer, limit: int = 1_000) -> None:
        self.floor = floor
        self.calls: dict[str, dict[str, bytes]] = {}
        self.cursor = -1
        self.skipped = 0
        self.refused: list[str] = []
        self.wakes = 0
        self.session = Session(viewer=viewer, limit=limit, wake=self._wake)
        floor.open(self.session)

    def _wake(self) -> None:
        self.wakes += 1

    def read(self) -> Screen:
        for message in self.floor.next_messages(self.session):
            self._take(message)
        return self

    def _take(self, message: Message) -> None:
        match message:
            case Snapshot():
                assert message.cursor >= self.cursor
                self.cursor = message.cursor
                if message.complete:
                    self.calls.clear()
                for call in message.calls:
                    self.calls[call.call_id] = {
                        f"{kind}/{number}": record
                        for kind, records in call.records.items()
                        for number, record in enumerate(records)
                    }
            case Changed(update=update):
                assert message.cursor > self.cursor
                self.cursor = message.cursor
                self.calls[update.call_id][f"{update.kind}/{update.item_id}"] = update.record
            case Gone():
                del self.calls[message.call_id]
            case Skipped():
                self.skipped += message.count
            case Refused():
                self.refused.append(message.code)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def floor(notes: Notes) -> Floor:
    return Floor(notes)


def tell(
    floor: Floor, call_id: str, kind: Kind, item: str = "0", record: bytes = b"", rank: int = 0, **facts: Any
) -> None:
    floor.take(
        Update(
            kind=kind, call_id=call_id, item_id=item, record=record or item.encode(), at_ms=0, rank=(0, rank), **facts
        )
    )  # fmt: skip


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
    assert screen.wakes == 2


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
    floor.sweep(10_000, keep_ended_ms=1_000)
    assert screen.read().calls == {}
    assert screen.session.calls == set()


def test_slow_screen_is_told_what_it_missed_and_gets_the_newest(floor: Floor) -> None:
    start(floor, "c1", "ann")
    screen = Screen(floor, ANN, limit=10)
    floor.watch(screen.session, "c1")
    for number in range(50):
        tell(floor, "c1", "utterance", str(number))
    assert len(screen.session.outbox) == 0
    screen.read()
    assert screen.skipped == 51  # with the first snapshot
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
        told = {call_id: sorted(items.values()) for call_id, items in screen.read().calls.items()}
        true = {
            call.call_id: sorted(record for kind in call.items for record in call.records(kind))
            for call in floor.calls_for(screen.session.viewer)
        }
        assert told == true
