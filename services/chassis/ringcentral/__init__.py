"""RingCentral's REST API for every service: the `ringcentral` SDK behind an adapter that adds what it lacks."""

from __future__ import annotations

from services.chassis.ringcentral.client import RingCentralClient
from services.chassis.ringcentral.penalties import RateLimit
from services.chassis.ringcentral.refusal import RingCentralRefused

__all__ = ["RateLimit", "RingCentralClient", "RingCentralRefused"]
