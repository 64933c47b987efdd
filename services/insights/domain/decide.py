"""The decisions: `decide(row, input, now)` gives the row as it is afterwards and what is to be said of it.

Theory of operation. Records reach a call from five topics in any order between them, and come again after a
restart. So the row recognises what it has taken in (utterances by leg and start, legs and the end by being there
already, suggestions and watches by id), times of the call are taken from its media clock, and ids derive from their
causes: taking the same record twice changes nothing, and a repeat of what was lost on the way gives the same ids.

A call is summed up once: when its end has come and every leg has all the utterances that the transcriber counted,
or `summary_grace_ms` after its end with what there is. Then the row waits to be forgotten.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from services.insights.domain import watches
from services.insights.domain.apply_rules import on_dynamics, on_utterance
from services.insights.domain.call import CallRow, Ended, Hold, Said, take_in
from services.insights.domain.checklist import tell_checklist
from services.insights.domain.digest import note_agent, note_customer
from services.insights.domain.inputs import (
    CallEnded,
    CallNoted,
    FeedbackGiven,
    HandedOn,
    Input,
    LegTranscribed,
    TimerDue,
    UtteranceSpoken,
    Written,
)
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.outputs import NOTHING, Learned, Outputs
from services.insights.domain.sentiment import SIDES, Felt, label, running
from services.insights.domain.suggest import suggest
from services.insights.domain.summing import hand_on, sum_up, take_over, tell_so_far
from services.insights.domain.writing import ask_for_summary, take_reply, take_time


def decide(
    row: CallRow | None, event: Input, now: datetime, *, call_id: str, knowledge: Knowledge
) -> tuple[CallRow | None, Outputs]:
    """The row after the input (None: forget it) and what to publish."""
    policy = knowledge.policy
    if row is None:
        if isinstance(event, FeedbackGiven | TimerDue | Written):
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
        case CallNoted():
            row, outputs = _note(row, event, now, knowledge)
        case CallEnded():
            row = _end(row, event, now, knowledge)
        case FeedbackGiven():
            return _feed_back(row, event)
        case HandedOn():
            row, outputs = take_over(row, event.from_call_id, event.digest, now)
        case Written():
            return take_reply(row, event, now)
        case TimerDue():
            return _look(row, now, knowledge)
        case _:
            assert_never(event)
    if row.ended is not None and not row.summed_up and row.wholly_transcribed:
        return _close(row, outputs, now, knowledge)
    if row.ended is None:
        row = replace(row, looks_at=now + timedelta(milliseconds=policy.keep_open_ms))
    return row, outputs


def _look(row: CallRow, now: datetime, knowledge: Knowledge) -> tuple[CallRow | None, Outputs]:
    """What the moment brings: a negative rule's time is up, a model's is, the call is closed or forgotten."""
    if row.due_at is None or now < row.due_at:
        return row, NOTHING
    due_at = row.due_at.isoformat()
    row, outputs = watches.judge_due(row, now, knowledge)
    row, told = _tell_steps(row, now, knowledge, due_at)
    row, written = take_time(row, now)
    outputs = outputs.and_(told).and_(written)
    if row.looks_at is None or now < row.looks_at:
        return row, outputs
    if row.ended is None or row.summed_up:
        return None, outputs
    return _close(row, outputs, now, knowledge)


def _note(row: CallRow, event: CallNoted, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    row = replace(
        row,
        agent_extension_id=event.agent_extension_id or row.agent_extension_id,
        direction=event.direction if event.direction != "unknown" else row.direction,
    )
    moment = event.at.isoformat()
    match event.what:
        case "answered":
            row = replace(row, answered_at=row.answered_at or event.at)
            row = watches.begin(row, "answer", "answer", now, knowledge, from_at=row.answered_at)
        case "held":
            if not any(hold.to is None or hold.since >= event.at for hold in row.holds):
                row = replace(row, holds=(*row.holds, Hold(event.at)))
        case "resumed":
            held = next((hold for hold in row.holds if hold.to is None and hold.since <= event.at), None)
            if held is not None:
                row = replace(row, holds=(*(h for h in row.holds if h is not held), Hold(held.since, event.at)))
                row = watches.begin(row, "hold_end", f"hold_end@{moment}", now, knowledge, from_at=event.at)
        case "transferred":
            return hand_on(row, event.peer_call_id, now, f"transferred@{moment}")
        case "started" | "conferenced":
            pass
        case _:
            assert_never(event.what)
    return row, NOTHING


def _end(row: CallRow, event: CallEnded, now: datetime, knowledge: Knowledge) -> CallRow:
    row = replace(
        row,
        agent_extension_id=event.agent_extension_id or row.agent_extension_id,
        direction=event.direction if event.direction != "unknown" else row.direction,
    )
    if row.ended is not None:
        return row
    ended = Ended(at=event.ended_at, outcome=event.outcome, duration_ms=event.duration_ms, legs_heard=event.legs_heard)
    started_at = row.answered_at
    if started_at is None and event.duration_ms:
        started_at = event.ended_at - timedelta(milliseconds=event.duration_ms)
        row = watches.begin(row, "answer", "answer", now, knowledge, from_at=started_at)
    holds = tuple(hold if hold.to else Hold(hold.since, event.ended_at) for hold in row.holds)
    looks_at = now + timedelta(milliseconds=knowledge.policy.summary_grace_ms)
    return replace(row, ended=ended, answered_at=started_at, holds=holds, looks_at=looks_at)


def _feed_back(row: CallRow, event: FeedbackGiven) -> tuple[CallRow, Outputs]:
    """Each suggestion is shown at most once, and accepted or dismissed once; accepting outweighs dismissing."""
    before = next((made for made in row.made if made.suggestion_id == event.suggestion_id), None)
    if before is None:
        return row, NOTHING
    after = replace(before, shown=True)
    if event.action == "accepted" and before.outcome != "accepted":
        after = replace(after, outcome="accepted", reason="")
    elif event.action == "dismissed" and not before.outcome:
        after = replace(after, outcome="dismissed", reason=event.reason)
    if after == before or (event.action != "shown" and after.outcome == before.outcome):
        return row, NOTHING
    row = replace(row, made=tuple(after if made is before else made for made in row.made))
    return row, Outputs(feedback=((before.kind, before.source, event.action),))


def _close(row: CallRow, outputs: Outputs, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    row, judged = watches.judge_all(row, now, knowledge)
    row, ruled = on_dynamics(row, row.dynamics(), now, knowledge)
    row, told = _tell_steps(row, now, knowledge, "end")
    row = replace(row, summed_up=True, looks_at=now + timedelta(milliseconds=knowledge.policy.keep_closed_ms))
    row, summed_up = ask_for_summary(row, sum_up(row, now, knowledge), now, knowledge.policy)
    return row, outputs.and_(judged).and_(ruled).and_(told).and_(summed_up)


def _tell_steps(row: CallRow, now: datetime, knowledge: Knowledge, cause: str) -> tuple[CallRow, Outputs]:
    """The checklist as it stands now, once the call has been heard."""
    if row.heard_from_ms is None:
        return row, NOTHING
    return tell_checklist(row, now, knowledge.book, knowledge.groups.of(row.agent_extension_id), cause)


def _listen(row: CallRow, said: UtteranceSpoken, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    if said.start_ms in row.leg(said.leg_id).starts:
        return row, NOTHING
    policy, book = knowledge.policy, knowledge.book
    row = take_in(row, said)
    row, outputs = _help(row, said, now, knowledge)
    row, feeling = _feel(row, said, now, knowledge)
    outputs = outputs.and_(feeling)
    spoken = book.spoken(said.text)
    row, ruled, fired = on_utterance(row, said, spoken, now, knowledge)
    row = watches.answer(row, said, spoken, now, knowledge)
    for rule in fired:
        row = watches.begin(row, rule.name, f"{said.utterance_id}/{rule.name}", now, knowledge, from_ms=said.from_ms)
    row, judged = watches.judge_spoken(row, said, now, knowledge)
    row, shared = _share(row, said, now, knowledge)
    row, told = _tell_steps(row, now, knowledge, said.utterance_id)
    row, so_far = tell_so_far(row, now, said.utterance_id, policy.digest_every_ms)
    for more in (ruled, judged, shared, told, so_far):
        outputs = outputs.and_(more)
    return row, outputs


def _help(row: CallRow, said: UtteranceSpoken, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    """Suggestions to the customer's words; what both sides say is noted for the summary."""
    if said.role == "agent":
        last = Said(utterance_id=said.utterance_id, from_ms=said.from_ms, to_ms=said.to_ms, text=said.text)
        notes = note_agent(row.notes, said.utterance_id, said.from_ms, said.text)
        return replace(row, last_agent=last, notes=notes), NOTHING
    if said.role != "customer":
        return row, NOTHING
    row = replace(row, notes=note_customer(row.notes, said.utterance_id, said.from_ms, said.text))
    return (row, NOTHING) if row.summed_up else suggest(row, said, knowledge.retriever, knowledge.policy, now)


def _feel(row: CallRow, said: UtteranceSpoken, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    score = round(knowledge.scorer.score(said.text), 4)
    side = next((side for side in SIDES if side == said.role), None)
    if side is not None:
        row = replace(row, felt=(*row.felt, Felt(side, said.from_ms, said.to_ms, score)))
    learned = Learned(
        insight_id=f"{row.call_id}/{said.utterance_id}/sentiment",
        kind="sentiment",
        at=now,
        utterance_id=said.utterance_id,
        role=said.role,
        start_ms=said.from_ms,
        end_ms=said.to_ms,
        sentiment=score,
        running=running(row.felt, side) if side else score,
        label=label(score),
    )
    return row, Outputs(learned=(learned,))


def _share(row: CallRow, said: UtteranceSpoken, now: datetime, knowledge: Knowledge) -> tuple[CallRow, Outputs]:
    if said.to_ms - row.dynamics_at_ms < knowledge.policy.dynamics_every_ms:
        return row, NOTHING
    dynamics = row.dynamics()
    row, ruled = on_dynamics(replace(row, dynamics_at_ms=said.to_ms), dynamics, now, knowledge)
    learned = Learned(
        insight_id=f"{row.call_id}/{said.utterance_id}/dynamics", kind="dynamics", at=now,
        utterance_id=said.utterance_id, role=said.role, start_ms=said.from_ms, end_ms=said.to_ms, dynamics=dynamics,
    )  # fmt: skip
    return row, Outputs(learned=(learned,)).and_(ruled)
