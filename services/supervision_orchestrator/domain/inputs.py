"""What can happen to a call, as the decision sees it. All times are RingCentral's or the gateway's own, in UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TelephonyPartyChanged:
    """One party of one notification. `sequence` orders the session's changes; -1: read by REST, age unknown.

    `after_the_fact`: told by the call log, of a call that is over; its party id is none of RingCentral's.
    """

    call_id: str
    event_id: str
    sequence: int
    at: datetime
    party_id: str
    code: str
    reason: str = ""
    extension_id: str = ""
    direction: str = ""
    queue_call: bool = False
    peer_call_id: str = ""
    dialled_extension_id: str = ""
    after_the_fact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadParty:
    """A party as the session status tells it."""

    party_id: str
    code: str
    reason: str = ""
    extension_id: str = ""
    direction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRead:
    """GET session answered; `attempt` says which of the call's readings it answers."""

    call_id: str
    attempt: int
    at: datetime
    parties: tuple[ReadParty, ...]
    supervisor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionGone:
    """GET session answered 404: the call is over."""

    call_id: str
    attempt: int
    at: datetime
    supervisor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFailed:
    """GET session was refused or had no answer."""

    call_id: str
    attempt: int
    at: datetime
    status: int = 0
    error_code: str = ""
    retry_after_ms: int = 0
    supervisor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperviseAccepted:
    """A 2xx to a supervise request: no proof of audio. `party_id` is empty for the session."""

    call_id: str
    party_id: str
    attempt: int
    at: datetime
    supervisor_party_id: str = ""
    supervisor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperviseRefused:
    """Anything else. Status 0: no answer at all."""

    call_id: str
    party_id: str
    attempt: int
    at: datetime
    status: int = 0
    error_code: str = ""
    retry_after_ms: int = 0
    retryable: bool = False
    supervisor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue:
    """Time has come for something in the state; what is due is read from the state, so a late one does no harm."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """There is room for the waiting call now; it need not sit out its wait."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFollowed:
    """An agent of another call went on in this one."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentTold:
    """The company's consent state of the call, given or withdrawn."""

    call_id: str
    given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _LegInput:
    call_id: str
    leg_id: str
    at: datetime
    party_id: str = ""
    supervisor_party_id: str = ""
    role: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegInvited(_LegInput):
    """The supervise INVITE arrived; it may beat the HTTP reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegUp(_LegInput):
    """First decodable RTP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegGap(_LegInput):
    """Audio missing on a leg that goes on; `media_time_ms` orders a leg's gaps."""

    gap_ms: int = 0
    media_time_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LegDown(_LegInput):
    """BYE, RTP time-out or the gateway's own end."""

    reason: str = ""


Reply = SessionRead | SessionGone | ReadFailed | SuperviseAccepted | SuperviseRefused
"""Answers to requests; `supervisor` is who asked, empty where a record of an earlier version does not tell."""
Leg = LegInvited | LegUp | LegGap | LegDown
Input = (
    TelephonyPartyChanged
    | SessionRead
    | SessionGone
    | ReadFailed
    | SuperviseAccepted
    | SuperviseRefused
    | TimerDue
    | LetIn
    | PeerFollowed
    | ConsentTold
    | Leg
)
