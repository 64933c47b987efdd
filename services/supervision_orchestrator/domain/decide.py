"""The call's state machine: `decide(state, event, now, floor) -> (state, effects)`.

Rules that hold whatever comes in whatever order, however often:

* a call is eligible once a monitored agent's party is seen in it; from then on it gets exactly one terminal record
* at most one unanswered supervise request a target, and none while a leg of it stands
* no request after the terminal record, none before a reading of the session, none outside the groups
* nothing here ends a session or drops a party
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from services.supervision_orchestrator.domain.call import CallState, Phase
from services.supervision_orchestrator.domain.coverage import outcome_of
from services.supervision_orchestrator.domain.effects import Effect, Forget, PublishFact, PublishSnapshot
from services.supervision_orchestrator.domain.floor import Floor
from services.supervision_orchestrator.domain.inputs import (
    ConsentTold,
    Input,
    LegDown,
    LegGap,
    LegInvited,
    LegUp,
    LetIn,
    PeerFollowed,
    ReadFailed,
    SessionGone,
    SessionRead,
    SuperviseAccepted,
    SuperviseRefused,
    TelephonyPartyChanged,
    TimerDue,
)
from services.supervision_orchestrator.domain.parties import on_party
from services.supervision_orchestrator.domain.plan import give_up_reading, on_followed, on_let_in, on_read, read_if_due
from services.supervision_orchestrator.domain.snapshot import snapshot_of
from services.supervision_orchestrator.domain.stages import CALL_TRANSITIONS, Happening
from services.supervision_orchestrator.domain.targets import note_answer, on_accepted, on_leg, on_refused, time_out
from services.supervision_orchestrator.domain.turn import Turn


def decide(state: CallState, event: Input, now: datetime, floor: Floor) -> tuple[CallState, tuple[Effect, ...]]:
    """Take one input. An unchanged state and no effects mean that it told nothing new."""
    if state.over:
        if isinstance(event, SessionRead | SessionGone | ReadFailed | SuperviseAccepted | SuperviseRefused):
            turn = Turn(state, now, floor)
            note_answer(turn, event)
            return turn.state, ()
        done = state.forget_due is not None and state.forget_due <= now
        return state, ((Forget(),) if done else ())
    turn = Turn(state, now, floor)
    if isinstance(event, SessionRead | SessionGone | ReadFailed | SuperviseAccepted | SuperviseRefused):
        note_answer(turn, event)
    match event:
        case TelephonyPartyChanged():
            on_party(turn, event)
        case SessionRead() | SessionGone() | ReadFailed():
            on_read(turn, event)
        case SuperviseAccepted():
            on_accepted(turn, event)
        case SuperviseRefused():
            on_refused(turn, event)
        case LegInvited() | LegUp() | LegGap() | LegDown():
            on_leg(turn, event)
        case LetIn():
            on_let_in(turn)
        case ConsentTold():
            turn.set(consent="given" if event.given else "withdrawn")
            on_let_in(turn)
        case PeerFollowed():
            on_followed(turn)
        case TimerDue():
            pass
        case _:
            assert_never(event)
    if turn.state.started_at is None:
        return _not_eligible(turn, state)
    _advance(turn)
    if snapshot_of(turn.state) != snapshot_of(state) or turn.state.over:
        turn.set(revision=turn.state.revision + 1)
        turn.effects.append(PublishSnapshot())
    return turn.state, tuple(turn.effects)


def _not_eligible(turn: Turn, before: CallState) -> tuple[CallState, tuple[Effect, ...]]:
    """Nobody monitored is known in it: nothing is kept, unless a transfer led here and a reading is to tell."""
    state = turn.state
    if not state.followed:
        return (state, (Forget(),)) if before.followed else (before, ())
    read_if_due(turn)
    return turn.state, tuple(turn.effects)


def _advance(turn: Turn) -> None:
    """What the time and the new state call for, whatever the input was."""
    time_out(turn)
    state = turn.state
    if state.close_due is None:
        read_if_due(turn)
        return
    if state.monitored_present():
        turn.set(close_due=None)
        read_if_due(turn)
        return
    if _nothing_more_can_come(state) or (state.close_due <= turn.now and _surely_over(state)):
        _close(turn)
    elif state.close_due <= turn.now:
        _confirm_end(turn)
    elif not state.reading or (state.read_due is not None and state.read_due <= turn.now):
        give_up_reading(turn)
        turn.set(read_due=None)


def _nothing_more_can_come(state: CallState) -> bool:
    """All legs that were heard are down already, so the account is complete before the timer."""
    heard = state.answered_at is not None and bool(state.spans)
    idle = all(not t.legs and t.reply_due is None for t in state.targets)
    return heard and idle and _surely_over(state)


def _surely_over(state: CallState) -> bool:
    """Whether the monitored part of the call has ended for good.

    An agent who answered and hung up has; one who never answered, or who passed the call on, may be followed by the
    next: only the session's status can tell.
    """
    others_gone = not state.participants() and state.customer_party_id != ""
    return state.session_gone or others_gone or (state.answered_at is not None and not state.left_by_transfer)


def _confirm_end(turn: Turn) -> None:
    """Ask whether the session goes on without a monitored agent; if it does, look again later."""
    state = turn.state
    if state.reading:
        if state.read_due is not None and state.read_due <= turn.now:
            give_up_reading(turn)
            turn.set(read_due=None, close_due=turn.in_ms(turn.policy.retry_max_ms))
        return
    turn.set(read_due=turn.now)
    read_if_due(turn)
    turn.set(close_due=turn.state.read_due)


def _close(turn: Turn) -> None:
    """The one terminal record."""
    state = turn.state
    ended_at = state.ended_at or turn.now
    outcome = outcome_of(state, ended_at, turn.policy)
    give_up_reading(turn)
    for target in state.targets:
        if target.reply_due is not None:
            turn.answered(state.supervisor, turn.now)
    for target in state.targets:
        if target.attempt:
            leg_id = target.legs[-1].leg_id if target.legs else ""
            turn.step("ended", target, at=ended_at, leg_id=leg_id, reason="call_ended", cause="ended")
    turn.effects.append(PublishFact(type="ended", at=ended_at, cause="", outcome=outcome))
    turn.set(
        stage=CALL_TRANSITIONS[state.stage, Happening.ACCOUNTED].stage,
        waiting="",
        booked_legs=0,
        over=True,
        ended_at=ended_at,
        parties=(),
        targets=tuple(replace(t, phase=Phase.RELEASED, legs=(), due=None, reply_due=None) for t in state.targets),
        spans=(),
        closed_legs=(),
        reading=False,
        read_due=None,
        close_due=None,
        forget_due=turn.in_ms(turn.policy.forget_ms),
    )
