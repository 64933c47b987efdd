"""How talk is shared, who breaks in, holds; sentiment over a call."""

from __future__ import annotations

import pytest

from services.contracts import records
from services.insights.adapters.incoming import stretches
from services.insights.adapters.lexicon import VaderScorer
from services.insights.domain.dynamics import Dynamics, Span, Stretch, Talk, measure
from services.insights.domain.sentiment import Felt, Side, course, label, latest, mean, running, thirds


def measured(agent: list[Span], customer: list[Span], others: list[Span] = [], holds: list[Span] = []) -> Dynamics:  # noqa: B006
    return measure(Talk(spans=agent), Talk(spans=customer), others, holds)


@pytest.mark.parametrize(
    ("agent", "customer", "others", "talk", "overtalk_ms", "silence_ms", "share"),
    [
        ([], [], [], (0, 0), 0, 0, 0.0),
        ([(0, 1000)], [], [], (1000, 0), 0, 0, 1.0),
        ([(0, 1000)], [(3000, 4000)], [], (1000, 1000), 0, 2000, 0.5),
        ([(0, 3000)], [(2000, 3000), (500, 700)], [], (3000, 1200), 1200, 0, 0.714),
        ([(0, 1000)], [], [(1500, 2000)], (1000, 0), 0, 500, 1.0),
        ([(0, 1000), (500, 1500)], [], [], (1500, 0), 0, 0, 1.0),
    ],
)
def test_how_talk_is_shared(
    agent: list[Span], customer: list[Span], others: list[Span], talk: tuple[int, int], overtalk_ms: int,
    silence_ms: int, share: float,
) -> None:  # fmt: skip
    found = measured(agent, customer, others)
    assert (found.agent_talk_ms, found.customer_talk_ms) == talk
    assert (found.overtalk_ms, found.silence_ms, found.agent_share) == (overtalk_ms, silence_ms, share)


@pytest.mark.parametrize(
    ("agent", "customer", "expected"),
    [
        ([(2000, 5000)], [(0, 3000)], (1, 0)),
        ([(2900, 5000)], [(0, 3000)], (0, 0)),  # they hardly overlap
        ([(2000, 2400)], [(0, 6000)], (0, 0)),  # a "yes" in between
        ([(100, 3000)], [(0, 3000)], (0, 0)),  # both began at once
        ([(0, 9000)], [(2000, 3000), (5000, 6000)], (0, 2)),
    ],
)
def test_who_breaks_in(agent: list[Span], customer: list[Span], expected: tuple[int, int]) -> None:
    found = measured(agent, customer)
    assert (found.agent_interruptions, found.customer_interruptions) == expected


def test_holds_are_no_silence_and_stand_on_the_timeline() -> None:
    found = measured([(0, 2000), (30_000, 31_000)], [(1000, 2500), (40_000, 41_000)], [], [(3000, 29_000)])
    assert (found.holds, found.hold_ms) == (1, 26_000)
    assert found.silence_ms == 500 + 1000 + 9000
    assert found.longest_silence_ms == 9000
    assert found.timeline == (
        Stretch("overtalk", 1000, 2000), Stretch("hold", 3000, 29_000), Stretch("silence", 31_000, 40_000),
    )  # fmt: skip


def test_a_monologue_is_broken_by_a_turn_but_not_by_a_word() -> None:
    found = measured([(0, 5000), (6000, 9000), (12_000, 14_000)], [(5200, 5600), (9500, 11_500)])
    assert found.agent_longest_monologue_ms == 8000
    assert found.customer_longest_monologue_ms == 2000


def test_pace_is_words_while_speaking() -> None:
    found = measure(Talk(spans=[(0, 30_000)], words=80), Talk(spans=[(40_000, 40_500)], words=2))
    assert (found.agent_words_per_minute, found.customer_words_per_minute) == (160, 0)


def test_words_become_stretches_at_pauses() -> None:
    words = [
        records.Word(text="a", start_ms=s, end_ms=e) for s, e in ((0, 300), (400, 900), (1700, 2000), (1900, 1950))
    ]
    assert stretches(words) == ((0, 900), (1700, 2000))


def felt(side: Side, *scores: float) -> list[Felt]:
    return [Felt(side, at * 10_000, at * 10_000 + 4000, score) for at, score in enumerate(scores)]


def test_sentiment_over_a_call() -> None:
    customer = felt("customer", -0.8, -0.6, 0.0, 0.1, 0.7, 0.9)
    both = [*customer, *felt("agent", 0.2)]
    assert mean(both, "customer") == 0.05
    assert thirds(both, "customer") == (-0.7, 0.8)
    assert latest(both, "customer", 2) == [0.7, 0.9]
    assert running(felt("customer", -1.0), "customer") == -1.0
    assert running(felt("customer", -1.0, 1.0), "customer") == -0.4
    points = course(both)
    assert [p.score for p in points if p.side == "customer"] == [-0.8, -0.6, 0.0, 0.1, 0.7, 0.9]
    assert len(course(felt("agent", *([0.1] * 500)))) == 20
    assert course([]) == ()


def test_feelings() -> None:
    scorer = VaderScorer()
    assert label(scorer.score("I am very angry about it.")) == "negative"
    assert label(scorer.score("That is great, thank you!")) == "positive"
    assert label(scorer.score("It is on the table.")) == "neutral"
    assert mean([], "agent") == 0
