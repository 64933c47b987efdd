"""Getting one target's audio: ask, invite, first RTP; again after whatever goes wrong, while the call lives.

`TRANSITIONS` is the whole machine. A signal that has no entry for the phase changes nothing: it is late or repeated.

    wanted ──ask──► requested ──accept──► accepted ──invite──► invited ──media──► up
      ▲                 │ retryable           │ timeout            │ timeout, down  │ down
      └─────────────────┴─────────────────────┴────────────────────┴────────────────┘

The INVITE may come before the reply, and may come after we gave up on it: a leg is the truth whatever the reply says.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from services.supervision_orchestrator.domain.call import ACTIVE, OpenLeg, Phase, Span, Target
from services.supervision_orchestrator.domain.effects import Role
from services.supervision_orchestrator.domain.inputs import (
    Leg,
    LegDown,
    LegGap,
    LegInvited,
    LegUp,
    ReadFailed,
    Reply,
    SuperviseAccepted,
    SuperviseRefused,
)
from services.supervision_orchestrator.domain.policy import Policy, after, elapsed_ms
from services.supervision_orchestrator.domain.turn import Turn


class Signal(StrEnum):
    """What moves a target."""

    ASK = "ask"
    ACCEPT = "accept"
    RETRYABLE = "retryable"
    REFUSE = "refuse"
    INVITE = "invite"
    MEDIA = "media"
    DOWN = "down"
    TIMEOUT = "timeout"
    RELEASE = "release"


TRANSITIONS: dict[tuple[Phase, Signal], Phase] = {
    (Phase.WANTED, Signal.ASK): Phase.REQUESTED,
    (Phase.WANTED, Signal.INVITE): Phase.INVITED,
    (Phase.WANTED, Signal.MEDIA): Phase.UP,
    (Phase.REQUESTED, Signal.ACCEPT): Phase.ACCEPTED,
    (Phase.REQUESTED, Signal.RETRYABLE): Phase.WANTED,
    (Phase.REQUESTED, Signal.REFUSE): Phase.REFUSED,
    (Phase.REQUESTED, Signal.INVITE): Phase.INVITED,
    (Phase.REQUESTED, Signal.MEDIA): Phase.UP,
    (Phase.REQUESTED, Signal.TIMEOUT): Phase.WANTED,
    (Phase.ACCEPTED, Signal.INVITE): Phase.INVITED,
    (Phase.ACCEPTED, Signal.MEDIA): Phase.UP,
    (Phase.ACCEPTED, Signal.TIMEOUT): Phase.WANTED,
    (Phase.INVITED, Signal.MEDIA): Phase.UP,
    (Phase.INVITED, Signal.DOWN): Phase.WANTED,
    (Phase.INVITED, Signal.TIMEOUT): Phase.WANTED,
    (Phase.UP, Signal.DOWN): Phase.WANTED,
    (Phase.REFUSED, Signal.INVITE): Phase.INVITED,
    (Phase.REFUSED, Signal.MEDIA): Phase.UP,
    **{(phase, Signal.RELEASE): Phase.RELEASED for phase in Phase if phase is not Phase.RELEASED},
}
TIMEOUT_REASON = {Phase.REQUESTED: "no_reply", Phase.ACCEPTED: "no_invite", Phase.INVITED: "no_rtp"}


ANOTHER_GROUP = "another_group"
"""Why a call waits whose legs are with a supervisor who may not listen to the agent that it has come to."""
OF_THE_IDENTITY = frozenset({401, 429})
"""Refusals that are about who asks, not about what is asked: another identity need not care."""


def silence_ms(refused: SuperviseRefused | ReadFailed, policy: Policy) -> int:
    """How long the identity sends nothing after the refusal; 0: it may go on."""
    if refused.status == 429:
        return refused.retry_after_ms
    return max(refused.retry_after_ms, policy.queue_ms) if refused.status == 401 else 0


def note_answer(turn: Turn, reply: Reply) -> None:
    """Late or not, the request was made, and its penalty holds."""
    state = turn.state
    asked_by = reply.supervisor or (
        state.supervisor if isinstance(reply, SuperviseAccepted | SuperviseRefused) else state.reader
    )
    penalty_ms = silence_ms(reply, turn.policy) if isinstance(reply, ReadFailed | SuperviseRefused) else 0
    turn.answered(asked_by, reply.at, retry_after_ms=penalty_ms)


def move(turn: Turn, target: Target, signal: Signal) -> Target | None:
    """The target in its next phase with that phase's wait set, stored; None when the signal means nothing now."""
    phase = TRANSITIONS.get((target.phase, signal))
    if phase is None:
        return None
    waits = {
        Phase.REQUESTED: turn.policy.reply_timeout_ms,
        Phase.ACCEPTED: turn.policy.invite_timeout_ms,
        Phase.INVITED: turn.policy.rtp_timeout_ms,
    }
    due = turn.in_ms(waits[phase]) if phase in waits else None
    moved = replace(target, phase=phase, due=due)
    turn.put_target(moved)
    return moved


def may_ask(target: Target, now: datetime) -> bool:
    """Whether the target wants asking now: its wait is over and no request of it is unanswered."""
    return (
        target.phase is Phase.WANTED and target.reply_due is None and target.due is not None and target.due <= now
    )  # fmt: skip


def revive(turn: Turn, target: Target) -> None:
    """A released target is wanted again, or stands as it stood when its legs were kept."""
    phase = Phase.WANTED
    if target.legs:
        phase = Phase.UP if any(leg.up_at is not None for leg in target.legs) else Phase.INVITED
    due = turn.in_ms(turn.policy.rtp_timeout_ms) if phase is Phase.INVITED else turn.now
    turn.put_target(replace(target, phase=phase, failures=0, due=due if phase is not Phase.UP else None))


def recast(turn: Turn, target: Target, role: Role) -> None:
    """The same party in another role, such as the colleague who takes the call over: the account is split there."""
    spans = [
        Span(role=target.role, start=leg.up_at, end=max(turn.now, leg.up_at), gap_ms=leg.gap_ms)
        for leg in target.legs
        if leg.up_at is not None
    ]
    legs = tuple(replace(k, up_at=k.up_at and max(turn.now, k.up_at), gap_ms=0) for k in target.legs)
    turn.set(spans=(*turn.state.spans, *spans))
    recast_ = replace(target, role=role, legs=legs)
    turn.put_target(recast_)
    if target.phase is not Phase.RELEASED:
        turn.step("retrying", recast_, reason="role_changed", cause=f"role.{role}")


def ask(turn: Turn, target: Target, device_id: str) -> Target:
    """Reserve: from here to the reply nobody else asks for this target."""
    asked = move(turn, target, Signal.ASK)
    assert asked is not None, "only a wanted target is asked for"
    reserved = replace(
        asked,
        attempt=target.attempt + 1,
        reply_due=asked.due,
        leg_seen=False,
        device_id=device_id,
        supervisor_party_id="",
    )
    turn.put_target(reserved)
    turn.step("requested", reserved)
    return reserved


def retry(
    turn: Turn, target: Target, reason: str, *, detail: str = "", at_least_ms: int = 0, cause: str = "",
    is_failure: bool = True,
) -> None:  # fmt: skip
    """Want the target again after its back-off. Not every reason is a failure: a BYE may be the call's own end."""
    failures = target.failures + 1
    due = turn.in_ms(max(turn.policy.backoff_ms(failures), at_least_ms))
    again = replace(target, phase=Phase.WANTED, failures=failures, due=due)
    turn.put_target(again)
    if is_failure:
        turn.fail(reason, detail)
    turn.step("retrying", again, reason=detail or reason, cause=cause or f"{reason}.{failures}")


def on_accepted(turn: Turn, reply: SuperviseAccepted) -> None:
    """The request was taken; audio is still to come."""
    target = _answered(turn, reply)
    if target is None:
        return
    target = replace(target, supervisor_party_id=reply.supervisor_party_id)
    turn.put_target(target)
    turn.step("accepted", target, at=reply.at)
    if not target.leg_seen:
        move(turn, target, Signal.ACCEPT)


def on_refused(turn: Turn, reply: SuperviseRefused) -> None:
    """The request was refused or lost. A leg that came anyway stands."""
    target = _answered(turn, reply)
    if target is None or target.leg_seen:
        return
    detail = f"{reply.status}_{reply.error_code}".strip("_") if reply.status else "no_reply"
    reason = "rate_limited" if reply.status == 429 else "error" if reply.status in {0, *range(500, 600)} else "refused"
    if reply.retryable:
        if target.phase is Phase.REQUESTED:
            # A penalty closes the identity, not the call: another one may take it unless something of it stands.
            at_least_ms = 0 if reply.status in OF_THE_IDENTITY else reply.retry_after_ms
            retry(turn, target, reason, detail=detail, at_least_ms=at_least_ms)
        return
    refused = move(turn, target, Signal.REFUSE)
    if refused is not None:
        turn.fail("refused", detail)
        turn.step("failed", refused, at=reply.at, reason=detail)


def on_leg(turn: Turn, leg: Leg) -> None:
    """The gateway tells of a leg; repeated and late tellings change nothing."""
    if leg.leg_id in turn.state.closed_legs:
        return
    target = _target_of(turn, leg)
    if target is None:
        return
    known = next((k for k in target.legs if k.leg_id == leg.leg_id), None)
    match leg:
        case LegInvited():
            if known is None:
                _add(turn, target, OpenLeg(leg_id=leg.leg_id), Signal.INVITE, leg)
        case LegUp():
            if known is None or known.up_at is None:
                _add(turn, target, OpenLeg(leg_id=leg.leg_id, up_at=leg.at), Signal.MEDIA, leg)
        case LegGap():
            if known is not None and leg.media_time_ms > known.gap_media_time_ms:
                more = replace(known, gap_ms=known.gap_ms + leg.gap_ms, gap_media_time_ms=leg.media_time_ms)
                turn.put_target(replace(target, legs=_with(target.legs, more)))
        case LegDown():
            _down(turn, target, known, leg)


def time_out(turn: Turn) -> None:
    """Act on targets whose wait is over; those that want asking are left to the plan, which reads the session first."""
    for target in turn.state.targets:
        if target.phase is Phase.RELEASED:
            continue
        if target.reply_due is not None and target.reply_due <= turn.now:
            target = replace(target, reply_due=None)
            turn.put_target(target)
            turn.answered(turn.state.supervisor, turn.now)
        if target.phase in TIMEOUT_REASON and target.due is not None and target.due <= turn.now:
            retry(turn, replace(target, legs=()), TIMEOUT_REASON[target.phase])


def release(turn: Turn, target: Target) -> None:
    """The target's party is no longer ours to hear: never ask again. Legs that still stand are accounted for."""
    move(turn, target, Signal.RELEASE)


def give_over(turn: Turn) -> None:
    """Have the gateway hang up what stands, because RingCentral takes one supervisor a call."""
    for target in turn.state.targets:
        for leg in target.legs:
            turn.step("ended", target, leg_id=leg.leg_id, reason="superseded", cause=leg.leg_id)


def _answered(turn: Turn, reply: SuperviseAccepted | SuperviseRefused) -> Target | None:
    """The target with its request answered; None when this answer is not the one awaited."""
    target = turn.state.target(reply.party_id)
    if target is None or target.attempt != reply.attempt or target.reply_due is None:
        return None
    answered = replace(target, reply_due=None)
    turn.put_target(answered)
    return answered


def _target_of(turn: Turn, leg: Leg) -> Target | None:
    """Whose leg it is: known leg, monitored party, our own party, the session's, or the only one that waits."""
    targets = turn.state.targets
    for found in (
        [t for t in targets if any(k.leg_id == leg.leg_id for k in t.legs)],
        [t for t in targets if leg.role == "mixed" and not t.party_id],
        [t for t in targets if leg.party_id and t.party_id == leg.party_id],
        [t for t in targets if leg.supervisor_party_id and t.supervisor_party_id == leg.supervisor_party_id],
        [t for t in targets if not t.party_id and t.phase in ACTIVE],
        [t for t in targets if not leg.party_id and t.phase in ACTIVE and not t.legs],
    ):
        if len(found) == 1:
            return found[0]
    return None


def _add(turn: Turn, target: Target, opened: OpenLeg, signal: Signal, leg: Leg) -> None:
    first_audio = signal is Signal.MEDIA and not target.ever_up
    target = replace(
        target,
        legs=_with(target.legs, opened),
        leg_seen=True,
        supervisor_party_id=leg.supervisor_party_id or target.supervisor_party_id,
        ever_up=target.ever_up or signal is Signal.MEDIA,
    )
    turn.put_target(target)
    target = move(turn, target, signal) or target
    if signal is Signal.INVITE:
        turn.step("invite_received", target, at=leg.at, leg_id=leg.leg_id, cause=leg.leg_id)
        return
    answered_at = turn.state.answered_at
    waited_ms = elapsed_ms(answered_at, leg.at) if first_audio and answered_at is not None else None
    turn.step("media_up", target, at=leg.at, leg_id=leg.leg_id, cause=leg.leg_id, waited_ms=waited_ms)
    _supersede_session(turn)


def _supersede_session(turn: Turn) -> None:
    """After a conference, once each of the two is heard by itself, the mixed leg is not needed: the gateway ends it."""
    session = turn.state.target("")
    parties = [t for t in turn.state.targets if t.party_id and t.phase is not Phase.RELEASED]
    if session is None or session.phase is not Phase.RELEASED or turn.state.mode != "party":
        return
    if len(parties) == 2 and all(t.phase is Phase.UP for t in parties):
        for leg in session.legs:
            turn.step("ended", session, leg_id=leg.leg_id, reason="superseded", cause=leg.leg_id)


def _down(turn: Turn, target: Target, known: OpenLeg | None, leg: LegDown) -> None:
    turn.set(closed_legs=(*turn.state.closed_legs, leg.leg_id))
    if known is None:
        return
    if known.up_at is not None:
        span = Span(role=target.role, start=known.up_at, end=max(leg.at, known.up_at), gap_ms=known.gap_ms)
        turn.set(spans=(*turn.state.spans, span))
        if span.end >= after(span.start, turn.policy.healthy_ms):
            target = replace(target, failures=0)
    target = replace(target, legs=tuple(k for k in target.legs if k.leg_id != leg.leg_id))
    turn.put_target(target)
    if any(k.up_at is not None for k in target.legs):
        return
    lost = move(turn, target, Signal.DOWN)
    if lost is not None and turn.state.waiting == ANOTHER_GROUP:
        turn.put_target(replace(lost, due=turn.now))
    elif lost is not None:
        retry(
            turn,
            lost,
            "leg_down",
            detail=leg.reason,
            cause=leg.leg_id,
            is_failure=known.up_at is None or leg.reason != "bye",
        )
    if turn.state.waiting == ANOTHER_GROUP and not turn.state.is_bound():
        turn.set(read_due=turn.now)


def _with(legs: tuple[OpenLeg, ...], leg: OpenLeg) -> tuple[OpenLeg, ...]:
    return (*(k for k in legs if k.leg_id != leg.leg_id), leg)
