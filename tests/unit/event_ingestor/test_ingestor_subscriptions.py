"""Extensions spread over several subscriptions: who goes where, and the connections for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import Fatal
from services.chassis.ringcentral import RateLimit
from services.event_ingestor.adapters.gateway import AuthBudget
from services.event_ingestor.adapters.subscription import Subscription
from services.event_ingestor.adapters.subscriptions import Subscriptions
from services.event_ingestor.domain.connection_model import Refused
from services.event_ingestor.domain.shards import MOST_SUBSCRIPTIONS, fewer, spread

ids = st.frozensets(st.integers(1, 40).map(str))


@given(st.lists(st.tuples(ids, st.integers(1, 12)), min_size=1, max_size=6))
def test_everybody_has_one_place_and_keeps_it_while_there_is_room(changes: list[tuple[frozenset[str], int]]):
    shards: dict[int, frozenset[str]] = {}
    for wanted, most in changes:
        before, shards = shards, spread(shards, wanted, most)
        assert sum(len(held) for held in shards.values()) == len(wanted)
        assert frozenset().union(*shards.values()) == wanted
        assert all(len(held) <= most for held in shards.values())
        assert shards == {1: frozenset()} or all(shards.values())
        for number, held in before.items():
            stay = held & wanted
            assert len(stay) > most or stay <= shards.get(number, frozenset())


@pytest.mark.parametrize(
    ("refused", "wanted", "status", "code", "most"),
    [
        (400, 400, 400, "CMN-101", 200),
        (400, 400, 413, "", 200),
        (3, 3, 400, "CMN-101", 1),
        (400, 4000, 400, "CMN-101", 4000 // MOST_SUBSCRIPTIONS + 40),
        (400, 400, 429, "CMN-301", 500),
        (400, 400, 403, "CMN-401", 500),
        (400, 400, 400, "SUB-505", 500),
        (400, 400, 503, "CMN-201", 500),
    ],
)
def test_a_refusal_that_may_mean_too_many(refused: int, wanted: int, status: int, code: str, most: int):
    assert fewer(500, refused, wanted, status, code) == most


class Line:
    """A connection that notes what it is to watch, and can be made to fail."""

    def __init__(self, on_refused: Callable[[Refused], None]) -> None:
        self.on_refused = on_refused
        self.watching: frozenset[str] = frozenset()
        self.live = True
        self.running = False
        self.withdrawn = False
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def watch(self, extensions: frozenset[str]) -> None:
        self.watching = extensions

    async def run(self) -> None:
        self.running = True
        try:
            await self.failure
        finally:
            self.running = False

    def withdraw(self) -> None:
        self.withdrawn = True


class Stage:
    """Subscriptions over scripted lines."""

    def __init__(self, most: int) -> None:
        self.lines: dict[int, Line] = {}
        self.all = Subscriptions(self._make, most=most)

    def _make(self, number: int, on_refused: Callable[[Refused], None]) -> Subscription:
        self.lines[number] = Line(on_refused)
        return cast(Subscription, self.lines[number])

    async def settled(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def running(self) -> list[int]:
        return [number for number, line in self.lines.items() if line.running]


async def test_connections_come_and_go_with_the_extensions():
    stage = Stage(most=2)
    task = asyncio.create_task(stage.all.run())
    await stage.all.watch(frozenset("abcde"))
    await stage.settled()
    assert (stage.running(), stage.all.watched, stage.all.live) == ([1, 2, 3], frozenset("abcde"), True)
    stage.lines[2].live = False
    assert not stage.all.live
    await stage.all.watch(frozenset("ab"))
    await stage.settled()
    assert (stage.running(), stage.lines[1].watching) == ([1], frozenset("ab"))
    assert [line.withdrawn for line in stage.lines.values()] == [False, True, True]
    assert stage.all.live
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert stage.running() == []


async def test_a_refused_subscription_is_tried_with_fewer_filters():
    stage = Stage(most=500)
    task = asyncio.create_task(stage.all.run())
    await stage.all.watch(frozenset("abcd"))
    await stage.settled()
    stage.lines[1].on_refused(Refused(4, 503, "CMN-201"))
    await stage.settled()
    assert stage.running() == [1]
    stage.lines[1].on_refused(Refused(4, 400, "CMN-101"))
    await stage.settled()
    assert sorted(len(line.watching) for line in stage.lines.values()) == [2, 2]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_one_connection_fails_of_ends_all():
    stage = Stage(most=1)
    task = asyncio.create_task(stage.all.run())
    await stage.all.watch(frozenset("ab"))
    await stage.settled()
    stage.lines[2].failure.set_exception(Fatal("more than DEAD_LETTER_LIMIT"))
    with pytest.raises(Fatal):
        await asyncio.wait_for(task, 5)
    assert stage.running() == []


async def test_connections_wait_when_the_auth_requests_are_used_up():
    budget = AuthBudget()
    assert budget.wait_s() == 0
    told = {"limit": 5, "window_ms": 60_000, "penalty_ms": 0}
    budget.learn(RateLimit(group="auth", remaining=0, **told))
    assert 0 < budget.wait_s() <= 60
    budget.learn(RateLimit(group="light", remaining=9, **told))
    assert budget.wait_s() > 0
    budget.learn(RateLimit(group="auth", remaining=1, **told))
    assert budget.wait_s() == 0
