"""Who is on the call: notifications and readings merged, newest first, and the facts that follow.

A notification counts when its sequence is newer than what is known of its party, so order and repetition do not
matter. What REST says has no sequence: it counts where no notification has spoken, and where it is further on (a
ringing party has answered, any party is gone), because parties do not go back.
"""

from __future__ import annotations

from dataclasses import replace

from services.supervision_orchestrator.domain.call import (
    ON_THE_CALL,
    STATUS_OF_CODE,
    CallState,
    Party,
    PartyStatus,
)
from services.supervision_orchestrator.domain.coverage import EVENTS_MISSED
from services.supervision_orchestrator.domain.effects import Direction, FactType, FollowPeer, PublishFact
from services.supervision_orchestrator.domain.inputs import TelephonyPartyChanged
from services.supervision_orchestrator.domain.policy import elapsed_ms
from services.supervision_orchestrator.domain.stages import CALL_TRANSITIONS, Happening, Then
from services.supervision_orchestrator.domain.targets import recast, release
from services.supervision_orchestrator.domain.turn import Turn

TRANSFER_REASONS = frozenset(
    {"BlindTransfer", "AttendedTransfer", "RccTransfer", "DtmfTransfer", "CallPark", "CallSwitch", "CallFlip", "Pickup"}
)
SUPERVISING = frozenset({"Supervising", "Monitoring", "Barge", "Whisper"})
HAPPENING_OF_CHANGE: dict[tuple[PartyStatus, PartyStatus], Happening] = {
    (PartyStatus.LIVE, PartyStatus.HELD): Happening.HOLDS,
    (PartyStatus.PARKED, PartyStatus.HELD): Happening.HOLDS,
    (PartyStatus.HELD, PartyStatus.LIVE): Happening.RESUMES,
    (PartyStatus.PARKED, PartyStatus.LIVE): Happening.RESUMES,
    (PartyStatus.LIVE, PartyStatus.PARKED): Happening.PARKS,
    (PartyStatus.HELD, PartyStatus.PARKED): Happening.PARKS,
}


def on_party(turn: Turn, change: TelephonyPartyChanged) -> None:
    """Merge one party's change."""
    if turn.floor.is_supervisor(change.extension_id):
        return
    if change.reason in SUPERVISING:
        if turn.state.party(change.party_id) is None:
            _other_supervisor(turn, change)
        return
    if change.party_id in turn.state.other_supervisors:
        _other_supervisor(turn, change, gone=True)
        return
    monitored = turn.floor.roster.is_monitored(change.extension_id)
    if turn.state.started_at is None and not monitored:
        return
    if change.after_the_fact:
        change = replace(change, party_id=_party_of(turn.state, change))
    before = turn.state.party(change.party_id)
    status = STATUS_OF_CODE.get(change.code, PartyStatus.OTHER)
    if before is not None and _stale(before, status, change.sequence):
        _learn_of_answer(turn, before, change, status)
        return
    if before is not None and before.status in ON_THE_CALL and status is PartyStatus.RINGING:
        status = before.status  # parties do not go back
    party = Party(
        party_id=change.party_id,
        status=status,
        sequence=max(change.sequence, before.sequence if before else -1),
        extension_id=change.extension_id or (before.extension_id if before else ""),
        direction=change.direction or (before.direction if before else ""),
        monitored=monitored or (before.monitored if before else False),
    )
    turn.put_party(party)
    if party.monitored and party.status is PartyStatus.GONE and not change.after_the_fact:
        known_to_ring = before is not None and change.sequence >= 0
        turn.set(unseen=turn.state.unseen or not known_to_ring)
    turn.set(
        last_sequence=max(turn.state.last_sequence, change.sequence),
        queue_call=turn.state.queue_call or change.queue_call,
    )
    turn.set(extensions=_with_extensions(turn.state.extensions, party.extension_id, change.dialled_extension_id))
    if turn.state.started_at is None:
        if change.after_the_fact:
            turn.fail("error", EVENTS_MISSED)
        turn.set(started_at=change.at, checked_at=turn.now, read_due=turn.in_ms(turn.policy.ring_ms), followed=False)
        happen(turn, Happening.SEEN, party, change, cause="started")
    if party.monitored:
        _monitored_changed(turn, before, party, change)
    elif party.status is PartyStatus.GONE:
        _retire(turn, party)
    if _changes_the_plan(turn.state, before, party):
        turn.set(read_due=turn.now)


def happen(
    turn: Turn, happening: Happening, party: Party | None, change: TelephonyPartyChanged | None, *, cause: str = ""
) -> bool:
    """Move the call as the table says; whether it has an entry."""
    move = CALL_TRANSITIONS.get((turn.state.stage, happening))
    if move is None:
        return False
    if happening is Happening.LEAVES and change is not None:
        turn.set(away_since=change.at)
    turn.set(stage=move.stage)
    if move.then is Then.CREDIT and party is not None and change is not None:
        _credit(turn, party, change)
    elif move.then is Then.WAIT and turn.state.close_due is None:
        ended_at = turn.state.ended_at or (change.at if change is not None else turn.now)
        turn.set(ended_at=ended_at, close_due=turn.in_ms(turn.policy.close_ms), waiting="", booked_legs=0)
    if move.fact is not None and change is not None:
        _fact(turn, move.fact, change, cause=cause)
    return True


def _stale(before: Party, status: PartyStatus, sequence: int) -> bool:
    if sequence >= 0:
        return sequence <= before.sequence
    if before.status is PartyStatus.GONE:
        return True
    further = status is PartyStatus.GONE or (before.status is PartyStatus.RINGING and status in ON_THE_CALL)
    return before.sequence >= 0 and not further


def _monitored_changed(turn: Turn, before: Party | None, party: Party, change: TelephonyPartyChanged) -> None:
    was = before.status if before is not None else PartyStatus.RINGING
    if party.status is PartyStatus.RINGING:
        happen(turn, Happening.RINGS, party, change)
    if party.status in ON_THE_CALL and was not in ON_THE_CALL:
        if turn.state.agent_talks() and turn.state.agent_party_id != party.party_id:
            return  # an internal call: the other agent is this agent's counterpart
        happen(turn, Happening.ANSWERS, party, change)
        was = PartyStatus.LIVE
    if party.party_id == turn.state.agent_party_id:
        happening = HAPPENING_OF_CHANGE.get((was, party.status))
        if happening is not None:
            happen(turn, happening, party, change)
    if party.status is PartyStatus.GONE:
        _left(turn, party, change)


def _credit(turn: Turn, party: Party, change: TelephonyPartyChanged) -> None:
    """This party's agent is the call's: the first who answers, and after a transfer the next."""
    state = turn.state
    direction: Direction = "outbound" if party.direction == "Outbound" else "inbound"
    turn.set(
        agent_party_id=party.party_id,
        agent_extension_id=party.extension_id,
        answered_at=state.answered_at or change.at,
        direction=direction if state.direction == "unknown" else state.direction,
        ended_at=None,
        close_due=None,
        session_gone=False,
        left_by_transfer=False,
        read_due=turn.now,
        read_failures=0,
        waiting="",
        away_ms=state.away_ms + (elapsed_ms(state.away_since, change.at) if state.away_since is not None else 0),
        away_since=None,
    )
    target = state.target(party.party_id)
    if target is not None and target.role == "customer":
        recast(turn, target, "agent")
    if state.customer_party_id == party.party_id:
        turn.set(customer_party_id="")


def _learn_of_answer(turn: Turn, known: Party, change: TelephonyPartyChanged, status: PartyStatus) -> None:
    """A late `Answered` of a party that has moved on since still says when the call was answered."""
    if not known.monitored or change.sequence < 0 or status not in ON_THE_CALL:
        return
    if turn.state.answered_at is None:
        if not turn.state.agent_party_id:
            turn.set(agent_party_id=known.party_id, agent_extension_id=known.extension_id)
        left_at = turn.state.ended_at or change.at
        turn.set(answered_at=change.at, ended_at=max(left_at, change.at))
        happen(turn, Happening.ANSWERED_BEFORE, known, change)
    elif known.party_id == turn.state.agent_party_id and status is PartyStatus.LIVE:
        turn.set(answered_at=min(turn.state.answered_at, change.at))


def _left(turn: Turn, party: Party, change: TelephonyPartyChanged) -> None:
    by_transfer = change.reason in TRANSFER_REASONS or change.code == "Gone"
    credited = party.party_id == turn.state.agent_party_id
    if by_transfer and change.peer_call_id not in {"", turn.state.call_id}:
        turn.effects.append(FollowPeer(call_id=change.peer_call_id))
    _retire(turn, party)
    if by_transfer:
        turn.set(left_by_transfer=True)
    heir = _heir(turn.state, by_transfer=by_transfer) if credited else None
    if heir is not None:
        happen(turn, Happening.HANDS_OVER, heir, replace(change, party_id=heir.party_id))
        return
    if credited and by_transfer and change.peer_call_id:
        _fact(turn, "transferred", change)
    if turn.state.monitored_present():
        if credited and happen(turn, Happening.LEAVES, party, change):
            turn.set(ended_at=None, close_due=None)  # the next agent rings already
            happen(turn, Happening.RINGS, party, change)
    else:
        turn.set(ended_at=change.at, close_due=None)
        if not (happen(turn, Happening.LEAVES, party, change) or happen(turn, Happening.MISSES, party, change)):
            turn.set(close_due=turn.in_ms(turn.policy.close_ms))


def _heir(state: CallState, *, by_transfer: bool) -> Party | None:
    """The monitored agent who goes on with the call; one who is left alone on it without a transfer does not."""
    there = state.participants()
    return next((p for p in there if p.monitored), None) if by_transfer or len(there) > 1 else None


def _other_supervisor(turn: Turn, change: TelephonyPartyChanged, *, gone: bool = False) -> None:
    """Somebody else listens in, or stops to."""
    others = tuple(p for p in turn.state.other_supervisors if p != change.party_id)
    there = not gone and STATUS_OF_CODE.get(change.code, PartyStatus.OTHER) in ON_THE_CALL
    if turn.state.started_at is not None:
        turn.set(other_supervisors=(*others, change.party_id) if there else others)


def _party_of(state: CallState, change: TelephonyPartyChanged) -> str:
    """Which party the call log means: it names the extension alone."""
    same = [p.party_id for p in state.parties if p.extension_id == change.extension_id]
    return same[-1] if same else change.party_id


def _with_extensions(known: tuple[str, ...], *more: str) -> tuple[str, ...]:
    return (*known, *(e for e in dict.fromkeys(more) if e and e not in known))


def _retire(turn: Turn, party: Party) -> None:
    target = turn.state.target(party.party_id)
    if target is not None:
        release(turn, target)


def _changes_the_plan(state: CallState, before: Party | None, party: Party) -> bool:
    """Whether the agent's awaited counterpart or a third party has joined, or the third has left again."""
    was_on = before is not None and before.status in ON_THE_CALL
    is_on = party.status in ON_THE_CALL
    if not state.agent_talks() or was_on == is_on:
        return False
    count = len(state.participants())
    if state.mode == "session":
        return not is_on and count == 2
    return is_on and count >= (2 if state.mode == "" else 3)


def _fact(turn: Turn, type_: FactType, change: TelephonyPartyChanged, *, cause: str = "") -> None:
    source = cause or (str(change.sequence) if change.sequence >= 0 else change.event_id)
    turn.effects.append(
        PublishFact(type=type_, at=change.at, cause=source, party_id=change.party_id, peer_call_id=change.peer_call_id)
    )


def gone_everywhere(turn: Turn) -> None:
    """The session is no more, so neither is any party."""
    turn.set(
        unseen=turn.state.unseen or any(p.monitored and p.status is PartyStatus.RINGING for p in turn.state.parties)
    )
    state = turn.state
    close_due = turn.in_ms(turn.policy.close_ms)
    turn.set(
        parties=tuple(replace(p, status=PartyStatus.GONE) for p in state.parties),
        session_gone=True,
        ended_at=state.ended_at or turn.now,
        close_due=min(state.close_due or close_due, close_due),
    )
    happen(turn, Happening.SESSION_ENDS, None, None)
    for target in state.targets:
        release(turn, target)
