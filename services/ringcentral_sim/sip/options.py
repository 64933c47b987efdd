"""The knobs of the SIP side: what RingCentral leaves open or changes over time is set here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# The offer that RingCentral makes: Opus, G722, PCMU, G729, iLBC, PCMA, narrow Opus, telephone-event.
DEFAULT_PAYLOAD_TYPES = (111, 9, 0, 18, 96, 8, 109, 101)


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairments:
    """What the network does to the packets sent; every leg draws from its own stream of `seed`.

    `loss` and `reorder` are fractions of the packets (0 to 1). A reordered packet leaves 30 ms late, behind
    its successor. `jitter_ms` delays each packet by a uniform 0..jitter_ms.
    """

    loss: float = 0.0
    reorder: float = 0.0
    jitter_ms: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SipOptions:
    """Behaviour of the registrar, of supervise calls and of their media."""

    # Named in Via, Contact and SDP; the address bound when None (needed when bound to 0.0.0.0).
    public_host: str | None = None
    # The registrar answers with the smaller of what was asked and this.
    max_expires_s: int = 60
    max_instances: int = 5
    nonce_lifetime_s: float = 3600.0
    # RFC 3261 timer T1; retransmissions and time-outs over UDP scale with it.
    t1_s: float = 0.5
    answer_timeout_s: float = 15.0
    payload_types: tuple[int, ...] = DEFAULT_PAYLOAD_TYPES
    # First and last RTP port; (0, 0) takes any that is free. Only even ports are used.
    rtp_ports: tuple[int, int] = (0, 0)
    # Without a packet from the client for this long after the ACK, audio goes to the address in its SDP.
    latch_fallback_s: float | None = 3.0
    # A leg whose client has sent no RTP for this long is ended with BYE, as RingCentral is said to do.
    silence_bye_s: float | None = None
    impairments: Impairments = field(default_factory=Impairments)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuperviseOffer:
    """A supervise call to place: which device, about whom, and in which of the shapes seen in the field.

    `headers` says how `p-rc-api-monitoring-ids` comes: session first ("all"), party first ("reordered"), or
    neither of the two `p-rc-api-*` headers ("omitted"). `monitored_party_id` is None for a session-level supervise.
    """

    device_id: str
    caller_number: str
    supervisor_party_id: str
    monitored_party_id: str | None
    session_id: str
    headers: Literal["all", "reordered", "omitted"] = "all"
    late_offer: bool = False
    two_media_lines: bool = False


class InviteRefused(Exception):
    """The device refused the call, or cannot be reached (480): `status` and `reason` as SIP gives them."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class InviteTimeout(Exception):
    """The device gave no final answer in time; the call was cancelled."""
