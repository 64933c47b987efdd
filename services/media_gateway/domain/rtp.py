"""RTP packets on the wire (RFC 3550, section 5.1): parse what arrives, build the silence we send."""

from __future__ import annotations

import struct
from dataclasses import dataclass

CLOCK_HZ = 8000
PCMU = 0
PCMA = 8

_HEADER = struct.Struct("!BBHII")
_MINIMUM_BYTES = _HEADER.size
# RTCP packet types 192-223 show up as payload types 64-95 when RTP and RTCP share a port (RFC 5761).
_RTCP_LOWEST, _RTCP_HIGHEST = 64, 95


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One RTP packet: 16-bit sequence, 32-bit timestamp in units of 1/8000 s, payload without padding."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def parse_rtp(datagram: bytes) -> RtpPacket | None:
    """Return the packet in `datagram`, or None when it is no RTP version 2 packet (RTCP, STUN, noise)."""
    size = len(datagram)
    if size < _MINIMUM_BYTES:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    payload_type = second & 0x7F
    if first >> 6 != 2 or _RTCP_LOWEST <= payload_type <= _RTCP_HIGHEST:
        return None
    start = _MINIMUM_BYTES + 4 * (first & 0x0F)
    if first & 0x10:
        if size < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(datagram[start + 2 : start + 4], "big")
    end = size
    if first & 0x20:
        end -= datagram[-1]
    if start > end:
        return None
    return RtpPacket(payload_type, bool(second & 0x80), sequence, timestamp, ssrc, datagram[start:end])


def build_rtp(packet: RtpPacket) -> bytes:
    """Return `packet` as a datagram without extensions, contributing sources or padding."""
    second = packet.payload_type | (0x80 if packet.marker else 0)
    header = _HEADER.pack(0x80, second, packet.sequence & 0xFFFF, packet.timestamp & 0xFFFFFFFF, packet.ssrc)
    return header + packet.payload
