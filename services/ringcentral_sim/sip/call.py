"""The state machine of one call that we place: INVITE, CANCEL and BYE with their timers (RFC 3261 §13, §15, §17.1).

    CALLING -> PROCEEDING -> CONFIRMED -> ENDING -> ENDED
       |           |             \\_________________/^   (BYE from the client)
       |           +-> REFUSED -> ENDED                 (a refusal; waits to acknowledge repeats)
       +-----------+-> CANCELLING -> REFUSED | ENDING   (no answer in time, or we gave up)

`decide` is pure; the shell carries out the effects in order and calls again with `Woke` at `next_wake`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

T2_S = 4.0
GIVE_UP_T1 = 64

Method = Literal["INVITE", "CANCEL", "BYE"]


class Phase(Enum):
    """Where a call stands."""

    CALLING = "calling"
    PROCEEDING = "proceeding"
    CANCELLING = "cancelling"
    REFUSED = "refused"
    CONFIRMED = "confirmed"
    ENDING = "ending"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """State of one call. Times are seconds on the shell's clock; None means no such timer runs."""

    phase: Phase
    reliable: bool
    t1_s: float
    answer_by: float
    deadline: float | None
    resending: Method | None = None
    resend_at: float | None = None
    interval_s: float = 0.0
    cancel_sent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replied:
    """A response to one of our requests came in."""

    method: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Woke:
    """A timer may be due."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """Our side wants the call to end."""


@dataclass(frozen=True, slots=True)
class ByeReceived:
    """The client has ended the call."""


@dataclass(frozen=True, slots=True)
class FlowLost:
    """The connection that the call was signalled over is gone; no request can reach the client."""


Event = Replied | Woke | HungUp | ByeReceived | FlowLost


@dataclass(frozen=True, slots=True)
class Transmit:
    """Build and send a request for the first time."""

    method: Method


@dataclass(frozen=True, slots=True)
class Retransmit:
    """Send the request again, byte for byte."""

    method: Method


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Send ACK: in a transaction of its own for a 2xx, in the INVITE's for a refusal."""

    success: bool


@dataclass(frozen=True, slots=True)
class Established:
    """The call is up; media may flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The client refused the call."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No final answer came in time."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A call that had been established is over."""

    reason: str


Effect = Transmit | Retransmit | Acknowledge | Established | Refused | Unanswered | Ended
Decision = tuple[Call, tuple[Effect, ...]]


def place(*, reliable: bool, t1_s: float, answer_timeout_s: float, now: float) -> Decision:
    """A call whose INVITE leaves now."""
    answer_by = now + answer_timeout_s
    call = Call(
        phase=Phase.CALLING,
        reliable=reliable,
        t1_s=t1_s,
        answer_by=answer_by,
        deadline=min(answer_by, now + GIVE_UP_T1 * t1_s),
    )
    return _sending(call, "INVITE", now), (Transmit("INVITE"),)


def next_wake(call: Call) -> float | None:
    """When `Woke` is due next."""
    return min((at for at in (call.deadline, call.resend_at) if at is not None), default=None)


def decide(call: Call, event: Event, now: float) -> Decision:
    """The call after `event`, and what has to be done about it."""
    match event:
        case Replied(method="INVITE"):
            return _on_invite_reply(call, event, now)
        case Replied(method="BYE") if call.phase is Phase.ENDING and event.code >= 200:
            return _ended(call, "bye_sent")
        case Replied(method="CANCEL") if call.resending == "CANCEL":
            return replace(call, resending=None, resend_at=None), ()
        case Woke():
            return _on_wake(call, now)
        case HungUp():
            return _on_hang_up(call, now)
        case ByeReceived() if call.phase in (Phase.CONFIRMED, Phase.ENDING):
            return _ended(call, "bye_received")
        case FlowLost():
            return _on_flow_lost(call)
        case _:
            return call, ()


def _on_invite_reply(call: Call, reply: Replied, now: float) -> Decision:
    unanswered = call.phase in (Phase.CALLING, Phase.PROCEEDING)
    if reply.code < 200:
        if unanswered:
            return replace(call, phase=Phase.PROCEEDING, deadline=call.answer_by, resend_at=None), ()
        if call.phase is Phase.CANCELLING and not call.cancel_sent:
            return _cancel(call, now)
        return call, ()
    if reply.code < 300:
        if unanswered:
            up = _quiet(call, Phase.CONFIRMED)
            return up, (Acknowledge(success=True), Established())
        if call.phase is Phase.CANCELLING:
            # The answer crossed our CANCEL: take the call and end it at once.
            ending, effects = _bye(call, now)
            return ending, (Acknowledge(success=True), *effects)
        return (call, (Acknowledge(success=True),)) if call.phase is not Phase.ENDED else (call, ())
    acknowledge = Acknowledge(success=False)
    if call.phase in (Phase.CALLING, Phase.PROCEEDING, Phase.CANCELLING):
        over = _quiet(call, Phase.ENDED if call.reliable else Phase.REFUSED)
        if not call.reliable:
            over = replace(over, deadline=now + GIVE_UP_T1 * call.t1_s)
        refused = (Refused(status=reply.code, reason=reply.reason),) if unanswered else ()
        return over, (acknowledge, *refused)
    return (call, (acknowledge,)) if call.phase is Phase.REFUSED else (call, ())


def _on_wake(call: Call, now: float) -> Decision:
    if call.deadline is not None and now >= call.deadline:
        match call.phase:
            case Phase.CALLING | Phase.PROCEEDING:
                cancelling, effects = _give_up(call, now)
                return cancelling, (*effects, Unanswered())
            case Phase.ENDING:
                return _ended(call, "bye_unanswered")
            case _:
                return _quiet(call, Phase.ENDED), ()
    if call.resending is not None and call.resend_at is not None and now >= call.resend_at:
        interval_s = call.interval_s * 2
        if call.resending != "INVITE":
            interval_s = min(interval_s, T2_S)
        again = replace(call, interval_s=interval_s, resend_at=now + interval_s)
        return again, (Retransmit(call.resending),)
    return call, ()


def _on_hang_up(call: Call, now: float) -> Decision:
    if call.phase is Phase.CONFIRMED:
        return _bye(call, now)
    if call.phase in (Phase.CALLING, Phase.PROCEEDING):
        return _give_up(call, now)
    return call, ()


def _on_flow_lost(call: Call) -> Decision:
    match call.phase:
        case Phase.CALLING | Phase.PROCEEDING:
            return _quiet(call, Phase.ENDED), (Refused(status=503, reason="Flow Lost"),)
        case Phase.ENDING:
            return _ended(call, "bye_lost")
        case Phase.CANCELLING | Phase.REFUSED:
            return _quiet(call, Phase.ENDED), ()
        case _:
            # An established call outlives its connection: the client may heal it by re-INVITE.
            return call, ()


def _give_up(call: Call, now: float) -> Decision:
    """CANCEL may only follow a provisional answer (RFC 3261 §9.1); until one comes, wait for it."""
    proceeding = call.phase is Phase.PROCEEDING
    waiting = replace(_quiet(call, Phase.CANCELLING), deadline=now + GIVE_UP_T1 * call.t1_s)
    return _cancel(waiting, now) if proceeding else (waiting, ())


def _cancel(call: Call, now: float) -> Decision:
    return _sending(replace(call, cancel_sent=True), "CANCEL", now), (Transmit("CANCEL"),)


def _bye(call: Call, now: float) -> Decision:
    ending = replace(_quiet(call, Phase.ENDING), deadline=now + GIVE_UP_T1 * call.t1_s)
    return _sending(ending, "BYE", now), (Transmit("BYE"),)


def _ended(call: Call, reason: str) -> Decision:
    return _quiet(call, Phase.ENDED), (Ended(reason),)


def _sending(call: Call, method: Method, now: float) -> Call:
    if call.reliable:
        return replace(call, resending=None, resend_at=None)
    return replace(call, resending=method, interval_s=call.t1_s, resend_at=now + call.t1_s)


def _quiet(call: Call, phase: Phase) -> Call:
    return replace(call, phase=phase, deadline=None, resending=None, resend_at=None)
