"""An extension's presence with detailed telephony state, as its notifications carry it.

Source: RingCentral's Detailed Extension Presence Event. It knows an extension's calls, not their parties' history: five
statuses, at most seven calls, and a `sequence` that orders the extension's notifications and no call's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from services.ringcentral_sim.domain.session import Party, Session, rfc3339

Status = Literal["NoCall", "Ringing", "CallConnected", "OnHold", "ParkedCall"]
MOST_CALLS = 7
_STATUSES: dict[str, Status] = {
    "Setup": "Ringing",
    "Proceeding": "Ringing",
    "Answered": "CallConnected",
    "Hold": "OnHold",
    "Parked": "ParkedCall",
}


def telephony_status(party: Party) -> Status:
    """What presence calls the party's state."""
    return _STATUSES.get(party.code, "NoCall")


def presence_body(
    extension_id: str, calls: Iterable[tuple[Session, Party]], *, sequence: int, detailed: bool, sip_data: bool
) -> dict[str, Any]:
    """The notification's body; `calls` are the extension's parties, newest first, the one that changed among them."""
    listed = list(calls)
    under_way = [telephony_status(party) for _, party in listed if telephony_status(party) != "NoCall"]
    body: dict[str, Any] = {
        "extensionId": extension_id,
        "telephonyStatus": under_way[0] if under_way else "NoCall",
        "sequence": sequence,
        "presenceStatus": "Busy" if under_way else "Available",
        "userStatus": "Available",
        "dndStatus": "TakeAllCalls",
        "allowSeeMyPresence": True,
        "ringOnMonitoredCall": False,
        "pickUpCallsOnHold": False,
    }
    if detailed:
        body["activeCalls"] = [_call(session, party, sip_data=sip_data) for session, party in listed[:MOST_CALLS]]
        body["totalActiveCalls"] = len(under_way)
    return body


def _call(session: Session, party: Party, *, sip_data: bool) -> dict[str, Any]:
    status = telephony_status(party)
    told = {
        "id": f"{session.session_id}@{party.id}",
        "direction": party.direction,
        "queueCall": party.queue_call,
        "from": party.origin.phone_number,
        "fromName": party.origin.name,
        "to": party.target.phone_number,
        "toName": party.target.name,
        "startTime": rfc3339(session.created),
        "telephonyStatus": status,
        "sessionId": session.session_id,
        "telephonySessionId": session.id,
        "partyId": party.id,
    }
    if status == "NoCall":
        told["terminationType"] = "final"
    if sip_data:
        told["sipData"] = {"toTag": f"to-{party.id}", "fromTag": f"from-{party.id}"}
    return {key: value for key, value in told.items() if value is not None}
