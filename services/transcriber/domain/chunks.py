"""One leg's audio as it arrives, decoded to samples."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Role(StrEnum):
    """Who speaks on a leg: right, or declared unknown; never guessed."""

    AGENT = "agent"
    CUSTOMER = "customer"
    MIXED = "mixed"
    UNKNOWN = "unknown"


class RoleSource(StrEnum):
    """How the role is known."""

    PARTY_SUPERVISION = "party_supervision"
    SESSION_SUPERVISION = "session_supervision"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegIdentity:
    """Whose audio a leg is. The role and the queue may turn from unknown into known while the leg lasts.

    ``queue_id`` is the extension of the queue by which the call came; empty: by none, or by one that is not known.
    """

    call_id: str
    leg_id: str
    party_id: str = ""
    role: Role = Role.UNKNOWN
    role_source: RoleSource = RoleSource.UNKNOWN
    queue_id: str = ""

    def refreshed(self, newer: LegIdentity) -> LegIdentity:
        """The newest known role and queue: a later unknown one does not unlearn an earlier one."""
        known = self if newer.role is Role.UNKNOWN and self.role is not Role.UNKNOWN else newer
        queue_id = newer.queue_id or self.queue_id
        return known if known.queue_id == queue_id else replace(known, queue_id=queue_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegChunk:
    """About 200 ms of one leg: signed 16-bit little-endian mono.

    ``media_time_ms`` is its start on the call's media clock; ``captured_ms`` the wall clock (ms since 1970) at its
    end; ``epoch_ms`` the wall clock of media time 0. ``offset`` is its place in the log that it was read from.
    """

    identity: LegIdentity
    sequence: int
    pcm16: bytes
    rate_hz: int
    media_time_ms: int
    captured_ms: int
    epoch_ms: int | None = None
    gap_before_ms: int = 0
    end: bool = False
    offset: int = -1
