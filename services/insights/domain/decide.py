"""The decisions: `decide(row, input, now)` gives the row as it is afterwards and what is to be said of it.

Theory of operation. Records reach a call from five topics in any order between them, and come again after a
restart. So the row recognises what it has taken in (utterances by leg and start, legs and the end by being there
already, suggestions by id), times of the call are taken from its media clock, and ids derive from their causes:
taking the same record twice changes nothing, and a repeat of what was lost on the way gives the same ids.

A call is summed up once: when its end has come and every leg has all the utterances that the transcriber counted,
or `summary_grace_ms` after its end with what there is. Then the row waits to be forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from services.insights.domain.call import CallRow, Ended, Fired, quiet, take_in
from services.insights.domain.inputs import (
    CallEnded,
    CallNoted,
    Input,
    LegTranscribed,
    SuggestionAccepted,
    TimerDue,
    UtteranceSpoken,
)
from services.insights.domain.outputs import NOTHING, Alerted, Learned, Outputs
from services.insights.domain.policy import Policy
from services.insights.domain.retrieval import Retriever
from services.insights.domain.rules import Rule, matching
from services.insights.domain.sentiment import SentimentScorer, label
from services.insights.domain.suggest import suggest
from services.insights.domain.summary import note_offers, sum_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What decisions draw on besides the row."""

    retriever: Retriever
    scorer: SentimentScorer
    rules: Sequence[Rule] = ()
    policy: Policy


def decide(
    row: CallRow | None, event: Input, now: datetime, *, call_id: str, knowledge: Knowledge
) -> tuple[CallRow | None, Outputs]:
    """The row after the input (None: forget it) and what to publish."""
    policy = knowledge.policy
    if row is None:
        if isinstance(event, SuggestionAccepted | TimerDue):
            return None, NOTHING
        row = CallRow(call_id=call_id)
    outputs = NOTHING
    match event:
        case UtteranceSpoken():
            row, outputs = _listen(row, event, now, knowledge)
        case LegTranscribed():
            leg = row.leg(event.leg_id)
            role = event.role if event.role != "unknown" else leg.role
            row = row.with_leg(replace(leg, role=role, expected=event.utterances, whole=event.whole))
        case CallNoted() | CallEnded():
            row = _note(row, event, now, policy)
        case SuggestionAccepted():
            if event.suggestion_id in row.suggestion_ids and event.suggestion_id not in row.accepted_ids:
                row = replace(row, accepted_ids=(*row.accepted_ids, event.suggestion_id))
        case TimerDue():
            if row.due_at is None or now < row.due_at:
                return row, NOTHING
            if row.ended is None or row.summary is not None:
                return None, NOTHING
            return _close(row, outputs, now, policy)
        case _:
            assert_never(event)
    if row.ended is not None and row.summary is None and row.wholly_transcribed:
        return _close(row, outputs, now, policy)
    if row.ended is None:
        row = replace(row, due_at=now + timedelta(milliseconds=policy.keep_open_ms))
    return row, outputs


def _note(row: CallRow, event: CallNoted | CallEnded, now: datetime, policy: Policy) -> CallRow:
    row = replace(
        row,
        agent_extension_id=event.agent_extension_id or row.agent_extension_id,
        direction=event.direction if event.direction != "unknown" else row.direction,
    )
    if isinstance(event, CallNoted):
        return replace(row, answered_at=row.answered_at or event.answered_at)
    if row.ended is not None:
        return row
    ended = Ended(at=event.ended_at, outcome=event.outcome, duration_ms=event.duration_ms, legs_heard=event.legs_heard)
    started_at = row.answered_at
    if started_at is None and event.duration_ms:
        started_at = event.ended_at - timedelta(milliseconds=event.duration_ms)
    due_at = now + timedelta(milliseconds=policy.summary_grace_ms)
    return replace(row, ended=ended, answered_at=started_at, due_at=due_at)


def _close(row: CallRow, outputs: Outputs, now: datetime, policy: Policy) -> tuple[CallRow, Outputs]:
    summary = sum_up(row, now)
    row = replace(row, summary=summary, due_at=now + timedelta(milliseconds=policy.keep_closed_ms))
    return row, replace(outputs, summary=summary)


def _listen(row: CallRow, said: UtteranceSpoken, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    if row.leg(said.leg_id).has(said.start_ms):
        return row, NOTHING
    policy = knowledge.policy
    row = take_in(row, said)
    suggestion = None
    if said.role == "customer" and row.summary is None:
        row, suggestion = suggest(row, said, knowledge.retriever, policy, now)
    elif said.role == "agent":
        row = note_offers(row, said)
    row, feeling = _feel(row, said, now, knowledge.scorer)
    row, categories, alerts = _apply_rules(row, said, now, knowledge.rules)
    row, dynamics = _share(row, said, now, policy)
    return row, Outputs(
        suggested=(suggestion,) if suggestion else (),
        learned=(feeling, *categories, *dynamics),
        alerted=alerts,
    )


def _feel(row: CallRow, said: UtteranceSpoken, now: datetime, scorer: SentimentScorer) -> tuple[CallRow, Learned]:
    score = round(scorer.score(said.text), 4)
    if said.role == "agent":
        row = replace(row, agent_sentiment=row.agent_sentiment.add(score))
    elif said.role == "customer":
        row = replace(row, customer_sentiment=row.customer_sentiment.add(score))
    return row, Learned(
        insight_id=f"{row.call_id}/{said.utterance_id}/sentiment",
        kind="sentiment",
        at=now,
        utterance_id=said.utterance_id,
        role=said.role,
        sentiment=score,
        label=label(score),
    )


def _apply_rules(
    row: CallRow, said: UtteranceSpoken, now: datetime, rules: Sequence[Rule]
) -> tuple[CallRow, tuple[Learned, ...], tuple[Alerted, ...]]:
    learned, alerts = [], []
    for rule in matching(rules, said.role, said.text):
        if quiet(row.rules_fired, rule.name, said.from_ms, rule.cool_down_ms):
            continue
        cause = f"{row.call_id}/{said.utterance_id}/{rule.name}"
        row = replace(row, rules_fired=(*row.rules_fired, Fired(rule.name, said.from_ms)))
        if rule.category not in row.categories:
            row = replace(row, categories=(*row.categories, rule.category))
        learned.append(
            Learned(
                insight_id=cause, kind="category", at=now, utterance_id=said.utterance_id, role=said.role,
                label=rule.category, rule=rule.name,
            )
        )  # fmt: skip
        if rule.alert is not None:
            row = replace(row, alerts=row.alerts + 1)
            alerts.append(
                Alerted(
                    alert_id=cause, severity=rule.alert, rule=rule.name, category=rule.category, role=said.role,
                    utterance_id=said.utterance_id, agent_extension_id=row.agent_extension_id, at=now,
                )
            )  # fmt: skip
    return row, tuple(learned), tuple(alerts)


def _share(row: CallRow, said: UtteranceSpoken, now: datetime, policy: Policy) -> tuple[CallRow, tuple[Learned, ...]]:
    if said.to_ms - row.dynamics_at_ms < policy.dynamics_every_ms:
        return row, ()
    learned = Learned(
        insight_id=f"{row.call_id}/{said.utterance_id}/dynamics", kind="dynamics", at=now,
        utterance_id=said.utterance_id, role=said.role, dynamics=row.dynamics(),
    )  # fmt: skip
    return replace(row, dynamics_at_ms=said.to_ms), (learned,)
