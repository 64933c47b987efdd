"""Calls that nobody was told of in time, found in the company's call log."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.chassis.clock import format_utc
from services.chassis.ringcentral import RingCentralRefused
from services.chassis.testing.fake_clock import START, FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import TELEPHONY_EVENTS
from services.event_ingestor.adapters.call_log import CallLog
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.reconciliation import Reconciler
from services.event_ingestor.adapters.sessions import ACCOUNT
from services.event_ingestor.domain.calls import KnownCalls, Party
from services.event_ingestor.domain.dedupe import Seen
from tests.support.scripted_rest import ScriptedRest

CALL_LOG = f"{ACCOUNT}/call-log"
LOOKBACK = timedelta(minutes=15)
AGENTS = frozenset({"301"})
GONE = Party(party_id="p-1-2", extension_id="301", account_id="700", code="Disconnected")


def leg(extension: int, result: str = "Accepted", **more: Any) -> dict[str, Any]:
    return {
        "extension": {"id": extension}, "startTime": "2026-03-02T14:50:00.000Z", "duration": 90, "result": result,
        "direction": "Inbound", "action": "Phone Call", **more,
    }  # fmt: skip


def record(*legs: dict[str, Any], call: str = "s-1") -> dict[str, Any]:
    return {"telephonySessionId": call, "startTime": "2026-03-02T14:49:50.000Z", "legs": list(legs)}


class Reading:
    """A Reconciler over a scripted call log, with what it published."""

    def __init__(self, *records: dict[str, Any], deaf: bool = False) -> None:
        self.clock, self.publisher, self.calls = FakeClock(), FakePublisher(), KnownCalls()
        self.rest, self.deaf = ScriptedRest({CALL_LOG: {"records": list(records)}}), deaf
        self.since: list[str] = []
        ask = self.rest.get

        def get(path: str, query: Any = None) -> dict[str, Any]:
            self.since.append(query["dateFrom"])
            return ask(path, query)

        self.rest.get = get  # type: ignore[method-assign]
        events = EventPublisher(
            self.publisher, calls=self.calls, seen=Seen(), clock=self.clock, topic_prefix="t."
        )  # fmt: skip
        self.reconciler = Reconciler(
            CallLog(self.rest.client()), events, self.calls, self.clock, watched=lambda: AGENTS,
            deaf=lambda: self.deaf, since=START, every_ms=1, lookback_ms=15 * 60_000,
        )  # fmt: skip

    def told(self) -> list[tuple[str, str, str]]:
        records = self.publisher.records(TELEPHONY_EVENTS)
        assert all(r.after_the_fact and r.source == "rest" for r in records)
        bodies = [r.notification.body for r in records]
        return [(b.telephony_session_id, b.parties[0].status.code, b.event_time) for b in bodies]


async def test_a_call_that_was_taken_unseen_is_told_from_its_answer_to_its_end() -> None:
    reading = Reading(record(leg(301), leg(999)))
    assert await reading.reconciler.reconcile() == 1
    assert reading.told() == [
        ("s-1", "Answered", "2026-03-02T14:50:00.000Z"),
        ("s-1", "Disconnected", "2026-03-02T14:51:30.000Z"),
    ]
    assert await reading.reconciler.reconcile() == 0


async def test_a_call_that_was_missed_unseen_has_only_its_end() -> None:
    reading = Reading(record(leg(301, "Missed", durationMs=12_500)))
    await reading.reconciler.reconcile()
    assert reading.told() == [("s-1", "Disconnected", "2026-03-02T14:50:12.500Z")]


async def test_calls_told_of_otherwise_supervisors_and_strangers_are_left_alone() -> None:
    legs = (leg(301, action="Monitoring"), leg(999))
    reading = Reading(record(*legs), record(leg(301), call="s-2"), record(leg(301, startTime="?"), call="s-3"))
    reading.calls.observe("s-2", [GONE])
    assert await reading.reconciler.reconcile() == 0
    assert reading.told() == []


async def test_the_time_in_doubt_grows_through_an_outage_and_only_then() -> None:
    reading = Reading(deaf=True)
    hour = 3_600_000
    for deaf in (True, True, False, False):
        reading.deaf = deaf
        reading.clock.advance_ms(hour)
        await reading.reconciler.reconcile()
    began = [START, START, START, START + timedelta(milliseconds=3 * hour)]
    assert reading.since == [format_utc(moment - LOOKBACK) for moment in began]


async def test_calls_that_others_may_have_forgotten_are_not_told_of() -> None:
    reading = Reading(deaf=True)
    reading.clock.advance_ms(30 * 3_600_000)
    await reading.reconciler.reconcile()
    assert reading.since == [format_utc(START + timedelta(hours=10))]


@pytest.mark.parametrize("refusal", [RingCentralRefused(403, "CMN-408"), RingCentralRefused(503)])
async def test_a_refused_reading_is_tried_again(refusal: RingCentralRefused) -> None:
    reading = Reading(record(leg(301)))
    full: dict[str, Any] = {"records": [record(leg(301))]}
    replies: list[Any] = [refusal, full]
    again, loop = asyncio.Event(), asyncio.get_running_loop()

    def answer() -> Any:
        if not replies:
            loop.call_soon_threadsafe(again.set)
        return replies.pop(0) if replies else full

    reading.rest.replies[CALL_LOG] = answer
    task = asyncio.create_task(reading.reconciler.run())
    async with asyncio.timeout(10):
        await again.wait()
    task.cancel()
    assert [code for _, code, _ in reading.told()] == ["Answered", "Disconnected"]
