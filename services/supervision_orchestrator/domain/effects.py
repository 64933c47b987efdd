"""What the shell is to do. Facts and steps carry ids derived from their cause, so that a replay repeats them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

FactType = Literal["started", "answered", "held", "resumed", "transferred", "conferenced", "ended"]
StepType = Literal[
    "requested", "accepted", "invite_received", "media_up", "degraded", "retrying", "failed", "ended"
]  # fmt: skip
Direction = Literal["inbound", "outbound", "internal", "unknown"]
Role = Literal["agent", "customer", "mixed"]
Reason = Literal[
    "covered", "partly_covered", "mixed", "refused", "no_capacity", "no_device_online", "rate_limited", "too_short",
    "consent_missing", "not_answered", "no_audio", "not_permitted", "error",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The terminal account of a call; see the CallOutcome record."""

    reason: Reason
    duration_ms: int = 0
    agent_heard_ms: int = 0
    customer_heard_ms: int = 0
    mixed_heard_ms: int = 0
    gap_ms: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishFact:
    """A lifecycle fact. `cause` makes its id unique within call and type."""

    type: FactType
    at: datetime
    cause: str
    party_id: str = ""
    peer_call_id: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishStep:
    """A supervision step; `cause` as above, within the target and attempt. `waited_ms`: with the first media_up.

    `queue_id`: the queue by which the call came, where it is known.
    """

    type: StepType
    at: datetime
    mode: Literal["party", "session"]
    party_id: str
    role: Role
    attempt: int = 0
    cause: str = ""
    device_id: str = ""
    supervisor_party_id: str = ""
    leg_id: str = ""
    reason: str = ""
    queue_id: str = ""
    waited_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishSnapshot:
    """The state as it now is goes to whoever joins late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSession:
    """GET the session as this supervisor; comes back as SessionRead, SessionGone or ReadFailed, same attempt."""

    attempt: int
    supervisor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervise:
    """POST supervise, after its `requested` step and the state are safely written. Empty party: the session."""

    party_id: str
    attempt: int
    agent_extension_id: str
    supervisor: str
    device_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowPeer:
    """The call's agent went on in another session: look at that one too."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Drop the call's row: it ended long ago."""


Effect = PublishFact | PublishStep | PublishSnapshot | ReadSession | Supervise | FollowPeer | Forget
