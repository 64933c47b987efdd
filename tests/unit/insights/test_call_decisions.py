"""A call through `decide`, its row stored and read back after each input, as the table would."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.insights.domain.decide import decide
from services.insights.domain.inputs import FeedbackGiven, Input, LegTranscribed, TimerDue
from services.insights.domain.outputs import NOTHING
from services.insights.domain.policy import Policy
from tests.support.insights_call import CALL, ENDED, NOW, Call, accepted, conversation, noted, said, whole
from tests.support.insights_knowledge import sample_knowledge

EXPECTED = {
    "billing_dispute": ["billing-dispute", "billing-dispute", "cancel-your-contract", "upgrade-your-plan",
                        "pay-by-card", "opening-hours"],
    "broadband_outage": ["reset-your-router", "outage-credit", "pay-by-card"],
    "late_parcel": ["delivery-times", "change-of-address", "refund-policy", "refund-policy", "opening-hours"],
    "moving_house": ["moving-house", "moving-house", "pay-by-card"],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_conversation_gets_the_suggestions_it_needs_and_no_others(name: str) -> None:
    finals = conversation(name)
    call = Call().take(*finals)
    assert [s.source.removesuffix(".md") for s in call.suggested] == EXPECTED[name]
    customer = {u.utterance_id for u in finals if u.role == "customer"}
    for suggestion in call.suggested:
        assert set(suggestion.utterance_ids) <= customer
        (cited,) = suggestion.cited
        assert suggestion.text in cited.passage
        assert cited.url.startswith("https://help.example.com/")
        assert suggestion.expires_at - suggestion.created_at == timedelta(seconds=120)
        assert suggestion.created_at - suggestion.published_at == timedelta(milliseconds=40)


def test_the_agents_own_question_prompts_nothing() -> None:
    call = Call().take(said("agent", "How do I reset my router?"), said("unknown", "How do I reset my router?", 9000))
    assert call.suggested == []


def test_a_question_cut_by_a_pause_is_answered() -> None:
    call = Call().take(said("customer", "I need to know how to", 1000), said("customer", "reset my router.", 3500))
    (suggestion,) = call.suggested
    assert suggestion.source == "reset-your-router.md"
    assert suggestion.utterance_ids == ("p-customer~00@1000", "p-customer~00@3500")
    late = Call().take(said("customer", "I need to know how to", 1000), said("customer", "reset my router.", 30_000))
    assert late.suggested == []


def test_a_passage_is_not_shown_again_until_its_cool_down_is_over() -> None:
    question = "How can I find my wifi password?"
    call = Call().take(said("customer", question, 1000), said("customer", question, 8000))
    assert len(call.suggested) == 1
    call.take(said("customer", question, 400_000))
    assert len(call.suggested) == 2
    assert len({s.suggestion_id for s in call.suggested}) == 2


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_replayed_finals_change_nothing(name: str) -> None:
    finals = conversation(name)
    call = Call().take(*finals)
    row, count = call.row, len(call.learned)
    for final in reversed(finals):
        call.take(final)
    assert (call.row, len(call.learned)) == (row, count)
    again = Call().take(*finals)
    assert [i.insight_id for i in again.learned] == [i.insight_id for i in call.learned]
    assert again.suggested == call.suggested


def test_rules_alert_once_in_their_cool_down() -> None:
    call = Call().take(
        noted("started"),
        said("customer", "I want to cancel my contract.", 1000),
        said("customer", "Yes, cancel the contract.", 10_000),
        said("customer", "Did you cancel the contract?", 320_000),
    )
    assert [(a.rule, a.severity, a.agent_extension_id) for a in call.alerted] == [
        ("cancellation", "warning", "700200301")
    ] * 2
    assert len({a.alert_id for a in call.alerted}) == 2


def test_dynamics_are_told_now_and_then() -> None:
    call = Call().take(*(said("agent", "One two.", start_ms) for start_ms in range(0, 40_000, 2500)))
    told = [i for i in call.learned if i.kind == "dynamics"]
    assert 2 <= len(told) <= 4
    assert all(i.dynamics is not None and i.dynamics.agent_share == 1.0 for i in told)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (3, 0, 1, 2), (1, 3, 0, 2)])
def test_one_summary_when_the_end_and_all_legs_have_come_in_any_order(order: tuple[int, ...]) -> None:
    finals = conversation("billing_dispute")
    agents = sum(u.role == "agent" for u in finals)
    steps: list[list[Input]] = [list(finals), [whole("agent", agents)], [whole("customer", len(finals) - agents)],
                                [ENDED]]  # fmt: skip
    call = Call()
    for index in order:
        assert call.summaries == []
        call.take(*steps[index])
    (summary,) = call.summaries
    assert summary.transcript_complete
    made = sum(each.made for each in summary.acceptance)
    assert (summary.utterances, made, len(summary.raised)) == (len(finals), 6, 2)
    assert summary.outcome == "covered"
    assert summary.digest.reason.startswith("Hello. I am calling about my bill.")
    assert "I can upgrade you to our premium plan" in summary.digest.text
    assert set(summary.categories) >= {"billing", "cancellation"}
    assert summary.started_at == NOW - timedelta(milliseconds=150_000)
    call.take(ENDED, whole("agent", agents), *finals)
    assert len(call.summaries) == 1


def test_a_leg_that_was_heard_but_is_not_here_yet_is_waited_for() -> None:
    call = Call().take(said("agent", "Hello."), whole("agent", 1), ENDED)
    assert call.summaries == []
    call.take(whole("customer", 0))
    assert len(call.summaries) == 1


def test_without_a_transcript_one_summary_after_the_grace_then_the_call_is_forgotten() -> None:
    call = Call().take(ENDED, TimerDue())
    assert call.summaries == []
    call.now += timedelta(milliseconds=Policy().summary_grace_ms)
    call.take(TimerDue(), TimerDue())
    (summary,) = call.summaries
    assert (summary.transcript_complete, summary.utterances, summary.duration_ms) == (False, 0, 150_000)
    assert "no transcript" in summary.digest.text
    call.now += timedelta(milliseconds=Policy().keep_closed_ms)
    assert call.take(TimerDue()).row is None
    assert len(call.summaries) == 1


def test_a_failed_leg_makes_the_transcript_incomplete() -> None:
    failed = LegTranscribed(leg_id="p-customer~00", role="customer", utterances=0, whole=False)
    call = Call().take(said("agent", "Hello."), whole("agent", 1), failed, ENDED)
    (summary,) = call.summaries
    assert not summary.transcript_complete


def test_accepted_suggestions_are_counted_once_and_only_ours() -> None:
    call = Call().take(said("customer", "How do I reset my router?"))
    mine = accepted(call.suggested[0].suggestion_id)
    call.take(mine, mine, accepted("another"), ENDED)
    call.now += timedelta(minutes=1)
    call.take(TimerDue())
    (acceptance,) = call.summaries[0].acceptance
    assert (acceptance.source, acceptance.made, acceptance.shown, acceptance.accepted) == (
        "reset-your-router.md",
        1,
        1,
        1,
    )


@pytest.mark.parametrize("event", [FeedbackGiven(suggestion_id="x", action="accepted"), TimerDue()])
def test_what_cannot_begin_a_call_begins_none(event: Input) -> None:
    assert decide(None, event, NOW, call_id=CALL, knowledge=sample_knowledge()) == (None, NOTHING)


def test_a_speaker_becomes_known_and_stays_so() -> None:
    call = Call().take(
        said("unknown", "Hello.", 0, leg="p-1~00"), said("customer", "Hi.", 5000, leg="p-1~00"),
        said("unknown", "Yes.", 9000, leg="p-1~00"),
    )  # fmt: skip
    assert call.row is not None
    assert call.row.legs[0].role == "customer"
    assert call.row.dynamics().customer_talk_ms == 6000
