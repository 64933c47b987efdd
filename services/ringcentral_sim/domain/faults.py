"""Faults a test may switch on, and the counters it may read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from services.ringcentral_sim.domain.errors import ErrorShape
from services.ringcentral_sim.domain.ports import MonitoringHeaders

InviteFault = Literal["after_reply", "none", "before_reply"]


@dataclass(slots=True, kw_only=True)
class Faults:
    """Switches; the defaults are the platform on a good day."""

    monitoring_headers: MonitoringHeaders = "all"
    invite: InviteFault = "after_reply"
    late_offer: bool = False
    two_media_lines: bool = False
    offline_devices: frozenset[str] = frozenset()
    disabled_filters: frozenset[str] = frozenset()
    error_shape: ErrorShape = "errors"


@dataclass(slots=True)
class Counters:
    """What happened since start."""

    requests: int = 0
    rate_limit_violations: int = 0
    logins: int = 0
    supervise_accepted: int = 0
    supervise_refused: int = 0
    supervised_twice: int = 0
    session_deletes: int = 0
    party_deletes: int = 0
    invites_sent: int = 0
    invites_refused: int = 0
    events_published: int = 0
    notifications_sent: int = 0
    webhook_failures: int = 0
    websocket_connections: int = 0
    websocket_recoveries: int = 0
    calls_started: int = 0
    calls_ended: int = 0
    supervise_by_party: dict[str, int] = field(default_factory=dict)
