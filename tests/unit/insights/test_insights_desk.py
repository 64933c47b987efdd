"""The desk: what must not be missed goes out before the row is stored, and never twice; clocks wait for late finals."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts import topics
from services.insights.adapters.desk import CATCHING_UP_S, Desk
from services.insights.domain.inputs import Input, TimerDue
from services.insights.domain.outputs import Outputs
from tests.support.insights_call import CALL, ENDED, noted, said
from tests.support.insights_knowledge import sample_knowledge


class Bench:
    """A desk over a table that can be set back to what it held before, as a kill does."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.publisher = FakePublisher()
        self.rows: dict[bytes, bytes] = {}
        self.gone_out: Collection[str] = ()
        self.read_back = 0
        self.desk = self.restarted()

    def restarted(self) -> Desk:
        def read() -> Collection[str]:
            self.read_back += 1
            return self.gone_out

        self.desk = Desk(self.rows, self.publisher, self.clock, sample_knowledge(), gone_out=read)
        self.desk.rebuild()
        return self.desk

    async def take(self, event: Input) -> Outputs:
        return await self.desk.take(CALL, event)

    def ids(self) -> list[str]:
        wanted = (topics.ASSIST_SUGGESTIONS, topics.ALERTS, topics.CALLS_SUMMARY)
        return [m.event_id for m in self.publisher.messages if m.topic in wanted]

    def live(self, text: str, start_ms: int = 1000) -> Input:
        return replace(said("customer", text, start_ms), published_at=self.clock.now())


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_replay_after_a_kill_publishes_nothing_twice(bench: Bench) -> None:
    await bench.take(noted("started"))
    before = dict(bench.rows)
    events = [
        bench.live("How do I reset my router? I want to cancel my contract."),
        bench.live("My lawyer will call.", 9000),
    ]
    for event in events:
        await bench.take(event)
    first = bench.ids()
    assert len(first) == 3
    bench.rows.clear()
    bench.rows.update(before)  # the kill came before the rows were stored
    bench.gone_out = frozenset(first[:2])  # and before the third had gone out
    bench.restarted()
    for event in events:
        await bench.take(event)
    assert sorted(bench.ids()) == sorted([*first, first[2]])
    bench.gone_out = frozenset(first)
    bench.restarted()
    for event in events:
        await bench.take(event)
    assert len(bench.ids()) == 4


async def test_what_went_out_is_read_once_for_each_taking_over(bench: Bench) -> None:
    await bench.take(bench.live("How do I reset my router?"))
    await bench.take(bench.live("I want to cancel my contract.", 9000))
    assert bench.read_back == 1
    bench.desk.fall_behind()
    await bench.take(bench.live("You hear from my lawyer.", 19_000))
    assert bench.read_back == 2


async def test_nothing_is_judged_by_the_clock_while_finals_are_late(bench: Bench) -> None:
    await bench.take(ENDED)
    bench.clock.advance_ms(60_000)
    old = bench.live("Hello there.", 1000)
    bench.clock.advance_ms(30_000)
    await bench.take(old)
    assert bench.desk.ask_for_due() == 0
    assert not await bench.take(TimerDue())
    bench.clock.advance_ms(round(CATCHING_UP_S * 1000) + 100)
    assert bench.desk.ask_for_due() == 1
    outputs = await bench.take(TimerDue())
    assert outputs.summary is not None


async def test_a_timer_is_asked_for_again_when_nothing_came_of_it(bench: Bench) -> None:
    await bench.take(ENDED)
    bench.clock.advance_ms(60_000)
    assert bench.desk.ask_for_due() == 1
    assert bench.desk.ask_for_due() == 0
    bench.clock.advance_ms(11_000)
    assert bench.desk.ask_for_due() == 1
