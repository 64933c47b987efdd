"""A finished session as a record of the company's call log (`view=Detailed`: with its legs). Pure.

The shape is that of RingCentral's CallLogRecord and its legs; a leg names its extension and no party.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from services.ringcentral_sim.domain.session import GONE, TALKING, Session, rfc3339
from services.ringcentral_sim.domain.truth import Change


def call_log_record(session: Session, changes: Sequence[Change], *, detailed: bool, speed: float) -> dict[str, Any]:
    """`changes` in order, their times in simulated seconds of which `speed` make one of the client's."""
    legs = list(_legs(session, changes, speed))
    first = next((leg for leg in legs if "extension" in leg), legs[0])
    head = {key: value for key, value in first.items() if key not in ("legType", "master")}
    record = {
        **head,
        "uri": f"/restapi/v1.0/account/{session.parties[0].account_id}/call-log/{session.session_id}",
        "id": session.session_id,
        "sessionId": session.session_id,
        "partyId": session.parties[0].id,
    }
    return {**record, "legs": legs} if detailed else record


def _legs(session: Session, changes: Sequence[Change], speed: float) -> Iterator[dict[str, Any]]:
    zero_s = changes[0].at_s

    def at(instant_s: float) -> datetime:
        return session.created + timedelta(seconds=(instant_s - zero_s) / speed)

    for number, party in enumerate(session.parties):
        own = [change for change in changes if change.party.id == party.id]
        began_s = own[0].at_s
        ended_s = next((c.at_s for c in own if c.party.code in GONE), changes[-1].at_s)
        taken = any(c.party.code in TALKING for c in own)
        duration_ms = round((ended_s - began_s) / speed * 1000)
        inbound = party.direction == "Inbound"
        leg: dict[str, Any] = {
            "startTime": rfc3339(at(began_s)),
            "duration": round(duration_ms / 1000),
            "durationMs": duration_ms,
            "type": "Voice",
            "direction": party.direction,
            "action": "Monitoring" if party.supervisor else "Phone Call",
            "result": ("Accepted" if inbound else "Call connected") if taken else "Missed",
            "from": party.origin.wire(),
            "to": party.target.wire(),
            "legType": "Accept" if inbound else "PstnToSip",
            "telephonySessionId": session.id,
            "master": number == 0,
        }
        if party.extension_id is not None:
            leg["extension"] = {"id": int(party.extension_id)}
        yield leg
