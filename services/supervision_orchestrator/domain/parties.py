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
from services.supervision_orchestrator.domain.effects import FactType, PublishFact
from services.supervision_orchestrator.domain.inputs import TelephonyPartyChanged
from services.supervision_orchestrator.domain.targets import release
from services.supervision_orchestrator.domain.turn import Turn

TRANSFER_REASONS = frozenset(
    {"BlindTransfer", "AttendedTransfer", "RccTransfer", "DtmfTransfer", "CallPark", "CallSwitch", "CallFlip", "Pickup"}
)
FACT_OF_CHANGE: dict[tuple[PartyStatus, PartyStatus], FactType] = {
    (PartyStatus.LIVE, PartyStatus.HELD): "held",
    (PartyStatus.HELD, PartyStatus.LIVE): "resumed",
    (PartyStatus.PARKED, PartyStatus.LIVE): "resumed",
}


def on_party(turn: Turn, change: TelephonyPartyChanged) -> None:
    """Merge one party's change."""
    if change.reason == "Supervising" or turn.floor.is_supervisor(change.extension_id):
        return
    monitored = turn.floor.roster.is_monitored(change.extension_id)
    if turn.state.started_at is None and not monitored:
        return
    before = turn.state.party(change.party_id)
    status = STATUS_OF_CODE.get(change.code, PartyStatus.OTHER)
    if before is not None and _stale(before, status, change.sequence):
        _learn_of_answer(turn, before, change, status)
        return
    party = Party(
        party_id=change.party_id,
        status=status,
        sequence=max(change.sequence, before.sequence if before else -1),
        extension_id=change.extension_id or (before.extension_id if before else ""),
        direction=change.direction or (before.direction if before else ""),
        monitored=monitored or (before.monitored if before else False),
    )
    turn.put_party(party)
    turn.set(
        last_sequence=max(turn.state.last_sequence, change.sequence),
        queue_call=turn.state.queue_call or change.queue_call,
    )
    if turn.state.started_at is None:
        turn.set(started_at=change.at, read_due=turn.in_ms(turn.policy.recheck_ms))
        _fact(turn, "started", change, cause="started")
    if party.monitored:
        _monitored_changed(turn, before, party, change)
    elif party.status is PartyStatus.GONE:
        _retire(turn, party)
    if _changes_the_plan(turn.state, before, party):
        turn.set(read_due=turn.now)


def _stale(before: Party, status: PartyStatus, sequence: int) -> bool:
    if sequence >= 0:
        return sequence <= before.sequence
    if before.status is PartyStatus.GONE:
        return True
    further = status is PartyStatus.GONE or (before.status is PartyStatus.RINGING and status in ON_THE_CALL)
    return before.sequence >= 0 and not further


def _monitored_changed(turn: Turn, before: Party | None, party: Party, change: TelephonyPartyChanged) -> None:
    was = before.status if before is not None else PartyStatus.RINGING
    if party.status in ON_THE_CALL and was not in ON_THE_CALL:
        _answered(turn, party, change)
        was = PartyStatus.LIVE
    if party.party_id == turn.state.agent_party_id:
        fact = FACT_OF_CHANGE.get((was, party.status))
        if fact is not None:
            _fact(turn, fact, change)
    if party.status is PartyStatus.GONE:
        _left(turn, party, change)


def _answered(turn: Turn, party: Party, change: TelephonyPartyChanged) -> None:
    """A monitored agent is on the call. The first one is credited, and after a transfer the next."""
    state = turn.state
    if state.agent_talks() and state.agent_party_id != party.party_id:
        return  # an internal call: the other agent is this agent's counterpart
    transferred = bool(state.agent_party_id) and state.agent_party_id != party.party_id
    direction = "outbound" if party.direction == "Outbound" else "inbound"
    turn.set(
        agent_party_id=party.party_id,
        agent_extension_id=party.extension_id,
        direction=direction if state.direction == "unknown" else state.direction,
        ended_at=None,
        close_due=None,
        session_gone=False,
        left_by_transfer=False,
        read_due=turn.now,
    )
    if transferred:
        _fact(turn, "transferred", change)
    if state.answered_at is None:
        turn.set(answered_at=change.at)
        _fact(turn, "answered", change)


def _learn_of_answer(turn: Turn, known: Party, change: TelephonyPartyChanged, status: PartyStatus) -> None:
    """A late `Answered` of a party that has moved on since still says when the call was answered."""
    if not known.monitored or change.sequence < 0 or status not in ON_THE_CALL:
        return
    if turn.state.answered_at is None:
        if not turn.state.agent_party_id:
            turn.set(agent_party_id=known.party_id, agent_extension_id=known.extension_id)
        left_at = turn.state.ended_at or change.at
        turn.set(answered_at=change.at, ended_at=max(left_at, change.at))
        _fact(turn, "answered", change)
    elif known.party_id == turn.state.agent_party_id and status is PartyStatus.LIVE:
        turn.set(answered_at=min(turn.state.answered_at, change.at))


def _left(turn: Turn, party: Party, change: TelephonyPartyChanged) -> None:
    by_transfer = change.reason in TRANSFER_REASONS or change.code == "Gone"
    if party.party_id == turn.state.agent_party_id and by_transfer and change.peer_call_id:
        _fact(turn, "transferred", change)
    _retire(turn, party)
    if by_transfer:
        turn.set(left_by_transfer=True)
    if not turn.state.monitored_present():
        turn.set(ended_at=change.at, close_due=turn.in_ms(turn.policy.close_ms))


def _retire(turn: Turn, party: Party) -> None:
    target = turn.state.target(party.party_id)
    if target is not None:
        release(turn, target)


def _changes_the_plan(state: CallState, before: Party | None, party: Party) -> bool:
    """Whether the agent's awaited counterpart, or a third party, has joined."""
    joined = party.status in ON_THE_CALL and (before is None or before.status not in ON_THE_CALL)
    enough = 2 if state.mode == "" else 3
    return joined and state.mode != "session" and state.agent_talks() and len(state.participants()) >= enough


def _fact(turn: Turn, type_: FactType, change: TelephonyPartyChanged, *, cause: str = "") -> None:
    source = cause or (str(change.sequence) if change.sequence >= 0 else change.event_id)
    turn.effects.append(
        PublishFact(type=type_, at=change.at, cause=source, party_id=change.party_id, peer_call_id=change.peer_call_id)
    )


def gone_everywhere(turn: Turn) -> None:
    """The session is no more, so neither is any party."""
    state = turn.state
    close_due = turn.in_ms(turn.policy.close_ms)
    turn.set(
        parties=tuple(replace(p, status=PartyStatus.GONE) for p in state.parties),
        session_gone=True,
        ended_at=state.ended_at or turn.now,
        close_due=min(state.close_due or close_due, close_due),
    )
    for target in state.targets:
        release(turn, target)
