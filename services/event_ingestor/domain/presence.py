"""Presence notifications with detailed telephony state: what they say of an extension's calls, and what not.

A notification lists the extension's latest seven calls with one of five statuses each. It names no parties but the
extension's own and its `sequence` orders the extension's notifications, no call's: so it is a hint that something has
changed, and the session, read by REST, says what. Source: RingCentral's Detailed Extension Presence Event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from services.chassis.errors import Poison
from services.event_ingestor.domain.calls import ENDED, KnownCalls, Party

_EVENT = re.compile(r"/account/([^/?~]+)/extension/([^/?~]+)/presence\b")
AGREES: Mapping[str, frozenset[str]] = {
    "Ringing": frozenset({"Setup", "Proceeding"}),
    "CallConnected": frozenset({"Answered"}),
    "OnHold": frozenset({"Hold"}),
    "ParkedCall": frozenset({"Parked"}),
    "NoCall": ENDED,
}
"""The statuses of a party that each presence status stands for."""


class _Call(msgspec.Struct, rename="camel"):
    telephony_session_id: str | None = None
    party_id: str | None = None
    telephony_status: str | None = None


class _Body(msgspec.Struct, rename="camel"):
    active_calls: list[_Call] | None = None
    total_active_calls: int | None = None


class _Notification(msgspec.Struct):
    uuid: str
    event: str
    body: _Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """One notification. `calls` None: it says nothing of calls; `complete`: an open call that is missing has ended."""

    uuid: str
    extension_id: str
    account_id: str
    calls: tuple[tuple[str, str, str], ...] | None
    complete: bool


@dataclass(frozen=True, slots=True)
class Doubt:
    """A call to be read by REST; `party` is the extension's, to be told of as ended should nothing else be known."""

    call_id: str
    party: Party | None


def parse(raw: bytes) -> Presence:
    """Raises Poison(`bad_presence`). `calls` are (call, party, presence status); those without an id are left out."""
    try:
        told = msgspec.json.decode(raw, type=_Notification)
    except (msgspec.MsgspecError, UnicodeError):
        raise Poison("bad_presence", "no presence notification") from None
    found = _EVENT.search(told.event)
    if found is None or not told.uuid:
        raise Poison("bad_presence", "no uuid, or no presence of an extension")
    listed = told.body.active_calls
    under_way = sum(call.telephony_status != "NoCall" for call in listed or ())
    named = None
    if listed is not None:
        named = tuple(
            (call.telephony_session_id, call.party_id or "", call.telephony_status or "")
            for call in listed
            if call.telephony_session_id
        )
    total = told.body.total_active_calls
    complete = listed is not None and len(named or ()) == len(listed) and (total is None or total <= under_way)
    return Presence(
        uuid=told.uuid, account_id=found.group(1), extension_id=found.group(2), calls=named, complete=complete
    )


def doubts(presence: Presence, known: KnownCalls) -> list[Doubt]:
    """The calls whose known state the notification contradicts; one that agrees needs no reading."""
    if presence.calls is None:
        return []
    found = []
    for call_id, party_id, status in presence.calls:
        code = known.code(call_id, party_id) if party_id else ""
        over = status == "NoCall" and not code and known.changes(call_id) > 0
        if code not in AGREES.get(status, ()) and not over:
            found.append(Doubt(call_id, _ended(presence, party_id) if party_id else None))
    named = {call_id for call_id, _, _ in presence.calls}
    if presence.complete:
        found += [Doubt(call_id, None) for call_id in known.open_of(presence.extension_id) if call_id not in named]
    return found


def _ended(presence: Presence, party_id: str) -> Party:
    return Party(
        party_id=party_id, extension_id=presence.extension_id, account_id=presence.account_id, code="Disconnected"
    )
