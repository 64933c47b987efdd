"""The desk: one function from record to row, records and requests."""

from __future__ import annotations

from dataclasses import replace

from services.chassis.testing.fake_clock import START, FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts import topics
from services.supervision_orchestrator.adapters.desk import Desk
from services.supervision_orchestrator.adapters.incoming import LET_IN_TIMER
from services.supervision_orchestrator.adapters.ledger import Ledger
from services.supervision_orchestrator.domain.budgets import Budgets, Limits
from services.supervision_orchestrator.domain.effects import ReadSession, Supervise
from services.supervision_orchestrator.domain.floor import Floor
from services.supervision_orchestrator.domain.inputs import Input, LegUp, SessionRead, TimerDue
from tests.support.call_bench import AGENT, CALL, change, floor, party_id, read_party

TWO = (read_party(1), read_party(2, "Answered", AGENT))


class DeskBench:
    def __init__(self, floor_: Floor | None = None, rows: dict[bytes, bytes] | None = None) -> None:
        self.rows: dict[bytes, bytes] = rows if rows is not None else {}
        self.publisher = FakePublisher()
        self.clock = FakeClock()
        self.requests: list[tuple[str, ReadSession | Supervise]] = []
        self.floor = floor_ or floor()
        self.desk = Desk(
            self.rows, self.publisher, self.clock, floor=lambda: self.floor, start_requests=self._started,
            ledger=Ledger(Budgets(Limits())),
        )  # fmt: skip

    def _started(self, call_id: str, requests) -> None:  # type: ignore[no-untyped-def]
        self.requests += [(call_id, request) for request in requests]

    def take(self, *events: Input, call_id: str = CALL) -> bool:
        return self.desk.take(call_id, [replace(e, call_id=call_id) for e in events])

    def answered(self, call_id: str = CALL) -> None:
        self.take(change(3, 2, "Answered", AGENT), call_id=call_id)
        self.take(SessionRead(call_id=call_id, attempt=1, at=START, parties=TWO), call_id=call_id)


def test_records_carry_the_agents_extension_in_both_requests() -> None:
    bench = DeskBench()

    bench.answered()

    asked = bench.publisher.records(topics.SUPERVISION_EVENTS)
    assert [(e.type, e.role, e.party_id, e.agent_extension_id, e.device_id, e.attempt) for e in asked] == [
        ("requested", "agent", party_id(2), AGENT, "801000000001", 1),
        ("requested", "customer", party_id(1), AGENT, "801000000001", 1),
    ]
    assert asked[0].event_id == f"{CALL}:{party_id(2)}:1:requested"
    assert [type(r).__name__ for _, r in bench.requests] == ["ReadSession", "Supervise", "Supervise"]


def test_replay_of_everything_repeats_the_ids_and_nothing_else() -> None:
    once, replayed = DeskBench(), DeskBench()
    for bench in (once, replayed):
        bench.answered()
        bench.take(LegUp(call_id=CALL, leg_id="leg", at=START, party_id=party_id(2)))
        bench.take(change(9, 2, "Disconnected", AGENT))
    first = [(m.topic.name, m.event_id) for m in once.publisher.messages]

    assert [(m.topic.name, m.event_id) for m in replayed.publisher.messages] == first
    replayed.answered()
    assert [(m.topic.name, m.event_id) for m in replayed.publisher.messages] == first


def test_restart_rebuilds_timers_from_the_rows() -> None:
    before = DeskBench()
    before.answered()
    after = DeskBench(rows=before.rows)

    assert after.desk.rebuild() == 1
    after.clock.advance_ms(19_000)
    after.desk.publish_due_timers()
    assert after.publisher.messages == []
    after.clock.advance_ms(1_000)
    after.desk.publish_due_timers()
    after.desk.publish_due_timers()

    (timer,) = after.publisher.records(topics.SUPERVISION_INBOX)
    assert (timer.kind, timer.call_id) == ("timer", CALL)
    after.take(TimerDue(call_id=CALL))
    steps = after.publisher.records(topics.SUPERVISION_EVENTS)
    assert [(e.type, e.reason) for e in steps] == [("retrying", "no_reply")] * 2


def test_two_calls_do_not_share_the_last_slots() -> None:
    bench = DeskBench(floor(free_slots=3))

    bench.answered("s-1")
    bench.answered("s-2")

    asked = [call_id for call_id, request in bench.requests if isinstance(request, Supervise)]
    assert asked == ["s-1", "s-1"]
    reasons = {e.reason for e in bench.publisher.records(topics.SUPERVISION_EVENTS) if e.call_id == "s-2"}
    assert reasons == {"no_capacity"}


def test_waiting_calls_hear_of_a_device() -> None:
    bench = DeskBench(floor(online=False))
    bench.answered()
    bench.desk.wake()
    assert bench.publisher.records(topics.SUPERVISION_INBOX) == []

    bench.floor = floor()
    bench.desk.wake()
    bench.desk.wake()

    assert [r.timer for r in bench.publisher.records(topics.SUPERVISION_INBOX)] == [LET_IN_TIMER]


def test_terminal_record_is_announced_once_and_its_row_stays_until_forgotten() -> None:
    bench = DeskBench()
    bench.answered()
    bench.take(change(9, 2, "Disconnected", AGENT, at_ms=60_000))
    bench.clock.advance_ms(3_000)

    assert bench.take(TimerDue(call_id=CALL)) is True
    assert bench.take(TimerDue(call_id=CALL)) is False
    ended = [f for f in bench.publisher.records(topics.CALLS_LIFECYCLE) if f.type == "ended"]
    assert [(f.event_id, f.outcome.reason if f.outcome else "") for f in ended] == [(f"{CALL}:ended", "no_audio")]
    assert bench.publisher.records(topics.CALLS_STATE)[-1].status == "ended"

    bench.clock.advance_ms(24 * 3_600_000)
    bench.take(TimerDue(call_id=CALL))
    assert bench.rows == {}


def test_calls_of_nobody_monitored_leave_no_row() -> None:
    bench = DeskBench()

    bench.take(change(2, 1, "Setup"), change(4, 1, "Answered"))

    assert bench.rows == {}
    assert bench.publisher.messages == []
