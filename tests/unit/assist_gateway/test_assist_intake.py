from __future__ import annotations

import asyncio
import threading

import pytest

from services.assist_gateway.adapters.intake import Intake
from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.floor import Floor
from services.chassis.consumer import Incoming
from services.chassis.errors import Backpressure, Poison
from services.chassis.records import encode
from services.chassis.testing.fake_clock import START, FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.records import CallState
from services.contracts.topics import AUDIT, CALLS_STATE

STARTED_MS = 1_000


def message(value: bytes, *, at_ms: int = STARTED_MS, call_id: str = "c1") -> Incoming:
    return Incoming(
        topic=CALLS_STATE, full_name="earshot.calls.state.v1", partition=0, offset=0, key=call_id, value=value,
        headers=(), timestamp_ms=at_ms,
    )  # fmt: skip


def journal() -> TopicJournal:
    return TopicJournal(FakePublisher(), FakeClock(), lambda: "id")


async def test_records_of_other_threads_reach_the_floor_in_order() -> None:
    floor = Floor(journal())
    intake = Intake(floor, asyncio.get_running_loop(), started_ms=STARTED_MS)
    states = [CallState(call_id="c1", status=status, updated_at=START) for status in ("ringing", "answered", "held")]
    reader = threading.Thread(target=lambda: [intake.take(message(encode(state))) for state in states])
    reader.start()
    reader.join()
    await asyncio.sleep(0)
    call = floor.board.call("c1")
    assert call is not None
    assert call.records("state") == (encode(states[-1]),)
    assert floor.board.reach.cursor() == {("st", 0): 0}


async def test_more_than_a_handful_is_taken_in_little_by_little() -> None:
    floor = Floor(journal())
    intake = Intake(floor, asyncio.get_running_loop(), started_ms=STARTED_MS, prefix="earshot.")
    for number in range(450):
        intake.take(
            message(encode(CallState(call_id=f"c{number}", status="held", updated_at=START)), call_id=f"c{number}")
        )
    intake.stand_at("earshot.calls.state.v1", 0, 900)
    await asyncio.sleep(0)
    assert 0 < len(floor.board) < 450
    for _ in range(3):
        await asyncio.sleep(0)
    assert len(floor.board) == 450
    assert floor.board.reach.cursor() == {("st", 0): 899}


async def test_unreadable_records_are_poison_unless_older_than_the_process() -> None:
    floor = Floor(journal())
    intake = Intake(floor, asyncio.get_running_loop(), started_ms=STARTED_MS)
    intake.take(message(b"{", at_ms=STARTED_MS - 1))
    with pytest.raises(Poison):
        intake.take(message(b"{"))
    assert len(floor.board) == 0


class FullPublisher(FakePublisher):
    full = True

    def publish(self, *args: object, **kwargs: object) -> None:
        if self.full:
            raise Backpressure("full")
        super().publish(*args, **kwargs)  # type: ignore[arg-type]


def test_audit_waits_for_a_full_publisher_and_is_not_lost() -> None:
    publisher = FullPublisher()
    notes = TopicJournal(publisher, FakeClock(), lambda: "id")
    notes.watched(Viewer(subject="x", role="admin"), "c1", "live")
    notes.retry()
    assert publisher.messages == []
    publisher.full = False
    notes.retry()
    notes.retry()
    assert [record.call_id for record in publisher.records(AUDIT)] == ["c1"]
