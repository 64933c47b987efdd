"""What goes wrong between the wish to hear a party and its audio, and what is done about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.supervision_orchestrator.domain.call import Phase, next_due
from services.supervision_orchestrator.domain.floor import Supervisor
from services.supervision_orchestrator.domain.inputs import LegGap, LetIn, ReadFailed
from services.supervision_orchestrator.domain.roster import Roster
from services.supervision_orchestrator.domain.snapshot import snapshot_of
from services.supervision_orchestrator.domain.targets import TRANSITIONS, Signal
from tests.support.call_bench import (
    AGENT,
    CALL,
    DEVICE,
    SUPERVISOR,
    CallBench,
    at,
    change,
    floor,
    member,
    party_id,
    read_party,
)

AGENT_PARTY, CUSTOMER = party_id(2), party_id(1)
ANOTHER = "700200310"
TWO = (read_party(1), read_party(2, "Answered", AGENT))
THREE = (*TWO, read_party(3))


def answered(bench: CallBench | None = None) -> CallBench:
    """A call answered at 0 ms and read."""
    bench = bench or CallBench()
    bench.feed(change(2, 2, "Setup", AGENT, at_ms=-500), change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    bench.answer_read(*TWO)
    return bench


def heard() -> CallBench:
    bench = answered()
    bench.hear(*bench.asks)
    return bench


def hang_up(bench: CallBench, ms: int) -> None:
    bench.feed(change(90, 2, "Disconnected", AGENT, at_ms=ms), at_ms=ms)
    bench.run_timers(ms + 10_000)


def test_requested_step_precedes_each_request() -> None:
    bench = answered()

    kinds = [type(e).__name__ for e in bench.effects[-5:-1]]
    assert kinds == ["PublishStep", "Supervise", "PublishStep", "Supervise"]
    assert bench.steps == [("requested", "agent"), ("requested", "customer")]


def test_invite_may_beat_the_reply() -> None:
    bench = answered()
    ask = bench.asks[0]

    bench.invite(ask.party_id)
    bench.up(ask.party_id)
    bench.accept(ask)

    assert bench.state.target(ask.party_id).phase is Phase.UP
    assert bench.steps[2:] == [("invite_received", "agent"), ("media_up", "agent"), ("accepted", "agent")]


@pytest.mark.parametrize("status", [0, 409, 429, 503])
def test_retryable_refusal_is_asked_again_after_a_reading(status: int) -> None:
    bench = answered()
    agent, customer = bench.asks
    bench.hear(customer)

    bench.refuse(agent, status, retryable=True)
    assert len(bench.asks) == 2
    bench.tick(1000)
    bench.answer_read(*TWO)

    assert [(a.party_id, a.attempt) for a in bench.asks[2:]] == [(AGENT_PARTY, 2)]


def test_retry_after_is_obeyed() -> None:
    bench = answered()
    reads = len(bench.reads)
    bench.feed(ReadFailed(call_id=CALL, attempt=99, at=bench.now))  # not the awaited one
    assert len(bench.reads) == reads

    fresh = CallBench()
    fresh.feed(change(3, 2, "Answered", AGENT), at_ms=0)
    fresh.feed(ReadFailed(call_id=CALL, attempt=1, at=fresh.now, status=429, retry_after_ms=45_000))
    fresh.tick(44_000)
    assert len(fresh.reads) == 1
    fresh.tick(1_000)
    assert len(fresh.reads) == 2


def of_two_supervisors() -> CallBench:
    """A call that either of two may hear, each on a device of its own."""
    one = floor()
    roster = Roster({**one.roster.entries, ANOTHER: member(monitoring=True)})
    devices = (*one.devices, replace(one.devices[0], device_id="801000000002", supervisor_extension_id=ANOTHER))
    supervisors = (*one.supervisors, Supervisor(extension_id=ANOTHER))
    return answered(CallBench(replace(one, roster=roster, devices=devices, supervisors=supervisors)))


def test_a_call_of_a_penalized_supervisor_moves_to_another_at_once() -> None:
    bench = of_two_supervisors()
    first = bench.asks[0].supervisor
    for ask in bench.asks:
        bench.refuse(ask, 429, retryable=True, retry_after_ms=45_000)
    bench.tick(1_000)
    bench.answer_read(*TWO)

    moved = bench.asks[2:]
    assert {a.party_id for a in moved} == {AGENT_PARTY, CUSTOMER}
    assert {bench.reads[-1].supervisor, *(a.supervisor for a in moved)} == {SUPERVISOR, ANOTHER} - {first}


def test_of_which_something_is_heard_it_waits_for_the_penaltys_end() -> None:
    """RingCentral takes one supervisor a call: another's request would end what is heard."""
    bench = of_two_supervisors()
    refused, stands = bench.asks
    bench.hear(stands)
    bench.refuse(refused, 429, retryable=True, retry_after_ms=45_000)
    bench.run_timers(44_000)
    assert len(bench.asks) == 2
    bench.run_timers(46_000)
    bench.answer_read(*TWO)

    (again,) = bench.asks[2:]
    assert (again.party_id, again.supervisor) == (refused.party_id, refused.supervisor)


def test_final_refusal_is_not_asked_again_and_is_the_reason() -> None:
    bench = answered()
    for ask in bench.asks:
        bench.refuse(ask, 403, "CMN-408", retryable=False)

    assert snapshot_of(bench.state).supervision == "failed"
    hang_up(bench, 60_000)
    assert len(bench.asks) == 2
    (outcome,) = bench.outcomes
    assert (outcome.reason, outcome.detail, outcome.gap_ms) == ("refused", "403_CMN-408", 60_000)


def test_no_invite_after_a_2xx_is_asked_again() -> None:
    bench = answered()
    for ask in bench.asks:
        bench.accept(ask)

    bench.tick(10_000)
    assert "no_invite" in bench.reasons
    bench.tick(1_000)
    bench.answer_read(*TWO)

    assert [a.attempt for a in bench.asks] == [1, 1, 2, 2]


def test_no_rtp_after_the_invite_is_asked_again() -> None:
    bench = answered()
    bench.accept(bench.asks[0])
    bench.invite(AGENT_PARTY)
    bench.hear(bench.asks[1])

    bench.tick(8_000)
    assert "no_rtp" in bench.reasons
    bench.tick(1_000)
    bench.answer_read(*TWO)

    assert [(a.party_id, a.attempt) for a in bench.asks[2:]] == [(AGENT_PARTY, 2)]


def test_late_leg_of_a_request_given_up_is_taken() -> None:
    bench = answered()
    for ask in bench.asks:
        bench.accept(ask)
    bench.tick(10_000)

    bench.up(AGENT_PARTY)
    bench.up(CUSTOMER)
    bench.run_timers(30_000)

    assert len(bench.asks) == 2


def test_leg_that_got_a_bye_is_supervised_again_while_the_call_lives() -> None:
    bench = heard()

    bench.now = at(20_000)
    bench.down(CUSTOMER)
    bench.tick(1_000)
    bench.answer_read(*TWO)
    again = bench.asks[-1]
    assert (again.party_id, again.attempt, len(bench.asks)) == (CUSTOMER, 2, 3)
    bench.now = at(22_000)
    bench.hear(again)
    hang_up(bench, 62_000)

    (outcome,) = bench.outcomes
    assert (outcome.reason, outcome.gap_ms) == ("covered", 2_000)
    assert (outcome.agent_heard_ms, outcome.customer_heard_ms) == (62_000, 60_000)


def test_bye_because_the_call_ended_asks_for_nothing() -> None:
    bench = heard()

    bench.now = at(20_000)
    bench.down(CUSTOMER)
    bench.down(AGENT_PARTY)
    bench.feed(change(90, 2, "Disconnected", AGENT, at_ms=19_990), at_ms=20_050)
    bench.run_timers(60_000)

    assert len(bench.asks) == 2
    assert [o.reason for o in bench.outcomes] == ["covered"]


def test_lost_end_of_a_call_is_found_by_reading() -> None:
    bench = heard()

    bench.run_timers(120_000)
    bench.answer_gone()
    bench.run_timers(130_000)

    assert [o.reason for o in bench.outcomes] == ["covered"]


def test_no_device_online_waits_and_says_so() -> None:
    bench = answered(CallBench(floor(online=False)))
    assert bench.asks == []
    assert bench.reads == []  # no request is spent on a call that cannot be heard now
    assert bench.reasons == ["no_device_online"]
    assert snapshot_of(bench.state).supervision == "pending"

    bench.floor = floor()
    bench.feed(LetIn(call_id=CALL))
    bench.answer_read(*TWO)
    assert len(bench.asks) == 2


@pytest.mark.parametrize(
    ("world", "reason"),
    [(floor(online=False), "no_device_online"), (floor(free_slots=1), "no_capacity")],
)
def test_reason_of_a_call_that_found_no_device(world: object, reason: str) -> None:
    bench = answered(CallBench(world))  # type: ignore[arg-type]
    for ms in range(1_000, 60_000, 1_000):
        bench.now = at(ms)
        if bench.tick():
            bench.answer_read(*TWO)

    hang_up(bench, 60_000)
    assert [o.reason for o in bench.outcomes] == [reason]


def test_second_leg_uses_the_device_of_the_first() -> None:
    bench = heard()
    bench.floor = floor(online=False)

    bench.now = at(20_000)
    bench.down(CUSTOMER)
    bench.tick(1_000)
    bench.answer_read(*TWO)

    assert bench.reasons[-1] == "no_device_online"
    assert (bench.state.is_bound(), bench.state.device_id) == (True, DEVICE)


def test_third_party_turns_party_supervision_into_the_mixed_session() -> None:
    bench = heard()

    bench.feed(change(30, 3, "Answered"), at_ms=30_000)
    bench.answer_read(*THREE)

    assert bench.asks[-1].party_id == ""
    assert ("degraded", "mixed") in bench.steps
    assert "conferenced" in bench.facts
    bench.hear(bench.asks[-1])
    bench.down(AGENT_PARTY)
    bench.down(CUSTOMER)
    bench.run_timers(60_000)
    assert len(bench.asks) == 3
    assert snapshot_of(bench.state).supervision == "session"


def test_call_of_three_from_the_start_is_heard_mixed() -> None:
    bench = CallBench()
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    bench.answer_read(*THREE)

    (ask,) = bench.asks
    assert ask.party_id == ""
    bench.accept(ask)
    bench.invite(AGENT_PARTY, role="mixed")
    bench.up(AGENT_PARTY, role="mixed")
    hang_up(bench, 30_000)

    (outcome,) = bench.outcomes
    assert (outcome.reason, outcome.mixed_heard_ms, outcome.gap_ms) == ("mixed", 30_000, 0)


def test_one_side_unheard_is_partly_covered_with_its_gap() -> None:
    bench = answered()
    bench.hear(bench.asks[0])
    for ms in range(10_000, 60_000, 1_000):
        bench.now = at(ms)
        bench.tick()
    hang_up(bench, 60_000)

    (outcome,) = bench.outcomes
    assert (outcome.reason, outcome.agent_heard_ms, outcome.customer_heard_ms) == ("partly_covered", 60_000, 0)
    assert outcome.gap_ms == 60_000
    assert outcome.detail


def test_gaps_count_once() -> None:
    bench = heard()
    leg_id = f"{AGENT_PARTY}~00000001"
    gap = LegGap(call_id=CALL, leg_id=leg_id, at=at(5_000), party_id=AGENT_PARTY, gap_ms=700, media_time_ms=5_000)

    bench.feed(gap, gap, at_ms=5_000)
    hang_up(bench, 30_000)

    (outcome,) = bench.outcomes
    assert (outcome.agent_heard_ms, outcome.gap_ms) == (29_300, 700)


def test_time_to_first_audio_is_told_once_a_party() -> None:
    bench = answered()
    bench.accept(bench.asks[0])
    bench.now = at(420)
    bench.up(AGENT_PARTY)
    bench.down(AGENT_PARTY)
    bench.up(AGENT_PARTY, "00000002")

    waits = [getattr(e, "waited_ms", None) for e in bench.effects if getattr(e, "type", "") == "media_up"]
    assert waits == [420, None]


def test_short_call_without_audio_is_too_short() -> None:
    bench = answered()

    hang_up(bench, 900)

    assert [o.reason for o in bench.outcomes] == ["too_short"]


def test_row_is_forgotten_a_day_later_and_late_records_wake_nothing() -> None:
    bench = heard()
    hang_up(bench, 30_000)
    effects = len(bench.effects)

    bench.feed(change(91, 2, "Answered", AGENT), change(90, 2, "Disconnected", AGENT))
    bench.down(CUSTOMER)
    assert len(bench.effects) == effects
    due = next_due(bench.state)
    assert due is not None
    bench.now = due
    bench.tick()
    assert bench.forgotten


def test_every_phase_that_waits_can_time_out_or_is_asked_again() -> None:
    for phase in (Phase.REQUESTED, Phase.ACCEPTED, Phase.INVITED):
        assert TRANSITIONS[phase, Signal.TIMEOUT] is Phase.WANTED
    for phase in set(Phase) - {Phase.RELEASED}:
        assert TRANSITIONS[phase, Signal.RELEASE] is Phase.RELEASED


def test_a_call_that_was_over_before_anything_was_heard_of_it_is_not_said_to_be_unanswered() -> None:
    bench = CallBench()
    bench.feed(change(-1, 2, "Disconnected", AGENT), at_ms=3000)
    bench.tick(3000)
    bench.answer_gone()
    bench.run_timers(20_000)

    assert [(o.reason, o.detail) for o in bench.outcomes] == [("error", "events_missed")]


def unseen_answer_and_end() -> CallBench:
    """What the call log tells of a call after its end, in one go."""
    bench = CallBench()
    log = {"after_the_fact": True}
    bench.feed(change(-1, 90, "Answered", AGENT, at_ms=0, **log), at_ms=400_000)
    bench.feed(change(-1, 90, "Disconnected", AGENT, at_ms=60_000, **log), at_ms=400_000)
    bench.run_timers(430_000)
    return bench


def test_a_call_told_of_by_the_call_log_alone_has_its_duration_and_says_that_events_were_missed() -> None:
    [outcome] = unseen_answer_and_end().outcomes

    assert (outcome.reason, outcome.detail, outcome.duration_ms) == ("error", "events_missed", 60_000)
    assert outcome.gap_ms == 60_000


def test_a_missed_call_told_of_by_the_call_log_was_not_answered() -> None:
    bench = CallBench()
    bench.feed(change(-1, 90, "Disconnected", AGENT, at_ms=20_000, after_the_fact=True), at_ms=400_000)
    bench.tick(3000)
    bench.answer_gone()
    bench.run_timers(430_000)

    assert [o.reason for o in bench.outcomes] == ["not_answered"]


def test_the_call_log_names_no_party_but_means_the_one_that_is_known() -> None:
    bench = heard()
    bench.feed(
        change(-1, 90, "Answered", AGENT, at_ms=0, after_the_fact=True),
        change(-1, 90, "Disconnected", AGENT, at_ms=30_000, after_the_fact=True),
        at_ms=60_000,
    )
    bench.run_timers(90_000)

    [outcome] = bench.outcomes
    assert (outcome.reason, outcome.duration_ms, bench.facts) == ("covered", 30_000, ["started", "answered", "ended"])


@pytest.mark.parametrize("ending", ["rest", "gone", "first_heard"])
def test_a_ringing_agent_who_leaves_unseen_is_not_said_not_to_have_answered(ending: str) -> None:
    bench = CallBench()
    if ending != "first_heard":
        bench.feed(change(2, 2, "Setup", AGENT, at_ms=0), at_ms=0)
    if ending == "gone":
        bench.tick(15_000)
        bench.answer_gone()
    else:
        bench.feed(change(-1 if ending == "rest" else 9, 2, "Disconnected", AGENT, at_ms=20_000), at_ms=20_000)
        bench.tick(3000)
        bench.answer_gone()
    bench.run_timers(60_000)

    assert [(o.reason, o.detail) for o in bench.outcomes] == [("error", "events_missed")]


def test_an_answer_whose_notification_was_lost_is_found_while_the_call_is_young() -> None:
    bench = CallBench()
    bench.feed(change(2, 2, "Setup", AGENT, at_ms=0), at_ms=0)
    bench.tick(14_000)
    assert bench.reads == []
    bench.tick(15_000)
    bench.answer_read(read_party(1), read_party(2, "Proceeding", AGENT))
    bench.tick(30_000)
    bench.answer_read(*TWO)

    assert [ask.party_id for ask in bench.asks] == [AGENT_PARTY, CUSTOMER]
