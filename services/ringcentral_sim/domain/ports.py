"""What the simulator's core asks of the outside: a clock, a SIP side, samples, a webhook poster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

MonitoringHeaders = Literal["all", "reordered", "omitted"]


class Clock(Protocol):
    """Wall time for the wire, monotonic time (the event loop's) for pacing."""

    def now(self) -> datetime:
        """Aware UTC wall time."""

    def monotonic(self) -> float:
        """Seconds; the same clock as `SuperviseLeg.play(start_at)`."""

    async def sleep(self, seconds: float) -> None:
        """Wait; returns at once when seconds <= 0."""


class PcmSource(Protocol):
    """Samples of one leg."""

    def read(self, position_samples: int, count: int) -> NDArray[np.int16]:
        """Exactly `count` int16 samples at 8 kHz from `position_samples`; zeros outside the recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAddresses:
    """Bound (host, port) pairs of the SIP server; None where a transport is off."""

    udp: tuple[str, int] | None = None
    tcp: tuple[str, int] | None = None
    tls: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperviseOffer:
    """What the SIP side needs to make a supervise INVITE."""

    device_id: str
    caller_number: str
    supervisor_party_id: str
    monitored_party_id: str | None
    session_id: str
    headers: MonitoringHeaders = "all"
    late_offer: bool = False
    two_media_lines: bool = False


class InviteRefused(Exception):
    """The client answered the INVITE with a final status that is not 2xx, or never answered (408)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class SuperviseLeg(Protocol):
    """One answered supervise dialog."""

    call_id: str

    async def latched(self, timeout_s: float) -> bool:
        """True once the client's first RTP packet arrived; False after `timeout_s`."""

    def play(self, source: PcmSource, start_at: float) -> None:
        """Send 20 ms PCMU packets from the loop.time() instant `start_at`, position 0 first."""

    async def bye(self) -> None:
        """Send BYE; nothing happens when the dialog is over."""

    def vanish(self) -> None:
        """Fault: stop the media and forget the dialog without a word to the client."""

    async def ended(self) -> str:
        """Resolve with the cause when the remote sent BYE or `bye()` was done."""


class SipSide(Protocol):
    """The registrar and the INVITE side."""

    async def start(self) -> SipAddresses:
        """Bind the transports."""

    async def stop(self) -> None:
        """Close transports and legs."""

    def is_registered(self, device_id: str) -> bool:
        """A live registration exists."""

    async def invite(self, offer: SuperviseOffer) -> SuperviseLeg:
        """Return once the INVITE is answered and ACKed, or raise InviteRefused."""


class WebhookPoster(Protocol):
    """HTTP POST towards a subscriber."""

    async def post(self, address: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Status and lower-cased reply headers; status 0 when the address could not be reached."""

    async def close(self) -> None:
        """Release connections."""
