"""Reading the session and, from what it says, whom to supervise and how.

Every request is preceded by a reading: it gives the customer's party, the number of participants and whether the
call still lives. Two participants: each is supervised by itself. More: the session, one mixed stream, until they are
two again. A call that wants to be heard is let in first (`admission.choose`): a supervisor, a device and the
requests are reserved before anything is sent, or the call waits its turn while it lives.
"""

from __future__ import annotations

from dataclasses import replace

from services.supervision_orchestrator.domain.admission import Booking, Wanting, choose, reader
from services.supervision_orchestrator.domain.call import (
    ON_THE_CALL,
    STATUS_OF_CODE,
    CallState,
    PartyStatus,
    Phase,
    Target,
)
from services.supervision_orchestrator.domain.effects import PublishFact, ReadSession, Role, Supervise
from services.supervision_orchestrator.domain.inputs import (
    ReadFailed,
    SessionGone,
    SessionRead,
    TelephonyPartyChanged,
)
from services.supervision_orchestrator.domain.parties import SUPERVISING, gone_everywhere, on_party
from services.supervision_orchestrator.domain.policy import after
from services.supervision_orchestrator.domain.rules import CallFacts
from services.supervision_orchestrator.domain.targets import (
    ANOTHER_GROUP,
    OF_THE_IDENTITY,
    ask,
    give_over,
    may_ask,
    release,
    revive,
)
from services.supervision_orchestrator.domain.turn import Turn

GIVE_UP_AFTER = 5
"""Failed readings after which a call without monitored parties is closed unconfirmed."""
QUEUED = frozenset({"not_permitted", "no_device_online", "no_capacity", "rate_limited"})
"""Waits that end when the floor changes; the others end by the call itself or by time."""


def wanting_of(state: CallState, penalized: frozenset[str] = frozenset()) -> Wanting:
    """What the call needs to be let in: a leg for each party not heard, and a request for each and for the reading."""
    wanted = sum(t.phase is Phase.WANTED for t in state.targets)
    legs = wanted or (1 if len(state.participants()) > 2 else 2)
    bound = state.is_bound()
    return Wanting(
        call_id=state.call_id,
        since=state.answered_at or state.started_at,  # type: ignore[arg-type]  # only calls that have begun want anything
        agent_extension_id=state.agent_extension_id,
        legs=legs,
        requests=legs + 1,
        supervisor=state.supervisor if bound else state.own_supervisor,
        device_id=state.device_id if bound else "",
        prefer=state.supervisor,
        avoid=penalized,
    )


def queued(state: CallState) -> Wanting | None:
    """The call's place among those that wait for the floor; None when it does not."""
    return wanting_of(state) if state.waiting in QUEUED and state.wants_audio() and not state.reading else None


def on_read(turn: Turn, reading: SessionRead | SessionGone | ReadFailed) -> None:
    """The awaited answer to a reading; any other is late."""
    state = turn.state
    if not state.reading or reading.attempt != state.reads:
        return
    turn.set(reading=False, read_due=None)
    match reading:
        case SessionGone():
            turn.set(followed=False)
            gone_everywhere(turn)
        case ReadFailed():
            _failed(turn, reading)
        case SessionRead():
            _merge(turn, reading)
            turn.set(followed=False)
            if turn.state.started_at is not None:
                _plan(turn)
    turn.set(booked_legs=0)


def read_if_due(turn: Turn) -> None:
    """Begin a reading when one is due, or when a target wants asking; give up on one whose answer is overdue."""
    state = turn.state
    if state.reading:
        if state.read_due is None or state.read_due > turn.now:
            return
        give_up_reading(turn)
        turn.set(read_failures=state.read_failures + 1)
    elif not (state.read_due is not None and state.read_due <= turn.now) and not (
        state.read_failures == 0 and not state.waiting and any(may_ask(t, turn.now) for t in state.targets)
    ):
        return
    if turn.state.wants_audio():
        refused = _let_in(turn)
        if refused and not _must_look(turn, refused, waited=state.waiting):
            return
    chosen = turn.state.supervisor if turn.state.booked_legs else _reader(turn)
    if not chosen:
        turn.set(read_due=turn.in_ms(turn.policy.queue_ms))
        return
    attempt = turn.state.reads + 1
    turn.set(
        reads=attempt, reading=True, reader=chosen, checked_at=turn.now,
        read_due=turn.in_ms(turn.policy.reply_timeout_ms),
    )  # fmt: skip
    turn.effects.append(ReadSession(attempt=attempt, supervisor=chosen))


def give_up_reading(turn: Turn) -> None:
    """No answer is awaited any more; the request counts as sent, because it may have been."""
    if turn.state.reading:
        turn.answered(turn.state.reader, turn.now)
        turn.set(reading=False, booked_legs=0)


def on_let_in(turn: Turn) -> None:
    """There may be room now for a call that waits."""
    if turn.state.waiting and not turn.state.reading:
        turn.set(read_due=turn.now)


def on_followed(turn: Turn) -> None:
    """A transfer leads here; unless its own events have come, only a reading tells who takes part."""
    if turn.state.started_at is None and not turn.state.followed:
        turn.set(followed=True, read_due=turn.now)


def _reader(turn: Turn) -> str:
    own = turn.state.supervisor
    avoid = turn.penalized()
    return (reader(turn.floor, own, avoid) if own else "") or reader(turn.floor, "", avoid)


def _let_in(turn: Turn) -> str:
    """Book a supervisor and a device for the call; empty when that worked, else why it waits."""
    state = turn.state
    objection = _objection(turn)
    if not objection and state.other_supervisors and turn.floor.rules.yield_to_human:
        objection = "another_supervisor"
    if objection:
        _hold(turn, objection)
        return objection
    wanting = wanting_of(state, turn.penalized())
    if not state.is_bound() and not turn.floor.roster.may_supervise(wanting.supervisor, state.agent_extension_id):
        wanting = replace(wanting, supervisor="")  # by an older reading; the next one tells whether it is still there
    booking = choose(turn.floor, wanting)
    if not isinstance(booking, Booking):
        _hold(turn, booking)
        return booking
    turn.set(supervisor=booking.supervisor, device_id=booking.device_id, booked_legs=wanting.legs, waiting="")
    return ""


def _must_look(turn: Turn, refused: str, *, waited: str) -> bool:
    """A call that waits is still looked at now and then: its end may get lost, and only so is it seen."""
    checked_at = turn.state.checked_at
    overdue = checked_at is None or after(checked_at, turn.policy.recheck_ms) <= turn.now
    return overdue or (refused == waited == "another_supervisor")


def _objection(turn: Turn) -> str:
    state = turn.state
    assert state.answered_at is not None, "only an answered call wants audio"
    return turn.floor.rules.objection(
        CallFacts(
            agent_extension_id=state.agent_extension_id,
            memberships=turn.floor.roster.entries.get(state.agent_extension_id, ()),
            direction=state.direction,
            extensions=frozenset(state.extensions),
            queue_call=state.queue_call,
            answered_at=state.answered_at,
            consent=state.consent,
        )
    )


def _hold(turn: Turn, why: str) -> None:
    """Nothing is asked of RingCentral; the call tries again when there is room, or after a while."""
    state = turn.state
    reason = "policy" if why.startswith("policy_") else why
    waits = {"policy": turn.policy.recheck_ms, "consent_missing": turn.policy.recheck_ms,
             "not_permitted": turn.policy.recheck_ms, "another_supervisor": turn.policy.yield_ms,
             "another_group": turn.policy.retry_first_ms}  # fmt: skip
    turn.fail(reason, why)
    again = turn.in_ms(waits.get(reason, turn.policy.queue_ms))
    penalties_end = [p.until for p in state.penalties if p.until > turn.now] if why == "rate_limited" else []
    turn.set(waiting=why, booked_legs=0, read_due=min([again, *penalties_end]))
    if state.waiting == why:
        return
    holds = state.holds + 1
    turn.set(holds=holds)
    if why == ANOTHER_GROUP:
        give_over(turn)
    wanted = [t for t in state.targets if t.phase is Phase.WANTED]
    for target in wanted or [Target(party_id=state.agent_party_id, role="agent")]:
        turn.step("retrying", target, reason=why, cause=f"{why}.{holds}")


def _failed(turn: Turn, reading: ReadFailed) -> None:
    state = turn.state
    failures = state.read_failures + 1
    wait_ms = turn.policy.backoff_ms(failures)
    if reading.status not in OF_THE_IDENTITY:
        wait_ms = max(wait_ms, reading.retry_after_ms)
    turn.set(read_failures=failures, read_due=turn.in_ms(wait_ms))
    if state.close_due is not None:
        turn.set(close_due=turn.in_ms(wait_ms), session_gone=failures >= GIVE_UP_AFTER)
    if state.followed and failures >= GIVE_UP_AFTER:
        turn.set(followed=False)
    detail = f"{reading.status}_{reading.error_code}".strip("_") if reading.status else "no_reply"
    turn.fail("rate_limited" if reading.status == 429 else "error", detail)


def _merge(turn: Turn, reading: SessionRead) -> None:
    listening = [p for p in reading.parties if p.reason in SUPERVISING and STATUS_OF_CODE.get(p.code) in ON_THE_CALL]
    own = [p.extension_id for p in listening if turn.floor.is_supervisor(p.extension_id)]
    others = tuple(
        p.party_id
        for p in listening
        if not turn.floor.is_supervisor(p.extension_id) and turn.state.party(p.party_id) is None
    )
    agents_first = sorted(reading.parties, key=lambda p: not turn.floor.roster.is_monitored(p.extension_id))
    for party in agents_first:  # what makes the call eligible comes before those whom nobody would keep
        on_party(
            turn,
            TelephonyPartyChanged(
                call_id=reading.call_id,
                event_id=f"read{reading.attempt}",
                sequence=-1,
                at=reading.at,
                party_id=party.party_id,
                code=party.code,
                reason=party.reason,
                extension_id=party.extension_id,
                direction=party.direction,
            ),
        )
    turn.set(other_supervisors=others, own_supervisor=own[0] if own else "")


def _plan(turn: Turn) -> None:
    state = turn.state
    if not state.monitored_present():
        turn.set(read_failures=0)
        if state.goes_on():
            turn.set(close_due=turn.in_ms(turn.policy.recheck_ms))
        else:
            turn.set(session_gone=True, close_due=turn.now)
        return
    if not state.agent_talks():
        rings = any(p.monitored and p.status is PartyStatus.RINGING for p in state.parties)
        turn.set(read_failures=0, read_due=turn.in_ms(turn.policy.ring_ms if rings else turn.policy.recheck_ms))
        for target in state.targets:
            if target.phase is Phase.WANTED:
                turn.put_target(replace(target, due=None))
        return
    participants = state.participants()
    if len(participants) < 2 and not state.targets:
        failures = state.read_failures + 1  # the other side is not on the call yet
        turn.set(read_failures=failures, read_due=turn.in_ms(turn.policy.backoff_ms(failures)))
        return
    turn.set(read_failures=0, read_due=turn.in_ms(turn.policy.recheck_ms))
    if len(participants) > 2:
        _want_session(turn)
    elif len(participants) == 2:
        _want_parties(turn)
    for target in turn.state.targets:
        if target.phase is Phase.WANTED and target.due is None:
            turn.put_target(replace(target, due=turn.now))
    _ask_those_due(turn)


def _want_parties(turn: Turn) -> None:
    """Each of two by itself. After a conference the session gives way again; its leg is heard on while it stands."""
    state = turn.state
    session = state.target("")
    if session is not None and session.phase is not Phase.RELEASED:
        release(turn, session)
        turn.step("ended", session, reason="two_parties_again", cause=f"two.{state.reads}")
    other = next(p for p in state.participants() if p.party_id != state.agent_party_id)
    turn.set(
        mode="party",
        customer_party_id=other.party_id,
        direction="internal" if other.extension_id else state.direction,
    )
    parties: tuple[tuple[str, Role], ...] = ((state.agent_party_id, "agent"), (other.party_id, "customer"))
    for party_id, role in parties:
        known = turn.state.target(party_id)
        if known is None:
            turn.put_target(Target(party_id=party_id, role=role, due=turn.now))
        elif known.phase is Phase.RELEASED:
            revive(turn, replace(known, role=role))


def _want_session(turn: Turn) -> None:
    """Party supervision gives way; its legs that still stand are heard on, but not asked for again."""
    state = turn.state
    known = state.target("")
    if known is not None and known.phase is not Phase.RELEASED:
        return
    for target in state.targets:
        if target.party_id:
            release(turn, target)
    if known is None:
        known = Target(party_id="", role="mixed", due=turn.now)
        turn.put_target(known)
    else:
        revive(turn, known)
    cause = "session" if known.attempt == 0 else f"session.{state.reads}"
    was_party = state.mode == "party"
    turn.set(mode="session")
    turn.step("degraded", known, reason="more_than_two_parties", cause=cause)
    if was_party:
        turn.effects.append(PublishFact(type="conferenced", at=turn.now, cause=cause))


def _ask_those_due(turn: Turn) -> None:
    due = [t for t in turn.state.targets if may_ask(t, turn.now)]
    if not due or not _booked(turn, len(due)):
        return
    state = turn.state
    for target in sorted(due, key=lambda t: t.role):
        asked = ask(turn, target, state.device_id)
        turn.effects.append(
            Supervise(
                party_id=asked.party_id,
                attempt=asked.attempt,
                agent_extension_id=state.agent_extension_id,
                supervisor=state.supervisor,
                device_id=state.device_id,
            )
        )


def _booked(turn: Turn, legs: int) -> bool:
    """Whether the booking still holds for so many legs; else another is tried, without one more reading."""
    objection = _objection(turn)
    if not objection and turn.state.other_supervisors and turn.floor.rules.yield_to_human:
        objection = "another_supervisor"
    if objection:
        _hold(turn, objection)
        return False
    state = turn.state
    wanting = replace(wanting_of(state, turn.penalized()), legs=legs, requests=legs)
    fits = state.own_supervisor in {"", state.supervisor}
    if state.booked_legs >= legs and fits:  # its own place is kept for it, so nobody can have gone first
        kept = replace(wanting, supervisor=state.supervisor, device_id=state.device_id)
        if isinstance(choose(replace(turn.floor, queue=()), kept), Booking):
            turn.set(waiting="")
            return True
    booking = choose(turn.floor, wanting)
    if not isinstance(booking, Booking):
        _hold(turn, booking)
        return False
    turn.set(supervisor=booking.supervisor, device_id=booking.device_id, waiting="")
    return True
