"""A screen that comes back, to this replica or another, is told what it missed: all of it, and nothing twice."""

from __future__ import annotations

import random

import pytest

from services.assist_gateway.domain.access import Member, Viewer
from services.assist_gateway.domain.board import Kind, Update
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.reach import Lane, Reach
from tests.unit.assist_gateway.floor_screens import ADMIN, ANN, BOSS, Notes, Screen, Topics, shown, true_of


class Replica:
    """A gateway that reads the same lanes as the others, each at its own pace."""

    def __init__(self, log: dict[Lane, list[Update]], begin: dict[Lane, int] | None = None) -> None:
        self.floor = Floor(Notes())
        self._log = log
        self._at: dict[Lane, int] = dict(begin or {})
        for lane in LANES:
            self.floor.board.reach.stand_at(lane, self._at.get(lane, 0))

    def read(self, rng: random.Random, most: int = 1_000_000) -> None:
        """Take in up to so many records, lanes in any order, each lane in its own."""
        for _ in range(most):
            behind = [lane for lane in self._log if self._at.get(lane, 0) < len(self._log[lane])]
            if not behind:
                return
            lane = rng.choice(sorted(behind))
            update = self._log[lane][self._at.get(lane, 0)]
            self._at[lane] = self._at.get(lane, 0) + 1
            self.floor.take(update)


KINDS: tuple[Kind, ...] = ("state", "utterance", "alert", "suggestion", "insight")
LANES: list[Lane] = [(kind, partition) for kind in KINDS for partition in range(2)]


class World:
    def __init__(self) -> None:
        self.places = Topics()
        self.log: dict[Lane, list[Update]] = {}

    def tell(self, call_id: str, kind: Kind, item: str, rank: int = 0, agent: str | None = None, **facts: bool) -> None:
        record = f"{call_id}/{kind}/{item}/{rank}/{agent}".encode()
        told = {"agent_extension_id": agent, "agent_at_ms": rank, **facts}
        update = self.places.update(call_id, kind, item, record, rank, told)
        self.log.setdefault(update.place.lane, []).append(update)


def test_what_was_missed_comes_in_order_and_only_that() -> None:
    world, rng = World(), random.Random(1)
    world.tell("c0", "state", "", 1, "ann")
    world.tell("c0", "utterance", "u0", 0)
    one, other = Replica(world.log), Replica(world.log)
    one.read(rng)
    screen = Screen(one.floor, ANN)
    one.floor.watch_all(screen.session, "full")
    screen.read()
    world.tell("c0", "utterance", "u0", 1)
    world.tell("c0", "utterance", "u0", 2)
    world.tell("c0", "suggestion", "s0")
    other.read(rng)
    screen.resume(other.floor)
    snapshots = screen.snapshots
    assert shown(screen.read()) == true_of(other.floor, ANN)
    assert (screen.snapshots, screen.resumed) == (snapshots, 1)
    screen.resume(other.floor)  # nothing was missed: nothing comes
    assert [len(m.changes) for m in other.floor.next_messages(screen.session) if hasattr(m, "changes")] == [0]


def test_calls_lost_and_gained_while_away() -> None:
    world, rng = World(), random.Random(1)
    for call_id, agent in (("c0", "ann"), ("c1", "ann"), ("c2", "bob"), ("c3", "ann")):
        world.tell(call_id, "state", "", 1, agent)
    one, other = Replica(world.log), Replica(world.log)
    one.read(rng)
    screen = Screen(one.floor, ANN)
    one.floor.watch_all(screen.session, "full")
    assert set(screen.read().calls) == {"c0", "c1", "c3"}
    world.tell("c1", "state", "", 2, "bob")
    world.tell("c2", "state", "", 2, "ann")
    other.read(rng)
    screen.resume(other.floor)
    assert set(screen.read().calls) == {"c0", "c2", "c3"}
    assert shown(screen) == true_of(other.floor, ANN)


def test_a_cursor_older_than_what_a_replica_has_read_gets_a_snapshot() -> None:
    world, rng = World(), random.Random(1)
    world.tell("c0", "state", "", 1, "ann")
    one = Replica(world.log)
    one.read(rng)
    screen = Screen(one.floor, ANN)
    one.floor.watch_all(screen.session, "full")
    screen.read()
    for number in range(5):
        world.tell("c0", "utterance", f"u{number}")
    young = Replica(world.log, begin={("utterance", 0): 2})
    young.read(rng)
    screen.resume(young.floor)
    screen.read()
    assert (screen.resumed, shown(screen)) == (0, true_of(young.floor, ANN))


def test_a_cursor_ahead_of_a_replica_or_of_another_cluster_gets_a_snapshot() -> None:
    world, rng = World(), random.Random(1)
    world.tell("c0", "state", "", 1, "ann")
    one = Replica(world.log)
    one.read(rng)
    screen = Screen(one.floor, ANN)
    one.floor.watch_all(screen.session, "full")
    for cursor in ({("utterance", 0): 99}, {("unheard", 7): 1}, {}):
        screen.read()
        screen.cursor = dict(cursor)
        screen.resume(one.floor)
        screen.read()
        assert (screen.resumed, shown(screen)) == (0, true_of(one.floor, ANN))


def test_a_screen_that_now_wants_more_of_a_call_gets_it_whole() -> None:
    world, rng = World(), random.Random(1)
    world.tell("c0", "state", "", 1, "ann")
    world.tell("c0", "utterance", "u0")
    one = Replica(world.log)
    one.read(rng)
    screen = Screen(one.floor, ADMIN)
    one.floor.watch_all(screen.session, "overview")
    assert "utterance/u0" not in screen.read().calls["c0"]
    screen.resume(one.floor, "overview", watch=("c0",))
    assert "utterance/u0" in screen.read().calls["c0"]
    assert screen.resumed == 1


@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_a_screen_that_wanders_between_replicas_has_it_all_once(seed: int) -> None:
    rng = random.Random(seed)
    world = World()
    replicas = [Replica(world.log) for _ in range(3)]
    bob = Viewer(subject="bob", role="agent", extension_id="bob")
    screens = [Screen(replicas[0].floor, viewer, rng.choice([5, 1_000])) for viewer in (ADMIN, ANN, BOSS, bob)]
    for screen in screens:
        screen.floor.watch_all(screen.session, "full")
    numbers: dict[str, int] = {}
    for step in range(300):
        call_id = f"c{rng.randrange(4)}"
        match rng.randrange(14):
            case 12:
                world.tell(call_id, "insight", f"{rng.choice('ab')}{step}", step)
            case 13:
                rng.choice(replicas).floor.tick()
            case 0:
                world.tell(call_id, "state", "", step + 1, rng.choice(["ann", "bob"]))
            case 1:
                groups = frozenset(rng.sample(["g", "h"], rng.randrange(3)))
                who = rng.choice(["boss", "ann", "bob"])
                for replica in replicas:
                    replica.floor.set_member(who, Member(monitored_in=groups, monitoring_in=groups))
            case 2 | 3:
                rng.choice(screens).read()
            case 4 | 5:
                rng.choice(replicas).read(rng, rng.randrange(30))
            case 6:
                screen, replica = rng.choice(screens), rng.choice(replicas)
                if rng.randrange(4):
                    replica.read(rng)  # as the gateway waits until it has caught up
                screen.read(at_most=rng.randrange(20))  # the rest was on its way when the connection broke
                screen.resume(replica.floor)
            case 7:
                world.tell(call_id, "alert", str(step))
            case _:
                count = numbers.get(call_id, 0)
                again = rng.randrange(2) and count
                world.tell(call_id, "utterance", f"u{count - 1 if again else count}", step)
                numbers[call_id] = count + (0 if again else 1)
    for replica in replicas:
        replica.read(rng)
    for screen in screens:
        assert shown(screen.read()) == true_of(screen.floor, screen.viewer)
        assert true_of(screen.floor, screen.viewer) == true_of(replicas[0].floor, screen.viewer)


@pytest.mark.parametrize("seed", range(30))
def test_an_overview_that_wanders_has_the_newest_insights_and_those_of_watched_calls_all(seed: int) -> None:
    rng = random.Random(seed)
    world = World()
    replicas = [Replica(world.log) for _ in range(2)]
    screen = Screen(replicas[0].floor, ADMIN, rng.choice([5, 1_000]))
    watch = ("c1",)
    screen.floor.watch_all(screen.session, "overview")
    screen.floor.watch(screen.session, "c1")
    for step in range(300):
        call_id = f"c{rng.randrange(4)}"
        match rng.randrange(9):
            case 0:
                screen.read()
            case 1:
                rng.choice(replicas).floor.tick()
            case 2:
                rng.choice(replicas).read(rng, rng.randrange(30))
            case 3:
                replica = rng.choice(replicas)
                replica.read(rng)
                screen.read(at_most=rng.randrange(20))
                screen.resume(replica.floor, "overview", watch)
            case 4:
                world.tell(call_id, "state", "", step + 1, rng.choice(["ann", "bob"]))
            case _:
                world.tell(call_id, "insight", f"{rng.choice('ab')}{step}", step)
    screen.floor.tick()
    replicas[0].read(rng)
    replicas[1].read(rng)
    for _ in range(20):
        screen.floor.tick()
    screen.read()
    for call in screen.floor.board:
        records = {record for kind in call.items for record in call.records(kind)}
        glance = {record for kind in ("state", "insight") for record in call.glance(kind)}  # type: ignore[arg-type]
        known = set(screen.calls[call.call_id].values())
        if call.call_id in watch:
            assert known == records
        else:
            assert glance <= known <= records  # it may still have older ones


def test_marks_of_transactions_count_as_read() -> None:
    reach = Reach()
    reach.stand_at(("tf", 0), 5)
    assert reach.cursor() == {("tf", 0): 4}
    reach.advance(("tf", 0), 5)
    reach.stand_at(("tf", 0), 7)
    assert reach.cursor(0) == {("tf", 0): 6}
    reach.stand_at(("tf", 0), 6)
    assert reach.cursor(1) == {}
    assert reach.has_reached({("tf", 0): 6})
    assert not reach.has_reached({("tf", 0): 7})
    assert reach.can_continue({("tf", 0): 4}, [0])
    assert not reach.can_continue({("tf", 0): 3}, [0])
