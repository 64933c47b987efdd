"""The labelled set of forty calls: every alert that it wants, no other, none twice; and the labelled turns' honesty."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime

import pytest

from services.chassis.records import encode
from services.contracts import records, topics
from services.insights.adapters.incoming import READERS
from services.insights.adapters.knowledge_folder import SAMPLE_KNOWLEDGE, read_folder
from services.insights.domain.text import STOP_WORDS, words
from tests.bench.assist.labelled_turns import labelled_turns
from tests.support.insights_call import Call
from tests.support.rule_calls import Record, RuleCall, rule_calls

EPOCH = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CALLS = rule_calls(EPOCH)
TOPICS = {
    records.Utterance: topics.TRANSCRIPTS_FINAL, records.CallLifecycle: topics.CALLS_LIFECYCLE,
    records.TranscriptLeg: topics.TRANSCRIPTS_LEGS,
}  # fmt: skip


def play(call: Call, found: list[Record]) -> Call:
    for record in found:
        _, event = READERS[TOPICS[type(record)].name](encode(record))
        assert event is not None
        call.take(event)
    return call


@pytest.mark.parametrize("labelled", CALLS, ids=lambda labelled: labelled.call_id)
def test_the_labelled_calls_alert_as_wanted_and_a_replay_adds_nothing(labelled: RuleCall) -> None:
    call = play(Call(), list(labelled.records))
    assert sorted((a.rule, a.at_ms / 1000) for a in call.alerted) == sorted(labelled.alerts)
    assert len(call.summaries) == 1
    play(call, list(labelled.records))
    assert len({a.alert_id for a in call.alerted}) == len(call.alerted) == len(labelled.alerts)


@pytest.mark.parametrize("labelled", CALLS, ids=lambda labelled: labelled.call_id)
def test_alerts_are_the_same_in_whatever_order_the_topics_come(labelled: RuleCall) -> None:
    order = random.Random(labelled.call_id)
    queues = {kind: [r for r in labelled.records if type(r) is kind] for kind in TOPICS}
    mixed: list[Record] = []
    while any(queues.values()):
        kind = order.choice([kind for kind, queue in queues.items() if queue])
        mixed.append(queues[kind].pop(0))
    call = play(Call(), mixed)
    assert Counter(a.rule for a in call.alerted) == Counter(rule for rule, _ in labelled.alerts)


def test_the_labelled_sets_are_as_large_as_they_should_be() -> None:
    turns = labelled_turns()
    assert len(CALLS) == 40
    for part in ("tuning", "held_out"):
        assert sum(turn.article is not None for turn in turns if turn.part == part) >= 40
        assert sum(turn.article is None for turn in turns if turn.part == part) >= 60
    assert len({turn.text for turn in turns}) == len(turns)


def test_no_labelled_turn_is_copied_from_the_articles() -> None:
    """No five words in a row that stand in an article or among its questions, three of them telling."""
    written = set()
    for passage in read_folder(SAMPLE_KNOWLEDGE):
        for text in (passage.title, passage.section, passage.text, passage.lead, *passage.questions):
            found = words(text)
            written |= {found[at : at + 5] for at in range(len(found) - 4)}
    for turn in labelled_turns():
        said = words(turn.text)
        copied = [said[at : at + 5] for at in range(len(said) - 4) if said[at : at + 5] in written]
        assert not [run for run in copied if sum(word not in STOP_WORDS for word in run) >= 3], turn.text
