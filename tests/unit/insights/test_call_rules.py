"""Rules, checklist, feedback and transfers on calls."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from services.insights.adapters.lexicon import VaderScorer
from services.insights.adapters.rules_file import parse_rules
from services.insights.domain.digest import Digest
from services.insights.domain.inputs import FeedbackGiven, HandedOn, TimerDue
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.outputs import Learned, StepState
from services.insights.domain.policy import Policy
from tests.support.insights_call import CALL, ENDED, NOW, Call, accepted, noted, said, whole
from tests.support.insights_knowledge import sample_index

POLICY = Policy()
RULES = """
rules:
  no_greeting:
    title: No greeting
    category: compliance
    role: agent
    alert: info
    checklist: greeting
    not_said: {phrases: [my name is, thank you for calling], within_s: 30}
  no_thanks_after_hold:
    category: compliance
    role: agent
    alert: info
    not_said: {phrases: [thank you for holding], within_s: 10, of: hold_end}
  leaving:
    category: retention
    role: customer
    alert: warning
    cool_down_s: 300
    phrases: [cancel * contract]
    suggest: {title: Offer first, text: Offer a lower price first., url: "https://x.example/r"}
  no_offer:
    category: retention
    role: agent
    alert: warning
    not_said: {phrases: [offer you], within_s: 60, of: leaving}
  offer:
    category: retention
    role: agent
    checklist: offer
    phrases: [offer you]
  sour: {category: mood, role: customer, alert: info, sentiment: {below: -0.4, over: 2}, cool_down_s: 600}
  monologue: {category: talk, alert: info, dynamics: {agent_longest_monologue_s: {above: 20}}, cool_down_s: 600}
  vip: {category: vip, role: customer, alert: critical, phrases: [gold card], groups: [Premium]}
checklist:
  greeting: Greet
  offer: {title: Make an offer, after: leaving}
  gold: {title: Be kind, groups: [Premium]}
"""


class TwoGroups:
    """The agent of these tests is in one group, once that is said."""

    def __init__(self) -> None:
        self.names: frozenset[str] = frozenset()

    def of(self, extension_id: str) -> frozenset[str]:
        return self.names if extension_id == "700200301" else frozenset()


@pytest.fixture
def groups() -> TwoGroups:
    return TwoGroups()


@pytest.fixture
def call(groups: TwoGroups) -> Call:
    return Call(
        Knowledge(retriever=sample_index(), scorer=VaderScorer(), book=parse_rules(RULES), groups=groups, policy=POLICY)
    )


def later(call: Call, ms: int) -> Call:
    call.now = NOW + timedelta(milliseconds=ms)
    return call.take(TimerDue())


def alerts(call: Call) -> list[tuple[str, str, int]]:
    return [(a.rule, a.reason, a.at_ms) for a in call.alerted]


def steps(call: Call) -> dict[str, str]:
    told: list[Learned] = [i for i in call.learned if i.kind == "checklist"]
    return {step.name: step.status for step in told[-1].checklist} if told else {}


def test_what_was_not_said_in_time_is_found_when_the_role_speaks_on(call: Call) -> None:
    call.take(noted("answered"), said("agent", "Yes?", 1000), said("customer", "Hello.", 33_000))
    assert alerts(call) == []
    call.take(said("agent", "What do you want?", 31_000))
    assert alerts(call) == [("no_greeting", "not_said", 30_000)]
    assert steps(call) == {"greeting": "missed"}
    call.take(said("agent", "Well, my name is Tom.", 40_000))
    later(call, 60_000)
    assert len(call.alerted) == 1
    assert steps(call) == {"greeting": "done"}


def test_what_was_not_said_in_time_is_found_though_nobody_speaks(call: Call) -> None:
    call.take(noted("answered"), said("customer", "Hello?", 1000))
    later(call, 30_000)
    assert alerts(call) == []
    later(call, 30_000 + POLICY.not_said_lag_ms)
    assert alerts(call) == [("no_greeting", "not_said", 30_000)]
    later(call, 90_000)
    assert len(call.alerted) == 1


@pytest.mark.parametrize("role", ["agent", "mixed", "unknown"])
def test_what_was_said_in_time_raises_nothing_whenever_its_record_comes(call: Call, role: str) -> None:
    call.take(said(role, "Thank you for calling.", 500), noted("answered"), said("agent", "Yes.", 50_000))
    later(call, 100_000)
    assert alerts(call) == []
    assert steps(call)["greeting"] == "done"


def test_the_customer_cannot_say_it_for_the_agent(call: Call) -> None:
    call.take(noted("answered"), said("customer", "My name is Ann.", 500), said("agent", "Yes.", 50_000))
    assert alerts(call) == [("no_greeting", "not_said", 30_000)]


def test_a_call_that_was_heard_late_or_ended_early_is_not_judged(call: Call) -> None:
    call.take(noted("answered"), said("agent", "And then?", 20_000), said("agent", "Yes.", 50_000))
    later(call, 100_000)
    assert alerts(call) == []
    short = Call(call.knowledge)
    short.take(noted("answered"), said("agent", "Wrong number.", 500), whole("agent", 1), whole("customer", 0))
    ended = type(ENDED)(
        agent_extension_id="700200301", direction="inbound", ended_at=NOW + timedelta(seconds=12), outcome="covered",
        duration_ms=12_000, legs_heard=2,
    )  # fmt: skip
    short.take(ended)
    assert alerts(short) == []
    assert len(short.summaries) == 1


def test_a_call_that_is_summed_up_before_the_timer_is_judged_then(call: Call) -> None:
    call.take(noted("answered"), said("agent", "Yes?", 1000), whole("agent", 1), whole("customer", 0))
    call.take(type(ENDED)(
        agent_extension_id="700200301", direction="inbound", ended_at=NOW + timedelta(seconds=40), outcome="covered",
        duration_ms=40_000, legs_heard=2,
    ))  # fmt: skip
    assert alerts(call) == [("no_greeting", "not_said", 30_000)]
    assert [step.status for step in call.summaries[0].checklist] == ["missed"]
    assert [raised.rule for raised in call.summaries[0].raised] == ["no_greeting"]


def test_a_hold_begins_a_watch_each_time_it_ends(call: Call) -> None:
    call.take(
        noted("answered"), said("agent", "My name is Tom.", 0), noted("held", 10_000), noted("resumed", 20_000),
        said("agent", "Thank you for holding.", 21_000), noted("held", 40_000), noted("held", 40_000),
        noted("resumed", 50_000), noted("resumed", 50_000), said("agent", "So.", 52_000),
        said("agent", "Well.", 62_000),
    )  # fmt: skip
    assert alerts(call) == [("no_thanks_after_hold", "not_said", 60_000)]
    assert call.row is not None
    dynamics = call.row.dynamics()
    assert (dynamics.holds, dynamics.hold_ms) == (2, 20_000)


def test_a_rule_begins_a_watch_and_makes_a_step_apply(call: Call) -> None:
    call.take(noted("answered"), said("agent", "My name is Tom.", 0))
    assert steps(call) == {"greeting": "done"}
    call.take(said("customer", "Cancel my contract.", 10_000))
    assert steps(call) == {"greeting": "done", "offer": "open"}
    (advice,) = [s for s in call.suggested if s.kind == "rule"]
    assert (advice.title, advice.text) == ("Offer first", "Offer a lower price first.")
    assert advice.cited[0].source == "leaving"
    call.take(said("agent", "Hm.", 71_000))
    assert alerts(call) == [("leaving", "said", 10_000), ("no_offer", "not_said", 70_000)]
    call.take(said("agent", "I can offer you a discount.", 80_000))
    assert steps(call)["offer"] == "done"


def test_replays_begin_and_raise_nothing_anew(call: Call) -> None:
    inputs = (
        noted("answered"), said("customer", "Cancel my contract.", 5000), said("agent", "Oh.", 70_000),
        said("customer", "Terrible, awful, horrible.", 80_000), said("customer", "I hate this.", 90_000),
    )  # fmt: skip
    call.take(*inputs)
    raised = sorted(a.alert_id for a in call.alerted)
    assert {a.rule for a in call.alerted} == {"no_greeting", "leaving", "no_offer", "sour"}
    row = call.row
    call.take(*reversed(inputs))
    assert sorted(a.alert_id for a in call.alerted) == raised
    assert call.row == row
    again = Call(call.knowledge).take(*inputs)
    assert sorted(a.alert_id for a in again.alerted) == raised


def test_sentiment_wants_as_many_utterances_as_it_says(call: Call) -> None:
    call.take(said("agent", "My name is Tom.", 0), said("customer", "I hate this, it is awful.", 1000))
    assert alerts(call) == []
    call.take(said("agent", "Terrible, awful, bad.", 5000), said("customer", "Terrible service, very bad.", 9000))
    assert alerts(call) == [("sour", "sentiment", 9000)]


def test_dynamics_raise_an_alert_of_their_own(call: Call) -> None:
    call.take(*(said("agent", "My name is Tom, and so on.", at * 5000, lasts_ms=4800) for at in range(6)))
    assert alerts(call) == [("monologue", "dynamics", 24_800)]


def test_rules_and_steps_for_a_group_are_for_its_agents_alone(call: Call, groups: TwoGroups) -> None:
    call.take(noted("started"), said("customer", "I have a gold card.", 0))
    assert alerts(call) == []
    groups.names = frozenset({"Premium"})
    call.take(said("customer", "A gold card, I said.", 5000))
    assert alerts(call) == [("vip", "said", 5000)]
    assert steps(call) == {"greeting": "open", "gold": "open"}


def test_feedback_counts_once_by_article_and_rule(call: Call) -> None:
    call.take(said("customer", "How do I reset my router?", 0), said("customer", "I cancel my contract.", 20_000))
    by_kind = {s.kind: s.suggestion_id for s in call.suggested}
    shown = FeedbackGiven(suggestion_id=by_kind["knowledge"], action="shown")
    no = FeedbackGiven(suggestion_id=by_kind["rule"], action="dismissed", reason="already_known")
    call.take(shown, shown, accepted(by_kind["knowledge"]), accepted(by_kind["knowledge"]), no, no, shown)
    assert call.feedback == [
        ("knowledge", "reset-your-router.md", "shown"), ("knowledge", "reset-your-router.md", "accepted"),
        ("rule", "leaving", "dismissed"),
    ]  # fmt: skip
    call.take(ENDED)
    later(call, POLICY.summary_grace_ms)
    counted = {a.source: (a.made, a.shown, a.accepted, a.dismissed, a.reasons) for a in call.summaries[0].acceptance}
    assert counted["reset-your-router.md"] == (1, 1, 1, 0, ())
    assert counted["leaving"] == (1, 1, 0, 1, ("already_known",))


def test_a_transferred_call_hands_on_what_was_said(call: Call) -> None:
    call.take(
        said("customer", "My internet is down since Monday.", 0),
        said("agent", "I have reset your line. I will send a technician tomorrow.", 5000),
        said("customer", "Do I get a refund for the days without internet?", 12_000),
        noted("transferred", 20_000, peer="s-peer"),
    )
    (handed,) = call.handed_on
    assert handed.to_call_id == "s-peer"
    assert handed.digest.reason == "My internet is down since Monday."
    assert handed.digest.steps == ("I have reset your line.",)
    assert handed.digest.promises == ("I will send a technician tomorrow.",)
    assert handed.digest.open_points == ("Do I get a refund for the days without internet?",)
    told = [i for i in call.learned if i.kind == "summary"]
    assert told[-1].for_transfer
    assert told[-1].digest == handed.digest

    peer = Call(call.knowledge)
    taken = HandedOn(from_call_id=CALL, digest=handed.digest)
    peer.take(taken, taken, said("agent", "Hello, my name is Eve.", 0), ENDED)
    (learned,) = [i for i in peer.learned if i.handed_on_from]
    assert learned.digest == handed.digest
    later(peer, POLICY.summary_grace_ms)
    assert peer.summaries[0].transferred_from == CALL
    assert peer.summaries[0].digest.reason == "My internet is down since Monday."
    call.take(ENDED)
    later(call, POLICY.summary_grace_ms)
    assert (call.summaries[0].transferred_to, call.summaries[0].result) == ("s-peer", "transferred")


@pytest.mark.parametrize(
    ("talk", "result"),
    [
        ([("customer", "My parcel is late."), ("agent", "I have sent it again, it will arrive tomorrow."),
          ("customer", "That is perfect, thank you.")], "follow_up"),
        ([("customer", "What is my wifi password?"), ("agent", "It is on the label under the router."),
          ("customer", "Great, it works now. Thanks.")], "resolved"),
        ([("customer", "My internet is down."), ("agent", "Let me look."), ("customer", "This is ridiculous.")],
         "unresolved"),
        ([("customer", "Good morning."), ("agent", "Good morning.")], "unknown"),
    ],
)  # fmt: skip
def test_how_it_stands_at_the_end(call: Call, talk: list[tuple[str, str]], result: str) -> None:
    call.take(*(said(role, text, at * 6000) for at, (role, text) in enumerate(talk)), ENDED)
    later(call, POLICY.summary_grace_ms)
    assert call.summaries[0].result == result


def test_the_call_so_far_is_told_when_there_is_something_new(call: Call) -> None:
    call.take(said("customer", "My internet is down.", 0), said("agent", "I have reset your line.", 4000))
    told = [i.digest for i in call.learned if i.kind == "summary"]
    assert [isinstance(digest, Digest) and digest.steps for digest in told] == [()]
    call.take(said("agent", "Hm.", 10_000), said("agent", "Well.", 20_000), said("agent", "Yes.", 40_000))
    told = [i.digest for i in call.learned if i.kind == "summary"]
    assert len(told) == 2
    assert told[-1] is not None
    assert told[-1].steps == ("I have reset your line.",)


def test_a_step_once_taken_stays_taken(call: Call) -> None:
    call.take(said("agent", "My name is Tom.", 5000), said("agent", "My name is Tom.", 1000))
    (state,) = [step for step in call.row.steps if step.name == "greeting"] if call.row else []
    assert isinstance(state, StepState)
    assert isinstance(state.at, datetime)
    assert (state.status, state.at_ms) == ("done", 1000)
