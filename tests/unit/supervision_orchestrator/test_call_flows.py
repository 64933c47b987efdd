"""The event sequences of real calls: in order, reordered, repeated. The states are what one would write by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from services.chassis.testing.fake_clock import START
from services.supervision_orchestrator.domain.inputs import Input, ReadParty
from services.supervision_orchestrator.domain.snapshot import snapshot_of
from tests.support.call_bench import AGENT, IVR, OTHER_AGENT, CallBench, change, floor, party_id, read_party


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A recorded flow. `answer` indexes the event that makes the agent's own party Answered."""

    name: str
    events: tuple[Input, ...]
    answer: int
    session: tuple[ReadParty, ...]
    agent: str
    customer: str
    direction: str
    duration_ms: int


FLOWS = (
    Flow(
        name="outside caller, IVR, agent",
        events=(
            change(2, 1, "Setup"),
            change(3, 2, "Setup", IVR),
            change(4, 1, "Answered"),
            change(5, 2, "Disconnected", IVR),
            change(6, 3, "Setup", AGENT),
            change(7, 3, "Proceeding", AGENT),
            change(8, 3, "Answered", AGENT),
            change(9, 3, "Hold", AGENT),
            change(10, 3, "Answered", AGENT),
            change(11, 3, "Disconnected", AGENT),
            change(12, 1, "Disconnected"),
        ),
        answer=6,
        session=(read_party(1), read_party(2, "Disconnected", IVR), read_party(3, "Answered", AGENT)),
        agent=party_id(3),
        customer=party_id(1),
        direction="inbound",
        duration_ms=3000,
    ),
    Flow(
        name="extension to extension",
        events=(
            change(2, 1, "Setup", IVR),
            change(3, 2, "Setup", AGENT),
            change(4, 1, "Answered", IVR),
            change(5, 2, "Proceeding", AGENT),
            change(6, 2, "Answered", AGENT),
            change(7, 1, "Hold", IVR),
            change(8, 1, "Answered", IVR),
            change(9, 1, "Disconnected", IVR),
            change(10, 2, "Disconnected", AGENT),
        ),
        answer=4,
        session=(read_party(1, "Answered", IVR), read_party(2, "Answered", AGENT)),
        agent=party_id(2),
        customer=party_id(1),
        direction="internal",
        duration_ms=4000,
    ),
    Flow(
        name="agent to an outside number",
        events=(
            change(2, 1, "Setup", AGENT),
            change(3, 2, "Proceeding"),
            change(4, 1, "Proceeding", AGENT),
            change(5, 2, "Answered"),
            change(6, 1, "Answered", AGENT),
            change(7, 1, "Hold", AGENT),
            change(8, 1, "Answered", AGENT),
            change(9, 1, "Disconnected", AGENT),
            change(10, 2, "Disconnected"),
        ),
        answer=4,
        session=(read_party(1, "Answered", AGENT), read_party(2)),
        agent=party_id(1),
        customer=party_id(2),
        direction="outbound",
        duration_ms=3000,
    ),
)
flows = pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)


def play(flow: Flow, events: tuple[Input, ...], bench: CallBench) -> None:
    """Feed the events a second apart; readings are answered at once and requests go well."""
    answered = 0
    for event in events:
        bench.feed(event, at_ms=int((event.at - START).total_seconds() * 1000))
        while len(bench.reads) > answered:
            answered = len(bench.reads)
            bench.answer_read(*flow.session)
            bench.hear(*bench.asks[-2:])


@flows
def test_flow_in_order(flow: Flow) -> None:
    bench = CallBench()

    play(flow, flow.events[: flow.answer], bench)
    assert bench.asks == []  # ringing, and others' Answered, are no reason to act

    play(flow, flow.events[flow.answer : -2], bench)
    assert [(ask.party_id, ask.agent_extension_id) for ask in bench.asks] == [
        (flow.agent, AGENT),
        (flow.customer, AGENT),
    ]
    snapshot = snapshot_of(bench.state)
    assert (snapshot.status, snapshot.supervision) == ("answered", "party")
    assert (snapshot.agent_party_id, snapshot.customer_party_id) == (flow.agent, flow.customer)
    assert (snapshot.direction, snapshot.participants) == (flow.direction, 2)

    play(flow, flow.events[-2:], bench)
    bench.down(flow.agent)
    bench.down(flow.customer)
    (outcome,) = bench.outcomes
    assert (outcome.reason, outcome.duration_ms) == ("covered", flow.duration_ms)
    assert outcome.agent_heard_ms == outcome.customer_heard_ms == flow.duration_ms
    assert snapshot_of(bench.state).status == "ended"


@flows
def test_flow_with_every_event_twice_tells_nothing_new(flow: Flow) -> None:
    once, twice = CallBench(), CallBench()

    play(flow, flow.events, once)
    for event in flow.events:
        play(flow, (event, event), twice)

    assert twice.effects == once.effects


@flows
def test_flow_whose_end_overtakes_everything(flow: Flow) -> None:
    bench = CallBench()

    for event in reversed(flow.events):
        bench.feed(event)
    bench.run_timers(10_000)

    assert bench.asks == []
    assert bench.facts.count("ended") == 1
    (outcome,) = bench.outcomes
    assert outcome.reason in {"too_short", "no_audio", "error", "not_answered"}
    assert bench.state.answered_at is not None


@flows
def test_neighbours_swapped_end_in_the_same_state(flow: Flow) -> None:
    straight = CallBench()
    play(flow, flow.events[:-2], straight)
    for i in range(len(flow.events) - 3):
        events = list(flow.events[:-2])
        events[i], events[i + 1] = events[i + 1], events[i]
        bench = CallBench()
        for event in events:
            bench.feed(event)
            bench.answer_read(*flow.session)
            for ask in bench.asks:
                bench.hear(ask)
        mine, theirs = snapshot_of(bench.state), snapshot_of(straight.state)
        assert (mine.status, mine.agent_party_id, mine.last_sequence) == (
            theirs.status,
            theirs.agent_party_id,
            theirs.last_sequence,
        )
        assert len(bench.asks) == 2


def test_facts_of_a_whole_call_in_order() -> None:
    bench = CallBench()

    play(FLOWS[0], FLOWS[0].events, bench)
    bench.run_timers(60_000)

    assert bench.facts == ["started", "answered", "held", "resumed", "ended"]


def test_hold_and_resume_ask_for_nothing_again() -> None:
    bench = CallBench()
    play(FLOWS[0], FLOWS[0].events[:7], bench)

    play(FLOWS[0], (change(9, 3, "Hold", AGENT),), bench)
    assert snapshot_of(bench.state).status == "held"
    for sequence in (10, 12, 14):
        play(FLOWS[0], (change(sequence, 3, "Answered", AGENT), change(sequence + 1, 3, "Hold", AGENT)), bench)

    assert len(bench.asks) == 2
    assert bench.facts.count("answered") == 1


def test_agents_own_events_alone_are_enough() -> None:
    bench = CallBench()
    own = tuple(e for e in FLOWS[0].events if e.extension_id == AGENT)

    play(FLOWS[0], own, bench)
    bench.run_timers(60_000)

    assert {ask.party_id for ask in bench.asks} == {party_id(1), party_id(3)}
    assert [o.reason for o in bench.outcomes] == ["covered"]


def test_nobody_monitored_leaves_no_trace() -> None:
    bench = CallBench()

    play(FLOWS[0], tuple(e for e in FLOWS[0].events if e.extension_id != AGENT), bench)

    assert bench.effects == []
    assert bench.state.parties == ()


def test_supervisors_parties_are_neither_calls_nor_participants() -> None:
    bench = CallBench()
    play(FLOWS[0], FLOWS[0].events[:7], bench)

    bench.feed(
        change(20, 4, "Answered", "700200300", reason="Supervising"),
        change(21, 5, "Answered", "700200300"),
        change(22, 6, "Answered", "700200999", reason="Supervising"),
    )

    assert snapshot_of(bench.state).participants == 2
    assert len(bench.reads) == 1


def test_missed_call_ends_as_not_answered_when_the_session_is_gone() -> None:
    bench = CallBench()
    bench.feed(change(2, 2, "Setup", AGENT), change(3, 2, "Disconnected", AGENT), at_ms=3000)
    assert bench.outcomes == []

    bench.tick(3000)
    assert len(bench.reads) == 1  # it may ring at the next agent
    bench.answer_gone()
    bench.run_timers(10_000)

    assert [o.reason for o in bench.outcomes] == ["not_answered"]
    assert bench.facts == ["started", "ended"]


def test_queue_call_rings_at_one_agent_after_the_other() -> None:
    bench = CallBench()
    bench.feed(change(2, 2, "Setup", AGENT), change(3, 2, "Disconnected", AGENT, reason="NoAnswer"), at_ms=3000)
    bench.tick(3000)
    bench.answer_read(read_party(1), read_party(2, "Disconnected", AGENT))
    bench.run_timers(20_000)
    assert bench.outcomes == []

    bench.feed(change(6, 3, "Setup", OTHER_AGENT), change(7, 3, "Answered", OTHER_AGENT), at_ms=21_000)
    bench.answer_read(read_party(1), read_party(2, "Disconnected", AGENT), read_party(3, "Answered", OTHER_AGENT))

    assert {ask.agent_extension_id for ask in bench.asks} == {OTHER_AGENT}
    assert snapshot_of(bench.state).agent_extension_id == OTHER_AGENT


def test_blind_transfer_credits_the_next_agent_in_one_account() -> None:
    bench = CallBench()
    play(FLOWS[0], FLOWS[0].events[:7], bench)

    bench.feed(change(12, 3, "Disconnected", AGENT, reason="BlindTransfer"), at_ms=12_000)
    bench.down(party_id(3))
    bench.feed(change(13, 4, "Setup", OTHER_AGENT), at_ms=12_500)
    bench.run_timers(19_000)
    bench.feed(change(14, 4, "Answered", OTHER_AGENT), at_ms=19_500)
    bench.answer_read(read_party(1), read_party(3, "Disconnected", AGENT), read_party(4, "Answered", OTHER_AGENT))

    assert "transferred" in bench.facts
    assert bench.outcomes == []
    assert (bench.asks[-1].party_id, bench.asks[-1].agent_extension_id) == (party_id(4), OTHER_AGENT)
    assert len(bench.asks) == 3  # the customer's leg still stands

    bench.feed(change(15, 4, "Disconnected", OTHER_AGENT, at_ms=30_000), at_ms=30_000)
    bench.run_timers(60_000)
    assert [o.reason for o in bench.outcomes] == ["partly_covered"]


def test_agent_outside_every_group_of_ours_is_not_asked_for() -> None:
    bench = CallBench(floor(supervised=False))

    play(FLOWS[0], FLOWS[0].events, bench)
    bench.run_timers(60_000)

    assert bench.asks == []
    assert [o.reason for o in bench.outcomes] == ["not_permitted"]


def test_internal_call_of_two_monitored_agents_is_one_call_with_one_account() -> None:
    bench = CallBench()
    bench.feed(change(2, 1, "Setup", AGENT), change(3, 2, "Setup", OTHER_AGENT))
    bench.feed(change(4, 1, "Answered", AGENT), at_ms=4000)
    bench.answer_read(read_party(1, "Answered", AGENT), read_party(2, "Proceeding", OTHER_AGENT))
    assert bench.asks == []
    bench.feed(change(6, 2, "Answered", OTHER_AGENT), at_ms=4500)
    bench.answer_read(read_party(1, "Answered", AGENT), read_party(2, "Answered", OTHER_AGENT))

    assert {(ask.party_id, ask.agent_extension_id) for ask in bench.asks} == {
        (party_id(1), AGENT),
        (party_id(2), AGENT),
    }
    bench.feed(change(9, 1, "Disconnected", AGENT), change(10, 2, "Disconnected", OTHER_AGENT), at_ms=9000)
    bench.run_timers(60_000)
    assert bench.facts.count("ended") == bench.facts.count("started") == 1
    assert "transferred" not in bench.facts
