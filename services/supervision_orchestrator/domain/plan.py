"""Reading the session and, from what it says, whom to supervise and how.

Every request is preceded by a reading: it gives the customer's party, the number of participants and whether the
call still lives. Two participants: each is supervised by itself. More: the session, one mixed stream.
"""

from __future__ import annotations

from dataclasses import replace

from services.supervision_orchestrator.domain.call import Phase, Target
from services.supervision_orchestrator.domain.effects import PublishFact, ReadSession, Supervise
from services.supervision_orchestrator.domain.inputs import (
    ReadFailed,
    SessionGone,
    SessionRead,
    TelephonyPartyChanged,
)
from services.supervision_orchestrator.domain.parties import gone_everywhere, on_party
from services.supervision_orchestrator.domain.targets import ask, may_ask, release
from services.supervision_orchestrator.domain.turn import Turn

GIVE_UP_AFTER = 5
"""Failed readings after which a call without monitored parties is closed unconfirmed."""


def on_read(turn: Turn, reading: SessionRead | SessionGone | ReadFailed) -> None:
    """The awaited answer to a reading; any other is late."""
    state = turn.state
    if not state.reading or reading.attempt != state.reads:
        return
    turn.set(reading=False, read_due=None)
    match reading:
        case SessionGone():
            gone_everywhere(turn)
        case ReadFailed():
            failures = state.read_failures + 1
            wait_ms = max(turn.policy.backoff_ms(failures), reading.retry_after_ms)
            turn.set(read_failures=failures, read_due=turn.in_ms(wait_ms))
            if state.close_due is not None:
                turn.set(close_due=turn.in_ms(wait_ms), session_gone=failures >= GIVE_UP_AFTER)
            detail = f"{reading.status}_{reading.error_code}".strip("_") if reading.status else "no_reply"
            turn.fail("rate_limited" if reading.status == 429 else "error", detail)
        case SessionRead():
            _merge(turn, reading)
            _plan(turn)


def read_if_due(turn: Turn) -> None:
    """Begin a reading when one is due, or when a target wants asking; give up on one whose answer is overdue."""
    state = turn.state
    if state.reading:
        if state.read_due is None or state.read_due > turn.now:
            return
        turn.set(reading=False, read_failures=state.read_failures + 1)
    elif not (state.read_due is not None and state.read_due <= turn.now) and not (
        state.read_failures == 0 and any(may_ask(t, turn.now) for t in state.targets)
    ):
        return
    attempt = turn.state.reads + 1
    turn.set(reads=attempt, reading=True, read_due=turn.in_ms(turn.policy.reply_timeout_ms))
    turn.effects.append(ReadSession(attempt=attempt))


def _merge(turn: Turn, reading: SessionRead) -> None:
    for party in reading.parties:
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
        turn.set(read_failures=0, read_due=turn.in_ms(turn.policy.recheck_ms))
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
    if len(participants) > 2 or state.mode == "session":
        _want_session(turn)
    elif len(participants) == 2:
        _want_parties(turn)
    for target in turn.state.targets:
        if target.phase is Phase.WANTED and target.due is None:
            turn.put_target(replace(target, due=turn.now))
    _ask_those_due(turn)


def _want_parties(turn: Turn) -> None:
    state = turn.state
    other = next(p for p in state.participants() if p.party_id != state.agent_party_id)
    internal = bool(other.extension_id)
    turn.set(
        mode="party",
        customer_party_id=other.party_id,
        direction="internal" if internal else state.direction,
    )
    if state.target(state.agent_party_id) is None:
        turn.put_target(Target(party_id=state.agent_party_id, role="agent", due=turn.now))
    if state.target(other.party_id) is None:
        turn.put_target(Target(party_id=other.party_id, role="customer", due=turn.now))


def _want_session(turn: Turn) -> None:
    """Party supervision gives way; its legs that still stand are heard on, but not asked for again."""
    if turn.state.target("") is not None:
        return
    for target in turn.state.targets:
        release(turn, target)
    session = Target(party_id="", role="mixed", due=turn.now)
    turn.put_target(session)
    was_party = turn.state.mode == "party"
    turn.set(mode="session")
    turn.step("degraded", session, reason="more_than_two_parties", cause="session")
    if was_party:
        turn.effects.append(PublishFact(type="conferenced", at=turn.now, cause="session"))


def _ask_those_due(turn: Turn) -> None:
    state, floor = turn.state, turn.floor
    due = [t for t in state.targets if may_ask(t, turn.now)]
    if not due:
        return
    if not floor.roster.may_supervise(floor.supervisor_extension_id, state.agent_extension_id):
        _wait(turn, due, "not_permitted", at_least_ms=turn.policy.recheck_ms)
        return
    device, reason = floor.choose_device(len(due), bound_to=state.bound_device())
    if device is None:
        _wait(turn, due, reason)
        return
    for target in sorted(due, key=lambda t: t.role):
        asked = ask(turn, target, device.device_id)
        turn.effects.append(
            Supervise(
                party_id=asked.party_id,
                attempt=asked.attempt,
                agent_extension_id=state.agent_extension_id,
                device_id=device.device_id,
            )
        )


def _wait(turn: Turn, targets: list[Target], reason: str, *, at_least_ms: int = 0) -> None:
    """Nothing was asked of RingCentral; try again after the back-off, or when a device changes."""
    turn.fail(reason)
    for target in targets:
        failures = target.failures + 1
        waiting = replace(target, failures=failures, due=turn.in_ms(max(turn.policy.backoff_ms(failures), at_least_ms)))
        turn.put_target(waiting)
        turn.step("retrying", waiting, reason=reason, cause=f"{reason}.{failures}")


def on_device_changed(turn: Turn) -> None:
    """Calls that wait for a device try again at once."""
    failure = turn.state.failure
    if failure is None or failure.reason not in {"no_device_online", "no_capacity"}:
        return
    for target in turn.state.targets:
        if target.phase is Phase.WANTED:
            turn.put_target(replace(target, due=turn.now))
