"""A telephony session and its parties: state, and the two forms it has on the wire."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

GONE = frozenset({"Disconnected", "Gone"})
TALKING = frozenset({"Answered", "Hold"})


def rfc3339(at: datetime) -> str:
    """Milliseconds and Z, as the platform writes times."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The `from` or `to` of a party."""

    phone_number: str | None = None
    name: str | None = None
    extension_id: str | None = None
    device_id: str | None = None

    def wire(self) -> dict[str, str]:
        """Only the fields that are known."""
        named = {
            "phoneNumber": self.phone_number,
            "name": self.name,
            "extensionId": self.extension_id,
            "deviceId": self.device_id,
        }
        return {key: value for key, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Peer:
    """The party of another session that a `Gone` party went on in."""

    telephony_session_id: str
    session_id: str
    party_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One end of a session; `supervises` is set on a supervisor's party (None for a whole session)."""

    id: str
    account_id: str
    direction: str
    origin: Endpoint
    target: Endpoint
    extension_id: str | None = None
    code: str = "Setup"
    reason: str | None = None
    pickup: bool = False
    missed: bool = False
    muted: bool = False
    queue_call: bool = False
    park_id: str | None = None
    peer: Peer | None = None
    supervisor_device_id: str | None = None
    supervises: str | None = None

    @property
    def supervisor(self) -> bool:
        """Whether this is a supervisor's own party."""
        return self.supervisor_device_id is not None

    @property
    def live(self) -> bool:
        """Neither Disconnected nor Gone."""
        return self.code not in GONE

    def moved(
        self,
        code: str,
        reason: str | None = None,
        *,
        missed: bool = False,
        muted: bool | None = None,
        park_id: str | None = None,
        peer: Peer | None = None,
    ) -> Party:
        """The party in its next status; pick-up data shows only while ringing and on the first answer.

        A party stays muted until it is told otherwise.
        """
        first = code == "Proceeding" or (code == "Answered" and self.code in ("Setup", "Proceeding"))
        pickup = first and self.extension_id is not None and self.direction == "Inbound"
        return replace(
            self,
            code=code,
            reason=reason,
            pickup=pickup,
            missed=missed,
            muted=self.muted if muted is None else muted,
            park_id=park_id,
            peer=peer,
        )

    def status(self) -> dict[str, Any]:
        """The `status` object common to events and REST."""
        status: dict[str, Any] = {"code": self.code, "rcc": False}
        if self.reason is not None:
            status["reason"] = self.reason
        return status

    def event_form(self) -> dict[str, Any]:
        """As element of a notification's `parties`."""
        status = self.status()
        if self.pickup:
            status["mobilePickupData"] = {
                "ccMailboxes": [self.extension_id],
                "to": "#1052016@sip.sim.example:5060",
                "sid": "53205738620264",
                "srvLvl": "-149699523",
                "srvLvlExt": "406",
            }
        if self.peer is not None:
            status["peerId"] = {
                "sessionId": self.peer.session_id,
                "telephonySessionId": self.peer.telephony_session_id,
                "partyId": self.peer.party_id,
            }
        wire: dict[str, Any] = {"accountId": self.account_id}
        if self.extension_id is not None:
            wire["extensionId"] = self.extension_id
        return {
            **wire,
            "id": self.id,
            "direction": self.direction,
            "from": self.origin.wire(),
            "to": self.target.wire(),
            "status": status,
            "park": {} if self.park_id is None else {"id": self.park_id},
            "missedCall": self.missed,
            "standAlone": False,
            "muted": self.muted,
            "queueCall": self.queue_call,
        }

    def rest_form(self) -> dict[str, Any]:
        """As REST shows it: `owner` and `attributes`, no pick-up data."""
        owner = {"accountId": self.account_id}
        status = self.status()
        if self.peer is not None:
            # REST names the other session by its s- id alone.
            status["peerId"] = {"sessionId": self.peer.telephony_session_id, "partyId": self.peer.party_id}
        wire: dict[str, Any] = {"id": self.id, "accountId": self.account_id, "direction": self.direction}
        if self.extension_id is not None:
            wire["extensionId"] = owner["extensionId"] = self.extension_id
        return {
            **wire,
            "from": self.origin.wire(),
            "to": self.target.wire(),
            "owner": owner,
            "status": status,
            "attributes": {"queueCall": self.queue_call},
            "muted": self.muted,
            "standAlone": False,
            "missedCall": self.missed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`sequence` is that of the last change; the first change of a session has 2."""

    core: str
    session_id: str
    created: datetime
    server_id: str = "10.13.22.27.SIM"
    sequence: int = 1
    parties: tuple[Party, ...] = ()

    @property
    def id(self) -> str:
        """The telephonySessionId."""
        return f"s-{self.core}"

    def next_party_id(self) -> str:
        """Party numbers go up from 1 in order of joining."""
        return f"p-{self.core}-{len(self.parties) + 1}"

    def party(self, party_id: str) -> Party | None:
        """By id; None when the session never had it."""
        return next((p for p in self.parties if p.id == party_id), None)

    def put(self, party: Party) -> Session:
        """Add or replace a party: one change, one sequence number."""
        known = any(p.id == party.id for p in self.parties)
        parties = tuple(party if p.id == party.id else p for p in self.parties)
        return replace(self, parties=parties if known else (*parties, party), sequence=self.sequence + 1)

    def participants(self) -> list[Party]:
        """Live parties that are not supervisors."""
        return [p for p in self.parties if p.live and not p.supervisor]

    def supervisors(self) -> list[Party]:
        """Live supervisor parties."""
        return [p for p in self.parties if p.live and p.supervisor]

    @property
    def over(self) -> bool:
        """It had participants and none is left."""
        return bool(self.parties) and not self.participants()

    def rest_form(self) -> dict[str, Any]:
        """The session status object: `id`, no sequence, Disconnected parties included."""
        return {
            "id": self.id,
            "creationTime": rfc3339(self.created),
            "origin": {"type": "Call"},
            "parties": [p.rest_form() for p in self.parties],
        }

    def event_body(self, party: Party, event_time: datetime) -> dict[str, Any]:
        """The notification body of the latest change, which is this party's."""
        return {
            "sequence": self.sequence,
            "sessionId": self.session_id,
            "telephonySessionId": self.id,
            "serverId": self.server_id,
            "eventTime": rfc3339(event_time),
            "parties": [party.event_form()],
            "origin": {"type": "Call"},
        }
