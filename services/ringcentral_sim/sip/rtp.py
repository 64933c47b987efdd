"""RTP packets (RFC 3550 §5.1), their protection (RFC 3711), and what a bad network does to them. No sockets."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

from pylibsrtp import Policy, Session

from services.ringcentral_sim.sip.options import Impairments
from services.ringcentral_sim.sip.sdp import Crypto

REORDER_DELAY_S = 0.03

_HEADER = struct.Struct("!BBHII")
_VERSION_2 = 0x80
_MARKER = 0x80
_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}

Protect = Callable[[bytes], bytes]


class Packetizer:
    """Numbers the payloads of one stream from random starts; the first packet carries the marker."""

    def __init__(self, payload_type: int, rng: random.Random) -> None:
        self._payload_type = payload_type
        self._ssrc = rng.getrandbits(32)
        # Below the wrap for the first 2^15 packets: SRTP's roll-over counter is unknown to a late joiner.
        self._sequence = rng.getrandbits(15)
        self._timestamp = rng.getrandbits(32)
        self._marker = _MARKER

    def packet(self, payload: bytes) -> bytes:
        """The next packet; one byte of payload is one sample, as G.711 has it."""
        header = _HEADER.pack(
            _VERSION_2, self._marker | self._payload_type, self._sequence, self._timestamp, self._ssrc
        )
        self._marker = 0
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(payload)) & 0xFFFF_FFFF
        return header + payload

    def skip(self, samples: int) -> None:
        """Let media time pass without a packet, as on hold."""
        self._timestamp = (self._timestamp + samples) & 0xFFFF_FFFF


def protection(crypto: Crypto | None) -> Protect:
    """How packets are protected under `crypto`; not at all without."""
    if crypto is None:
        return bytes
    policy = Policy(key=crypto.key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=_PROFILES[crypto.suite])
    return Session(policy).protect


class Network:
    """Draws each packet's fate; the same seed and leg give the same fates."""

    def __init__(self, impairments: Impairments, leg: int) -> None:
        self._impairments = impairments
        self._rng = random.Random(f"{impairments.seed}/{leg}")

    def delay_s(self) -> float | None:
        """Seconds until the next packet leaves, or None when it is lost."""
        impairments = self._impairments
        lost, late, jitter = self._rng.random(), self._rng.random(), self._rng.random()
        if lost < impairments.loss:
            return None
        delay_s = jitter * impairments.jitter_ms / 1000
        return delay_s + REORDER_DELAY_S if late < impairments.reorder else delay_s
