"""Hold, park, transfers, conferences, queues and colleagues: who is the agent, who is heard as whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.supervision_orchestrator.domain.call import CallState, Phase
from services.supervision_orchestrator.domain.effects import FollowPeer, Forget, PublishFact, PublishStep
from services.supervision_orchestrator.domain.floor import Device, Floor, Supervisor
from services.supervision_orchestrator.domain.inputs import LetIn, PeerFollowed
from services.supervision_orchestrator.domain.roster import Membership, Roster
from services.supervision_orchestrator.domain.snapshot import snapshot_of
from services.supervision_orchestrator.domain.stages import CALL_TRANSITIONS, Happening, Stage
from tests.support.call_bench import (
    AGENT,
    CALL,
    IVR,
    OTHER_AGENT,
    SUPERVISOR,
    CallBench,
    change,
    floor,
    party_id,
    read_party,
)

TWO = (read_party(1), read_party(2, "Answered", AGENT))
THREE = (*TWO, read_party(3, "Answered", IVR))


def heard() -> CallBench:
    bench = CallBench()
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    bench.answer_read(*TWO)
    bench.hear(*bench.asks)
    return bench


def live_requests(bench: CallBench) -> dict[str, int]:
    """Targets that something is asked for or stands, by role."""
    roles: dict[str, int] = {}
    for target in bench.state.targets:
        if target.phase in {Phase.REQUESTED, Phase.ACCEPTED, Phase.INVITED, Phase.UP}:
            roles[target.role] = roles.get(target.role, 0) + 1
    return roles


def test_mute_is_no_change() -> None:
    bench = heard()
    effects = len(bench.effects)

    bench.feed(change(9, 2, "Answered", AGENT))  # the same status with the next sequence

    assert [type(e).__name__ for e in bench.effects[effects:]] == ["PublishSnapshot"]
    assert len(bench.asks) == 2


def test_parked_and_picked_up_by_the_same_agent() -> None:
    bench = heard()

    bench.feed(change(9, 2, "Parked", AGENT))
    assert (bench.state.stage, snapshot_of(bench.state).status) == (Stage.PARKED, "parked")
    bench.feed(change(10, 2, "Answered", AGENT))

    assert bench.state.stage is Stage.TALKING
    assert bench.facts == ["started", "answered", "resumed"]
    assert len(bench.asks) == 2


def test_parked_and_picked_up_by_a_colleague() -> None:
    bench = heard()

    bench.feed(change(9, 2, "Disconnected", AGENT, reason="CallPark", at_ms=9_000), at_ms=9_000)
    bench.down(party_id(2))
    bench.run_timers(12_500)
    bench.answer_read(read_party(1, "Parked"), read_party(2, "Disconnected", AGENT))
    assert (bench.state.stage, bench.outcomes) == (Stage.LEFT, [])

    bench.feed(change(12, 4, "Answered", OTHER_AGENT, reason="Pickup", at_ms=40_000), at_ms=40_000)
    bench.answer_read(read_party(1), read_party(4, "Answered", OTHER_AGENT))
    assert bench.state.agent_extension_id == OTHER_AGENT
    assert (bench.asks[-1].party_id, bench.asks[-1].agent_extension_id) == (party_id(4), OTHER_AGENT)
    assert bench.facts[-1] == "transferred"


def test_attended_transfer_is_followed_to_the_other_session() -> None:
    bench = heard()

    bench.feed(change(9, 2, "Gone", AGENT, reason="AttendedTransfer", peer_call_id="s-peer"), at_ms=9_000)

    facts = [e for e in bench.effects if isinstance(e, PublishFact)]
    assert [(f.type, f.peer_call_id) for f in facts[-1:]] == [("transferred", "s-peer")]
    assert [e.call_id for e in bench.effects if isinstance(e, FollowPeer)] == ["s-peer"]
    bench.down(party_id(2))
    bench.down(party_id(1))
    bench.tick(3_000)
    bench.answer_gone()
    bench.run_timers(60_000)
    assert [o.reason for o in bench.outcomes] == ["covered"]


def test_peer_session_whose_events_were_lost_is_found_by_reading() -> None:
    bench = CallBench()

    bench.feed(PeerFollowed(call_id=CALL), at_ms=0)
    assert len(bench.reads) == 1
    bench.answer_read(read_party(1), read_party(2, "Answered", OTHER_AGENT))

    assert bench.facts == ["started", "answered"]
    assert {a.agent_extension_id for a in bench.asks} == {OTHER_AGENT}


@pytest.mark.parametrize("gone", [True, False])
def test_peer_session_without_monitored_agents_leaves_no_trace(gone: bool) -> None:
    bench = CallBench()
    bench.feed(PeerFollowed(call_id=CALL), PeerFollowed(call_id=CALL), at_ms=0)

    if gone:
        bench.answer_gone()
    else:
        bench.answer_read(read_party(1), read_party(2, "Answered", IVR))

    assert [type(e) for e in bench.effects[1:]] == [Forget]


def test_colleague_who_was_consulted_takes_over_and_becomes_the_agent() -> None:
    """The consultation's session: agent calls agent, the first leaves for good, the customer comes."""
    bench = CallBench()
    bench.feed(change(2, 1, "Answered", AGENT), change(3, 2, "Answered", OTHER_AGENT), at_ms=0)
    bench.answer_read(read_party(1, "Answered", AGENT), read_party(2, "Answered", OTHER_AGENT))
    bench.hear(*bench.asks)
    assert {t.party_id: t.role for t in bench.state.targets} == {party_id(1): "agent", party_id(2): "customer"}

    bench.feed(change(8, 1, "Gone", AGENT, reason="AttendedTransfer", peer_call_id="s-first"), at_ms=20_000)
    bench.down(party_id(1))
    bench.answer_read(read_party(2, "Answered", OTHER_AGENT), read_party(3))

    assert bench.state.agent_extension_id == OTHER_AGENT
    assert bench.facts[-1] == "transferred"
    assert bench.state.customer_party_id == party_id(3)
    assert [(a.party_id, a.agent_extension_id) for a in bench.asks[2:]] == [(party_id(3), OTHER_AGENT)]
    assert bench.state.target(party_id(2)).role == "agent"
    bench.hear(bench.asks[-1])
    assert live_requests(bench) == {"agent": 1, "customer": 1}

    bench.feed(change(20, 2, "Disconnected", OTHER_AGENT, at_ms=60_000), at_ms=60_000)
    bench.run_timers(90_000)
    (outcome,) = bench.outcomes
    assert (outcome.duration_ms, outcome.agent_heard_ms, outcome.customer_heard_ms) == (58_000, 58_000, 58_000)


def test_blind_transfer_whose_next_agent_rings_already() -> None:
    bench = heard()

    bench.feed(change(8, 4, "Setup", OTHER_AGENT), at_ms=8_000)
    bench.feed(change(9, 2, "Disconnected", AGENT, reason="BlindTransfer"), at_ms=9_000)
    assert (bench.state.stage, bench.state.close_due) == (Stage.OFFERED, None)
    bench.feed(change(10, 4, "Answered", OTHER_AGENT), at_ms=10_000)

    assert bench.state.stage is Stage.TALKING
    assert bench.facts == ["started", "answered", "transferred"]


def test_time_between_two_agents_is_no_gap() -> None:
    bench = heard()
    bench.feed(change(9, 2, "Disconnected", AGENT, reason="BlindTransfer", at_ms=20_000), at_ms=20_000)
    bench.down(party_id(2))
    bench.feed(change(10, 4, "Setup", OTHER_AGENT), at_ms=20_100)
    bench.feed(change(11, 4, "Answered", OTHER_AGENT, at_ms=45_000), at_ms=45_000)
    bench.answer_read(read_party(1), read_party(4, "Answered", OTHER_AGENT))
    bench.hear(bench.asks[-1])
    bench.feed(change(12, 4, "Disconnected", OTHER_AGENT, at_ms=60_000), at_ms=60_000)
    bench.run_timers(90_000)

    (outcome,) = bench.outcomes
    assert (outcome.reason, outcome.duration_ms, outcome.agent_heard_ms) == ("covered", 60_000, 35_000)
    assert outcome.gap_ms == 0


def test_conference_goes_mixed_and_back_when_the_third_leaves() -> None:
    bench = heard()
    bench.feed(change(30, 3, "Answered", IVR), at_ms=30_000)
    bench.answer_read(*THREE)
    bench.hear(bench.asks[-1])
    for n in (1, 2):
        bench.down(party_id(n))
    assert (snapshot_of(bench.state).supervision, live_requests(bench)) == ("session", {"mixed": 1})

    bench.feed(change(60, 3, "Disconnected", IVR), at_ms=60_000)
    bench.answer_read(*TWO, read_party(3, "Disconnected", IVR))
    assert ("ended", "mixed") in bench.steps
    assert [(a.party_id, a.attempt) for a in bench.asks[3:]] == [(party_id(2), 2), (party_id(1), 2)]
    bench.accept(bench.asks[3])
    bench.up(party_id(2), "00000002")
    assert "superseded" not in bench.reasons
    bench.hear(bench.asks[4])
    assert bench.reasons[-1] == "superseded"
    bench.down("", "00000001", role="mixed")
    assert (snapshot_of(bench.state).supervision, live_requests(bench)) == ("party", {"agent": 1, "customer": 1})

    bench.feed(change(70, 3, "Answered", IVR), at_ms=70_000)
    bench.answer_read(*THREE)
    assert (bench.asks[-1].party_id, bench.asks[-1].attempt) == ("", 2)
    ids = [(e.type, e.cause) for e in bench.effects if isinstance(e, PublishFact)]
    assert [t for t, _ in ids].count("conferenced") == 2
    assert len(set(ids)) == len(ids)


def test_legs_that_stood_through_the_conference_are_not_asked_for_again() -> None:
    bench = heard()
    bench.feed(change(30, 3, "Answered", IVR), at_ms=30_000)
    bench.answer_read(*THREE)
    bench.hear(bench.asks[-1])

    bench.feed(change(60, 3, "Disconnected", IVR), at_ms=60_000)
    bench.answer_read(*TWO)

    assert len(bench.asks) == 3
    assert snapshot_of(bench.state).supervision == "party"


def test_queue_rings_at_all_and_one_wins() -> None:
    bench = CallBench()
    bench.feed(change(2, 2, "Setup", AGENT, queue_call=True), change(3, 3, "Setup", OTHER_AGENT), at_ms=0)
    bench.feed(change(4, 2, "Disconnected", AGENT, reason="AgentDropped"), at_ms=4_000)
    bench.feed(change(5, 3, "Answered", OTHER_AGENT, reason="AgentAnswered"), at_ms=4_100)
    bench.answer_read(read_party(1), read_party(2, "Disconnected", AGENT), read_party(3, "Answered", OTHER_AGENT))

    assert bench.facts == ["started", "answered"]
    assert (bench.state.agent_extension_id, bench.state.queue_call) == (OTHER_AGENT, True)
    assert {a.agent_extension_id for a in bench.asks} == {OTHER_AGENT}


def test_winner_is_known_before_the_losers_end() -> None:
    bench = CallBench()
    bench.feed(change(2, 2, "Setup", AGENT), change(3, 3, "Setup", OTHER_AGENT), at_ms=0)
    bench.feed(change(4, 3, "Answered", OTHER_AGENT, reason="AgentAnswered"), at_ms=4_000)
    bench.feed(change(5, 2, "Disconnected", AGENT), at_ms=4_100)

    assert (bench.state.stage, bench.state.agent_extension_id) == (Stage.TALKING, OTHER_AGENT)
    assert bench.state.close_due is None


def test_another_agent_whom_the_call_rings_at_ends_without_a_trace() -> None:
    bench = heard()
    bench.feed(change(9, 4, "Setup", OTHER_AGENT), change(10, 4, "Disconnected", OTHER_AGENT), at_ms=10_000)

    assert (bench.state.stage, bench.state.agent_extension_id) == (Stage.TALKING, AGENT)
    assert bench.state.ended_at is None


def test_human_supervisor_is_given_way_and_looked_after_sparsely() -> None:
    human = read_party(5, "Answered", "700200777", reason="Supervising")
    bench = CallBench()
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    bench.answer_read(*TWO, human)
    assert bench.asks == []
    assert bench.reasons == ["another_supervisor"] * 2

    bench.run_timers(59_000)
    assert len(bench.reads) == 1
    bench.run_timers(60_000)
    bench.answer_read(*TWO, human)
    bench.run_timers(120_000)
    bench.answer_read(*TWO, replace(human, code="Disconnected"))
    assert len(bench.asks) == 2

    quick = CallBench()
    quick.feed(change(2, 2, "Setup", AGENT), change(3, 5, "Answered", "700200777", reason="Supervising"))
    quick.feed(change(4, 2, "Answered", AGENT), at_ms=0)
    assert (quick.reads, quick.reasons) == ([], ["another_supervisor"])
    quick.feed(change(5, 5, "Disconnected", "700200777"))
    quick.feed(LetIn(call_id=CALL))
    quick.answer_read(*TWO)
    assert len(quick.asks) == 2


def test_call_that_only_a_human_supervised_is_refused_with_the_reason() -> None:
    bench = CallBench()
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    bench.answer_read(*TWO, read_party(5, "Answered", "700200777", reason="Supervising"))
    bench.feed(change(9, 2, "Disconnected", AGENT, at_ms=30_000), at_ms=30_000)
    bench.run_timers(60_000)

    assert [(o.reason, o.detail) for o in bench.outcomes] == [("refused", "another_supervisor")]


def test_supervisors_of_the_whole_pool_are_no_participants() -> None:
    bench = heard()

    bench.feed(change(9, 7, "Answered", SUPERVISOR), change(10, 8, "Answered", SUPERVISOR, reason="Supervising"))

    assert snapshot_of(bench.state).participants == 2
    assert bench.state.other_supervisors == ()


def test_identity_that_still_has_a_party_in_the_session_is_asked_again_and_no_other() -> None:
    """Its INVITE never came, and RingCentral refuses a second supervisor as long as the party is there."""
    second = Supervisor(extension_id="700200399")
    own, others = floor(), floor()
    roster = Roster({**own.roster.entries, second.extension_id: own.roster.entries[SUPERVISOR]})
    phone = replace(own.devices[0], device_id="801000000099", supervisor_extension_id=second.extension_id)
    both = replace(own, roster=roster, devices=(*own.devices, phone), supervisors=(*own.supervisors, second))
    bench = CallBench(replace(both, supervisors=(replace(own.supervisors[0], requests=9), replace(second, requests=5))))
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    bench.answer_read(*TWO)
    for ask in bench.asks:
        bench.accept(ask)
    bench.floor = replace(both, supervisors=(replace(own.supervisors[0], requests=0), second))
    bench.tick(10_000)
    bench.tick(1_000)

    bench.answer_read(*TWO, read_party(7, "Answered", SUPERVISOR, reason="Supervising"))
    assert {ask.supervisor for ask in bench.asks} == {SUPERVISOR}
    assert bench.reasons[-1] == "rate_limited"
    bench.floor = others
    bench.tick(5_000)
    bench.answer_read(*TWO, read_party(7, "Answered", SUPERVISOR, reason="Supervising"))
    assert [ask.supervisor for ask in bench.asks] == [SUPERVISOR] * 4


def test_call_taken_up_after_its_account_stays_accounted_for() -> None:
    bench = heard()
    bench.feed(change(9, 2, "Disconnected", AGENT, at_ms=30_000), at_ms=30_000)
    for n in (1, 2):
        bench.down(party_id(n))
    assert bench.state.stage is Stage.OVER
    effects = len(bench.effects)

    bench.feed(change(12, 4, "Answered", OTHER_AGENT, at_ms=50_000), PeerFollowed(call_id=CALL), at_ms=50_000)

    assert len(bench.effects) == effects


SECOND, SECOND_DEVICE = "700200310", "801000000009"


def two_groups() -> Floor:
    """The other agent is in a group of its own, with a supervisor of its own."""
    west = (Membership(group_id="32", monitored=True, monitoring=False),)
    watcher = (Membership(group_id="32", monitored=False, monitoring=True),)
    known = floor()
    entries = {**known.roster.entries, OTHER_AGENT: west, SECOND: watcher}
    device = Device(device_id=SECOND_DEVICE, supervisor_extension_id=SECOND, online=True, free_slots=4)
    return replace(
        known, roster=Roster(entries), devices=(*known.devices, device),
        supervisors=(*known.supervisors, Supervisor(extension_id=SECOND)),
    )  # fmt: skip


def transferred_to_the_other_group() -> CallBench:
    bench = CallBench(two_groups())
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    bench.answer_read(*TWO)
    bench.hear(*bench.asks)
    bench.feed(change(9, 2, "Disconnected", AGENT, reason="BlindTransfer", at_ms=20_000), at_ms=20_000)
    bench.down(party_id(2))
    bench.feed(change(10, 4, "Answered", OTHER_AGENT, at_ms=22_000), at_ms=22_000)
    bench.answer_read(read_party(1), read_party(4, "Answered", OTHER_AGENT))
    return bench


def test_a_call_that_comes_to_an_agent_of_another_group_is_given_over_to_a_supervisor_of_that_group() -> None:
    bench = transferred_to_the_other_group()
    given_over = [e for e in bench.effects if isinstance(e, PublishStep) and e.reason == "superseded"]
    assert [(e.type, e.party_id) for e in given_over] == [("ended", party_id(1))]
    assert bench.reasons.count("another_group") == 1
    asked = len(bench.asks)

    bench.tick(200)
    bench.down(party_id(1), reason="hung_up")
    assert bench.reads[-1].supervisor == SECOND
    bench.answer_read(read_party(1), read_party(4, "Answered", OTHER_AGENT))
    assert {(a.supervisor, a.device_id, a.agent_extension_id) for a in bench.asks[asked:]} == {
        (SECOND, SECOND_DEVICE, OTHER_AGENT)
    }
    assert {a.party_id for a in bench.asks[asked:]} == {party_id(1), party_id(4)}
    for ask in bench.asks[asked:]:
        bench.accept(ask)
        bench.up(ask.party_id, "00000002")
    bench.feed(change(20, 4, "Disconnected", OTHER_AGENT, at_ms=60_000), at_ms=60_000)
    bench.run_timers(90_000)
    [outcome] = bench.outcomes
    assert (outcome.reason, outcome.gap_ms) == ("covered", 200)


def test_the_next_supervisor_waits_until_the_first_one_has_left_the_session() -> None:
    bench = transferred_to_the_other_group()
    asked = len(bench.asks)
    bench.down(party_id(1), reason="hung_up")
    own = read_party(7, "Answered", SUPERVISOR, reason="Supervising")
    bench.answer_read(read_party(1), read_party(4, "Answered", OTHER_AGENT), own)
    assert len(bench.asks) == asked
    bench.tick(1_000)
    bench.answer_read(read_party(1), read_party(4, "Answered", OTHER_AGENT))
    assert [a.supervisor for a in bench.asks[asked:]] == [SECOND, SECOND]


def test_where_nobody_may_listen_to_the_next_agent_the_customer_is_heard_on() -> None:
    lone = CallBench(replace(two_groups(), supervisors=(Supervisor(extension_id=SUPERVISOR),)))
    lone.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)
    lone.answer_read(*TWO)
    lone.hear(*lone.asks)
    lone.feed(change(9, 2, "Disconnected", AGENT, reason="BlindTransfer", at_ms=20_000), at_ms=20_000)
    lone.feed(change(10, 4, "Answered", OTHER_AGENT, at_ms=22_000), at_ms=22_000)
    lone.answer_read(read_party(1), read_party(4, "Answered", OTHER_AGENT))

    assert lone.reasons[-1] == "not_permitted"
    assert "superseded" not in lone.reasons
    assert live_requests(lone) == {"customer": 1}


def test_call_that_waits_for_room_is_still_looked_at_so_that_a_lost_end_is_found() -> None:
    bench = CallBench(floor(online=False))
    bench.feed(change(3, 2, "Answered", AGENT, at_ms=0), at_ms=0)

    bench.run_timers(119_000)
    assert bench.reads == []
    bench.run_timers(125_000)
    assert len(bench.reads) == 1
    bench.answer_gone()
    bench.run_timers(140_000)
    assert [o.reason for o in bench.outcomes] == ["no_device_online"]


def test_every_stage_and_happening_is_in_the_table() -> None:
    assert {stage for stage, _ in CALL_TRANSITIONS} == set(Stage) - {Stage.OVER}
    assert {happening for _, happening in CALL_TRANSITIONS} == set(Happening)
    assert CallState(call_id="x").stage is Stage.IDLE
