"""The checklist of a call: its steps as the rules file has them, ticked by rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Literal

from services.insights.domain.call import CallRow
from services.insights.domain.outputs import Learned, Outputs, StepState
from services.insights.domain.rules import Rule, RuleBook, applies


def tick(
    row: CallRow, step: str, status: Literal["done", "missed"], now: datetime, at_ms: int, book: RuleBook, *,
    utterance_id: str = "", rule: Rule,
) -> CallRow:  # fmt: skip
    """The row with the step taken or missed. What is done stays so; the earliest utterance that did it counts."""
    before = next((state for state in row.steps if state.name == step), None)
    if before is not None and before.status == "done" and (status == "missed" or (before.at_ms or 0) <= at_ms):
        return row
    if before is not None and before.status == status == "missed":
        return row
    title = next((known.title for known in book.steps if known.name == step), step)
    state = StepState(
        name=step, title=title, status=status, at=now, at_ms=at_ms, utterance_id=utterance_id, rule=rule.name
    )
    return replace(row, steps=(*(kept for kept in row.steps if kept.name != step), state))


def checklist(row: CallRow, book: RuleBook, groups: frozenset[str]) -> tuple[StepState, ...]:
    """Every step that applies to the call by now, in the file's order."""
    fired = {each.name for each in row.rules_fired}
    states = {state.name: state for state in row.steps}
    return tuple(
        states.get(step.name, StepState(name=step.name, title=step.title))
        for step in book.steps
        if step.name in states or (applies(step.groups, groups) and (not step.after or step.after in fired))
    )


def tell_checklist(
    row: CallRow, now: datetime, book: RuleBook, groups: frozenset[str], cause: str
) -> tuple[CallRow, Outputs]:
    """The whole list, when it is not as it was last told."""
    steps = checklist(row, book, groups)
    stands = tuple(f"{step.name} {step.status}" for step in steps)
    if stands == row.checklist_told:
        return row, Outputs()
    learned = Learned(insight_id=f"{row.call_id}/{cause}/checklist", kind="checklist", at=now, checklist=steps)
    return replace(row, checklist_told=stands), Outputs(learned=(learned,))
