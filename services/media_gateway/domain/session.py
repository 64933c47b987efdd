"""One offered call from INVITE to its end: decided here, carried out by the shell.

    deciding -> answered -> gone        INVITE identified: answered at once
       |                     ^
       +-> gone (603)        |          nobody expects it, also not within `EXPECTATION_WAIT_S`
                             +---       BYE, a dead worker, a shutdown

A call has a leg for each media line that was taken: one, or one for each party that the lines name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Literal

from services.media_gateway.domain.correlation import Expectation, Expectations, Identity, Invite, correlate
from services.media_gateway.domain.sip_link import AgreedLine

EXPECTATION_WAIT_S = 1.5
Phase = Literal["deciding", "answered", "gone"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One audio stream of the call, on our RTP port `port`."""

    port: int
    invite: Invite
    leg_id: str = ""
    identity: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A call offered to a device. `number` is the SIP worker's; times are wall-clock seconds."""

    device_id: str
    number: int
    sip_call_id: str
    legs: tuple[Leg, ...]
    decide_by_s: float
    phase: Phase = "deciding"


@dataclass(frozen=True, slots=True)
class Accept:
    """Answer the call."""

    number: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Decline the call."""

    number: int
    status_code: int


@dataclass(frozen=True, slots=True)
class ClaimExpectation:
    """A request has been met."""

    key: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class AnnounceInvited:
    """The leg exists now."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Receive:
    """Start, or go on with, the leg as agreed."""

    leg: Leg
    line: AgreedLine


@dataclass(frozen=True, slots=True)
class Identify:
    """Whose the leg is has become known."""

    leg: Leg


@dataclass(frozen=True, slots=True)
class Release:
    """End the leg."""

    port: int
    reason: str


Effect = Accept | Refuse | ClaimExpectation | AnnounceInvited | Receive | Identify | Release


def leg_id(party_id: str, sip_call_id: str) -> str:
    """Return the leg's id: the party, and 8 hexadecimal digits that stand for the SIP Call-ID."""
    return f"{party_id}~{hashlib.sha256(sip_call_id.encode()).hexdigest()[:8]}"


def on_expectations(session: Session, known: Expectations, now_s: float) -> tuple[Session, tuple[Effect, ...]]:
    """Decide a new call, or correct a running one, from the requests known now."""
    if session.phase == "gone":
        return session, ()
    if session.phase == "answered":
        return _correct(session, known, now_s)
    legs: list[Leg] = []
    effects: list[Effect] = []
    for leg in session.legs:
        identity, expectation = correlate(leg.invite, known, now_s)
        if identity is None:
            continue
        if expectation is not None:
            effects.append(ClaimExpectation(expectation.key))
            known = known.claim(expectation.key)
        party = identity.party_id or identity.supervisor_party_id or "session"
        legs.append(replace(leg, identity=identity, leg_id=leg_id(party, session.sip_call_id)))
    if not legs:
        if now_s < session.decide_by_s:
            return session, ()
        return replace(session, phase="gone"), (
            Refuse(session.number, 603),
            *(Release(leg.port, "declined") for leg in session.legs),
        )
    unclaimed = {leg.port for leg in session.legs} - {leg.port for leg in legs}
    effects += [AnnounceInvited(leg) for leg in legs]
    effects.append(Accept(session.number))
    effects += [Release(port, "unidentified") for port in sorted(unclaimed)]
    return replace(session, phase="answered", legs=tuple(legs)), tuple(effects)


def on_agreed(session: Session, lines: tuple[AgreedLine, ...]) -> tuple[Session, tuple[Effect, ...]]:
    """Media was negotiated, for the first time or again."""
    by_port = {line.port: line for line in lines}
    if session.phase != "answered":
        return session, ()
    return session, tuple(Receive(leg, by_port[leg.port]) for leg in session.legs if leg.port in by_port)


def on_gone(session: Session, reason: str) -> tuple[Session, tuple[Effect, ...]]:
    """The call is over, whoever ended it."""
    if session.phase == "gone":
        return session, ()
    return replace(session, phase="gone"), tuple(Release(leg.port, reason) for leg in session.legs)


def _correct(session: Session, known: Expectations, now_s: float) -> tuple[Session, tuple[Effect, ...]]:
    """A role that was unknown may become known; a known one changes only when the party itself was recast."""
    legs: list[Leg] = []
    effects: list[Effect] = []
    for leg in session.legs:
        assert leg.identity is not None
        identity, expectation = correlate(leg.invite, known, now_s)
        learnt = leg
        told = identity is not None and identity.role != "unknown" and identity.call_id == leg.identity.call_id
        if told and (leg.identity.role == "unknown" or _recast(leg.identity, identity, expectation)):
            learnt = replace(leg, identity=identity)
            effects.append(Identify(learnt))
            if expectation is not None:
                effects.append(ClaimExpectation(expectation.key))
        legs.append(learnt)
    return replace(session, legs=tuple(legs)), tuple(effects)


def _recast(before: Identity, after: Identity | None, told: Expectation | None) -> bool:
    """Whether the orchestrator said that the supervised party plays another role from now on."""
    return (
        after is not None
        and told is not None
        and told.recast
        and before.role_source == after.role_source == "party_supervision"
        and before.party_id == after.party_id
        and before.role != after.role
    )
