"""Which party of which call an INVITE brings: a speaker is right, or declared unknown.

Order of trust: (1) the monitored party that the INVITE names, (2) our own party, when RingCentral's reply to the
request named it, (3) the one request that is pending for the device. An INVITE that names the monitored party
is believed about the party even if nothing is known of a request; the role then stays unknown until it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from services.media_gateway.domain.sip_text import ApiIds

Role = Literal["agent", "customer", "mixed", "unknown"]
RoleSource = Literal["party_supervision", "session_supervision", "unknown"]
Mode = Literal["party", "session"]

PENDING_FOR_S = 60.0
REMEMBERED_FOR_S = 6 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A supervision request that RingCentral was, or is about to be, asked for. `party_id` is empty for a session."""

    call_id: str
    mode: Mode
    party_id: str
    role: Role
    device_id: str
    supervisor_extension_id: str = ""
    supervisor_party_id: str = ""
    requested_s: float = 0.0
    claimed: bool = False
    recast: bool = False
    queue_id: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """Call, mode and party."""
        return (self.call_id, self.mode, self.party_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of supervision as the orchestrator reports it; `at_s` is wall-clock seconds.

    `recast`: the party plays another role from now on, such as the colleague who has taken the call over.
    `superseded_leg_id`: this leg is not needed any more, because its parties are heard by themselves or the call
    is over. `queue_id`: the queue by which the call came; empty: none that is known.
    """

    type: str
    call_id: str
    mode: Mode
    party_id: str
    role: Role
    device_id: str
    supervisor_extension_id: str
    supervisor_party_id: str
    at_s: float
    recast: bool = False
    superseded_leg_id: str = ""
    queue_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """What an INVITE says of itself; `line` is the party its media line names, if any."""

    device_id: str
    monitored: ApiIds | None
    own: ApiIds | None
    line: ApiIds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whose audio a leg is."""

    call_id: str
    party_id: str
    role: Role
    role_source: RoleSource
    supervisor_party_id: str = ""
    queue_id: str = ""


@dataclass(frozen=True, slots=True)
class Expectations:
    """All requests known. Immutable: every change returns another."""

    by_key: Mapping[tuple[str, str, str], Expectation] = field(default_factory=dict)

    def learn(self, step: Step) -> Expectations:
        """Return what is known after `step`."""
        known = {key: e for key, e in self.by_key.items() if step.at_s - e.requested_s < REMEMBERED_FOR_S}
        key = (step.call_id, step.mode, step.party_id)
        old = known.get(key)
        match step.type:
            case "retrying" if step.recast and old is not None:
                known[key] = replace(old, role=step.role, recast=True, queue_id=step.queue_id or old.queue_id)
            case "requested" | "retrying":
                known[key] = Expectation(
                    call_id=step.call_id,
                    mode=step.mode,
                    party_id=step.party_id,
                    role="mixed" if step.mode == "session" else step.role,
                    device_id=step.device_id or (old.device_id if old else ""),
                    supervisor_extension_id=step.supervisor_extension_id,
                    requested_s=step.at_s,
                    queue_id=step.queue_id,
                )
            case "accepted" if old is not None:
                known[key] = replace(old, supervisor_party_id=step.supervisor_party_id)
            case "accepted":
                known[key] = Expectation(
                    call_id=step.call_id,
                    mode=step.mode,
                    party_id=step.party_id,
                    role="mixed" if step.mode == "session" else step.role,
                    device_id=step.device_id,
                    supervisor_extension_id=step.supervisor_extension_id,
                    supervisor_party_id=step.supervisor_party_id,
                    requested_s=step.at_s,
                    queue_id=step.queue_id,
                )
            case "degraded":
                known = {k: e for k, e in known.items() if k[0] != step.call_id or k[1] == "session"}
            case "failed" | "ended":
                known.pop(key, None)
            case _:
                pass
        return Expectations(known)

    def claim(self, key: tuple[str, str, str]) -> Expectations:
        """Return the requests after one was met by an INVITE."""
        found = self.by_key.get(key)
        if found is None:
            return self
        return Expectations({**self.by_key, key: replace(found, claimed=True)})


def correlate(invite: Invite, known: Expectations, now_s: float) -> tuple[Identity | None, Expectation | None]:
    """Return whose audio `invite` brings, and the request it answers; (None, None) when nothing says so."""
    named = invite.line if invite.line and invite.line.party_id else invite.monitored
    call_id = (named.call_id if named else None) or (invite.monitored.call_id if invite.monitored else None)
    call_id = call_id or (invite.own.call_id if invite.own else None)
    own_party = invite.own.party_id if invite.own and invite.own.party_id else ""
    if named and named.party_id and call_id:
        found = _of_party(known, call_id, named.party_id, own_party)
        if found is not None:
            return _identity(found, named.party_id, own_party), found
        return (
            Identity(
                call_id=call_id,
                party_id=named.party_id,
                role="unknown",
                role_source="unknown",
                supervisor_party_id=own_party,
            ),
            None,
        )
    if own_party:
        for expectation in known.by_key.values():
            if expectation.supervisor_party_id and _same(expectation.supervisor_party_id, own_party):
                return _identity(expectation, expectation.party_id, own_party), expectation
    pending = [
        e
        for e in known.by_key.values()
        if e.device_id == invite.device_id
        and not e.claimed
        and now_s - e.requested_s < PENDING_FOR_S
        and (call_id is None or _same(e.call_id, call_id))
    ]
    if len(pending) == 1:
        return _identity(pending[0], pending[0].party_id, own_party), pending[0]
    return None, None


def _of_party(known: Expectations, call_id: str, party_id: str, own_party: str) -> Expectation | None:
    """The request for the named party: the one whose reply named our party, else the only kind that can be meant.

    With a party's and the session's request open at once the role is not known before RingCentral has replied.
    """
    candidates = [
        e
        for e in known.by_key.values()
        if _same(e.call_id, call_id) and (e.mode == "session" or _same(e.party_id, party_id))
    ]
    for expectation in candidates:
        if own_party and _same(expectation.supervisor_party_id, own_party):
            return expectation
    # A reply that named another party of ours is about another INVITE.
    open_ones = [e for e in candidates if not (own_party and e.supervisor_party_id)] or candidates
    if len({(e.mode, e.role) for e in open_ones}) > 1:
        return None
    return max(open_ones, key=lambda e: e.requested_s, default=None)


def _identity(expectation: Expectation, party_id: str, own_party: str) -> Identity:
    source: RoleSource = "session_supervision" if expectation.mode == "session" else "party_supervision"
    return Identity(
        call_id=expectation.call_id,
        party_id=expectation.party_id or party_id,
        role=expectation.role,
        role_source="unknown" if expectation.role == "unknown" else source,
        supervisor_party_id=own_party or expectation.supervisor_party_id,
        queue_id=expectation.queue_id,
    )


def _same(left: str, right: str) -> bool:
    """Whether two ids are one, with or without the `p-` or `s-` that some messages leave out."""
    return left == right or left.removeprefix("p-").removeprefix("s-") == right.removeprefix("p-").removeprefix("s-")
