"""Everything the endpoints share: one object a running simulator, made by `app.build_world`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from services.ringcentral_sim.calls.book import CallBook
from services.ringcentral_sim.calls.legs import Legs
from services.ringcentral_sim.calls.run import CallRun
from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.domain.company import Company
from services.ringcentral_sim.domain.faults import Counters, Faults
from services.ringcentral_sim.domain.pace import Pace
from services.ringcentral_sim.domain.ports import Clock, SipAddresses, SipSide
from services.ringcentral_sim.domain.rate_limit import RateLimiter
from services.ringcentral_sim.domain.subscriptions import SubscriptionStore
from services.ringcentral_sim.domain.tokens import TokenStore
from services.ringcentral_sim.events.gateway import Gateway
from services.ringcentral_sim.events.webhook import Webhooks
from services.ringcentral_sim.tasks import Tasks
from services.ringcentral_sim.timed_faults import TimedFaults

if TYPE_CHECKING:
    from services.ringcentral_sim.calls.floor import FloorDay


@dataclass(slots=True, kw_only=True)
class World:
    """Mutable state and collaborators; all access is from the event loop's thread."""

    settings: SimulatorSettings
    company: Company
    clock: Clock
    tasks: Tasks
    new_id: Callable[[str], str]
    pace: Pace
    tokens: TokenStore
    limiter: RateLimiter
    faults: Faults
    counters: Counters
    subscriptions: SubscriptionStore
    book: CallBook
    legs: Legs
    gateway: Gateway
    webhooks: Webhooks
    timed_faults: TimedFaults
    sip: SipSide
    sip_addresses: SipAddresses = field(default_factory=SipAddresses)
    calls: dict[str, CallRun] = field(default_factory=dict)
    floor: FloorDay | None = None
