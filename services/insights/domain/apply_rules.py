"""Rules on an utterance or on the call's dynamics: what fires, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from services.insights.domain.call import CallRow, Fired, Made, quiet
from services.insights.domain.checklist import tick
from services.insights.domain.dynamics import Dynamics
from services.insights.domain.inputs import Role, UtteranceSpoken
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.outputs import Alerted, Cited, Learned, Outputs, Raised, Suggested
from services.insights.domain.rules import Advice, Rule, Spoken, applies
from services.insights.domain.sentiment import SIDES, latest

Reason = Literal["said", "not_said", "sentiment", "dynamics"]


def on_utterance(
    row: CallRow, said: UtteranceSpoken, spoken: Spoken, now: datetime, knowledge: Knowledge
) -> tuple[CallRow, Outputs, tuple[Rule, ...]]:
    """The row, what to publish, and the rules that fired (negative rules may wait for them)."""
    groups = knowledge.groups.of(row.agent_extension_id)
    outputs, fired = Outputs(), []
    measured: Dynamics | None = None
    for rule in knowledge.book.rules:
        words = rule.words is not None
        if rule.not_said or (words and rule.name not in spoken.rules) or not (words or rule.feeling):
            continue
        if (rule.role and rule.role != said.role) or not applies(rule.groups, groups):
            continue
        if said.from_ms < rule.after_ms or not _felt(row, rule, said.role):
            continue
        if rule.measures:
            measured = measured or row.dynamics()
            if not _measured(rule, measured):
                continue
        if rule.step:
            row = tick(
                row, rule.step, "done", now, said.from_ms, knowledge.book, utterance_id=said.utterance_id, rule=rule
            )
        if quiet(row.rules_fired, rule.name, said.from_ms, rule.cool_down_ms):
            continue
        row, more = fire(
            row, rule, now, cause=said.utterance_id, role=said.role, utterance_id=said.utterance_id, at_ms=said.from_ms,
            reason="said" if words else "sentiment", knowledge=knowledge, published_at=said.published_at,
        )  # fmt: skip
        outputs = outputs.and_(more)
        fired.append(rule)
    return row, outputs, tuple(fired)


def on_dynamics(row: CallRow, dynamics: Dynamics, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    """Rules of dynamics alone, when the call's are looked at."""
    groups = knowledge.groups.of(row.agent_extension_id)
    outputs = Outputs()
    at_ms = row.heard_to_ms
    for rule in knowledge.book.rules:
        alone = rule.measures and rule.words is None and rule.feeling is None
        if not alone or at_ms < rule.after_ms or not applies(rule.groups, groups) or not _measured(rule, dynamics):
            continue
        if quiet(row.rules_fired, rule.name, at_ms, rule.cool_down_ms):
            continue
        row, more = fire(
            row, rule, now, cause=f"{at_ms}", role=rule.role or "unknown", utterance_id="", at_ms=at_ms,
            reason="dynamics", knowledge=knowledge, published_at=now,
        )  # fmt: skip
        outputs = outputs.and_(more)
    return row, outputs


def fire(
    row: CallRow, rule: Rule, now: datetime, *, cause: str, role: Role, utterance_id: str, at_ms: int, reason: Reason,
    knowledge: Knowledge, published_at: datetime,
) -> tuple[CallRow, Outputs]:  # fmt: skip
    """The rule has its say: category, alert, advice. Ids derive from call, rule and cause."""
    row = replace(row, rules_fired=(*row.rules_fired, Fired(rule.name, at_ms)))
    name = f"{row.call_id}/{cause}/{rule.name}"
    outputs = Outputs()
    if rule.category:
        if rule.category not in row.categories:
            row = replace(row, categories=(*row.categories, rule.category))
        learned = Learned(
            insight_id=name, kind="category", at=now, utterance_id=utterance_id, role=role, start_ms=at_ms,
            label=rule.category, rule=rule.name,
        )  # fmt: skip
        outputs = outputs.and_(Outputs(learned=(learned,)))
    if rule.alert is not None:
        raised = Raised(rule=rule.name, category=rule.category, severity=rule.alert, at_ms=at_ms)
        row = replace(row, raised=(*row.raised, raised))
        alerted = Alerted(
            alert_id=name, severity=rule.alert, rule=rule.name, title=rule.title, category=rule.category, role=role,
            utterance_id=utterance_id, agent_extension_id=row.agent_extension_id, reason=reason, at_ms=at_ms, at=now,
        )  # fmt: skip
        outputs = outputs.and_(Outputs(alerted=(alerted,)))
    if rule.advice is not None and not row.summed_up:
        utterances = (utterance_id,) if utterance_id else ()
        suggestion = _advise(name, rule, rule.advice, utterances, at_ms, now, published_at, knowledge)
        made = Made(suggestion_id=name, kind="rule", source=rule.name, title=rule.advice.title)
        row = replace(row, made=(*row.made, made))
        outputs = outputs.and_(Outputs(suggested=(suggestion,)))
    return row, outputs


def _advise(
    name: str, rule: Rule, advice: Advice, utterances: tuple[str, ...], at_ms: int, now: datetime,
    published_at: datetime, knowledge: Knowledge,
) -> Suggested:  # fmt: skip
    cited = Cited(source=rule.name, title=advice.title, section="", passage=advice.text, url=advice.url)
    return Suggested(
        suggestion_id=name, kind="rule", source=rule.name, title=advice.title, text=advice.text, confidence=1.0,
        cited=(cited,), utterance_ids=utterances, at_ms=at_ms, created_at=now,
        expires_at=now + timedelta(milliseconds=knowledge.policy.suggestion_life_ms), published_at=published_at,
    )  # fmt: skip


def _felt(row: CallRow, rule: Rule, role: Role) -> bool:
    if rule.feeling is None:
        return True
    side = next((side for side in SIDES if side == role), None)
    scores = latest(row.felt, side, rule.feeling.over) if side else []
    return len(scores) == rule.feeling.over and rule.feeling.bounds.hold(sum(scores) / len(scores))


def _measured(rule: Rule, dynamics: Dynamics) -> bool:
    return all(m.bounds.hold(getattr(dynamics, m.field) * m.scale) for m in rule.measures)
