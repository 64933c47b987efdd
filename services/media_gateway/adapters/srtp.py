"""SRTP by libsrtp: one direction of one leg each."""

from __future__ import annotations

from pylibsrtp import Error, Policy, Session

from services.media_gateway.domain.sdp import SUITE

_PROFILES = {
    SUITE: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


class SrtpReceiver:
    """Decrypts what arrives. Not thread-safe."""

    def __init__(self, suite: str, key: bytes) -> None:
        """`key` is the peer's 30 bytes of master key and salt."""
        self._session = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=_PROFILES[suite]))

    def open(self, datagram: bytes) -> bytes | None:
        """Return the RTP packet, or None when it is not authentic, a replay, or no RTP."""
        try:
            return self._session.unprotect(datagram)
        except (Error, TypeError):
            return None


class SrtpSender:
    """Encrypts what we send. Not thread-safe."""

    def __init__(self, suite: str, key: bytes) -> None:
        """`key` is our 30 bytes of master key and salt."""
        self._session = Session(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=_PROFILES[suite]))

    def seal(self, packet: bytes) -> bytes:
        """Return the SRTP packet."""
        return self._session.protect(packet)
