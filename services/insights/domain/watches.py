"""Negative rules: words that must be said in time.

Theory of operation. A watch begins with the answer of the call, with the end of a hold, or with the firing of another
rule. It is judged once all that was said in its time is known: when the role that it waits for has begun an utterance
after it (a leg's finals come in order), when the call is summed up, or by a timer, some time after its end, since
nobody may speak any more. An utterance counts that began in time. Speech that is not attributed counts for the agent
and for the customer alike, and a call that was first heard long after the watch began, or that ended before it was
over, is not judged: what was not heard is not held against anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from services.insights.domain.apply_rules import fire
from services.insights.domain.call import CallRow, Fired, Watch, quiet
from services.insights.domain.checklist import tick
from services.insights.domain.inputs import UtteranceSpoken
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.outputs import Outputs
from services.insights.domain.rules import Rule, Spoken, applies

EARLY_MS = 1_500
"""Words may begin that much before the moment from which they count: clocks of events and of media are not one."""


def begin(
    row: CallRow, of: str, cause: str, now: datetime, knowledge: Knowledge, *, from_at: datetime | None = None,
    from_ms: int | None = None,
) -> CallRow:  # fmt: skip
    """The row with watches for the negative rules whose time begins with `of`; each cause begins them once."""
    if cause in row.causes:
        return row
    watches = []
    for rule in knowledge.book.negative(of):
        assert rule.not_said is not None
        began = from_at or now
        due_ms = rule.not_said.within_ms + knowledge.policy.not_said_lag_ms
        watches.append(
            Watch(
                rule=rule.name, cause=cause, from_at=from_at, from_ms=from_ms,
                due_at=max(began + timedelta(milliseconds=due_ms), now),
            )
        )  # fmt: skip
    if not watches:
        return row
    return replace(row, watches=(*row.watches, *watches), causes=(*row.causes, cause))


def answer(row: CallRow, said: UtteranceSpoken, spoken: Spoken, now: datetime, knowledge: Knowledge) -> CallRow:
    """The row with the places where words of negative rules were said, and the steps that they tick."""
    for name in sorted(spoken.negative):
        rule = knowledge.book.by_name[name]
        if rule.role is not None and said.role not in {rule.role, "mixed", "unknown"}:
            continue
        row = replace(row, answers=(*row.answers, Fired(name, said.from_ms)))
        if rule.step:
            row = tick(
                row, rule.step, "done", now, said.from_ms, knowledge.book, utterance_id=said.utterance_id, rule=rule
            )
    return row


def judge_spoken(row: CallRow, said: UtteranceSpoken, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    """Watches that are over, now that the role they wait for was heard after them."""

    def over(watch: Watch, rule: Rule, until_ms: int) -> bool:
        return rule.role is not None and rule.role == said.role and said.from_ms > until_ms

    return _judge(row, now, knowledge, over)


def judge_due(row: CallRow, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    """Watches whose wait is over."""
    if row.heard_from_ms is None and row.ended is None:  # its words are still to come, or it is not heard at all
        later = now + timedelta(milliseconds=knowledge.policy.not_said_lag_ms)
        return replace(row, watches=tuple(replace(w, due_at=max(w.due_at, later)) for w in row.watches)), Outputs()
    return _judge(row, now, knowledge, lambda watch, rule, until_ms: watch.due_at <= now)


def judge_all(row: CallRow, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    """All that are left, when the call is summed up."""
    return _judge(row, now, knowledge, lambda watch, rule, until_ms: True)


def _judge(
    row: CallRow, now: datetime, knowledge: Knowledge, over: Callable[[Watch, Rule, int], bool]
) -> tuple[CallRow, Outputs]:
    outputs = Outputs()
    for watch in row.watches:
        rule = knowledge.book.by_name.get(watch.rule)
        from_ms = watch.from_ms if watch.from_ms is not None else row.media_ms(watch.from_at) if watch.from_at else None
        if rule is None or rule.not_said is None:  # the rules file has it no longer
            row = _without(row, watch)
            continue
        until_ms = (from_ms or 0) + rule.not_said.within_ms
        if not over(watch, rule, until_ms):
            continue
        row = _without(row, watch)
        if from_ms is not None and _missed(row, rule, from_ms, until_ms, knowledge):
            row, more = _miss(row, rule, watch, until_ms, now, knowledge)
            outputs = outputs.and_(more)
    return row, outputs


def _missed(row: CallRow, rule: Rule, from_ms: int, until_ms: int, knowledge: Knowledge) -> bool:
    heard_from = row.heard_from_ms
    if heard_from is None or heard_from > from_ms + knowledge.policy.heard_within_ms:
        return False
    if row.ended is not None and (row.media_ms(row.ended.at) or 0) < until_ms:
        return False
    if not applies(rule.groups, knowledge.groups.of(row.agent_extension_id)):
        return False
    said = any(each.name == rule.name and from_ms - EARLY_MS <= each.at_ms <= until_ms for each in row.answers)
    return not said and not quiet(row.rules_fired, rule.name, until_ms, rule.cool_down_ms)


def _miss(
    row: CallRow, rule: Rule, watch: Watch, until_ms: int, now: datetime, knowledge: Knowledge
) -> tuple[CallRow, Outputs]:
    if rule.step:
        row = tick(row, rule.step, "missed", now, until_ms, knowledge.book, rule=rule)
    return fire(
        row, rule, now, cause=watch.cause, role=rule.role or "unknown", utterance_id="", at_ms=until_ms,
        reason="not_said", knowledge=knowledge, published_at=now,
    )  # fmt: skip


def _without(row: CallRow, watch: Watch) -> CallRow:
    return replace(row, watches=tuple(kept for kept in row.watches if kept is not watch))
