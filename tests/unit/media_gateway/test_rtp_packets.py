from __future__ import annotations

import math

import pytest

from services.media_gateway.domain.comfort import FRAME_SAMPLES, Comfort
from services.media_gateway.domain.g711 import mu_law_from_a_law
from services.media_gateway.domain.ports import PortPool
from services.media_gateway.domain.rtp import RtpPacket, build_rtp, parse_rtp
from services.media_gateway.domain.watch import SilenceWatch

PACKET = RtpPacket(0, True, 65535, 0xFFFFFFFF, 0xDEADBEEF, b"\x7f" * 160)


def test_what_is_built_is_parsed() -> None:
    assert parse_rtp(build_rtp(PACKET)) == PACKET


def test_extension_contributing_sources_and_padding_are_no_payload() -> None:
    plain = build_rtp(PACKET)
    header, payload = plain[:12], plain[12:]
    sources, extension = b"\0" * 8, b"\xbe\xde\x00\x01" + b"\0" * 4
    datagram = bytes([0x80 | 0x20 | 0x10 | 2]) + header[1:] + sources + extension + payload + b"\0\0\0\x04"
    assert parse_rtp(datagram) == PACKET


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x80\x00\x00",
        b"hello hello hello",
        b"\x00\x01\x00\x00" + b"\0" * 16,  # STUN
        b"\x80\xc8" + b"\0" * 26,  # RTCP sender report
        bytes([0xA0]) + build_rtp(PACKET)[1:12] + b"\xff",  # padding longer than the packet
        bytes([0x90]) + build_rtp(PACKET)[1:12],  # extension announced, none there
    ],
)
def test_what_is_no_rtp_is_none(datagram: bytes) -> None:
    assert parse_rtp(datagram) is None


def _linear_from_mu_law(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
    return 0x84 - magnitude if code & 0x80 else magnitude - 0x84


def _linear_from_a_law(code: int) -> int:
    """The decoder of G.711 as ITU-T G.191 writes it, in 16-bit scale."""
    code ^= 0x55
    magnitude = (code & 0x0F) << 4
    segment = (code & 0x70) >> 4
    magnitude = magnitude + 8 if segment == 0 else (magnitude + 0x108) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


def test_a_law_keeps_its_sound_as_mu_law() -> None:
    codes = bytes(range(256))
    turned = mu_law_from_a_law(codes)
    pairs = [(_linear_from_a_law(a), _linear_from_mu_law(m)) for a, m in zip(codes, turned, strict=True)]
    noise = sum((a - m) ** 2 for a, m in pairs)
    signal = sum(a**2 for a, _ in pairs)
    assert 10 * math.log10(signal / noise) > 30
    assert all((a > 0) == (m >= 0) for a, m in pairs if abs(a) > 100)


def test_comfort_silence_opens_at_full_pace_and_then_slows_down() -> None:
    comfort = Comfort(ssrc=1, sequence=65534, timestamp=0xFFFFFFFF, payload_type=0, started_ms=1000.0)
    due, packets = [], []
    for _ in range(8):
        due.append(comfort.due_ms)
        comfort, datagram = comfort.next()
        packets.append(parse_rtp(datagram))
    assert due == [1000, 1020, 1040, 1060, 1080, 1100, 1300, 1500]
    assert [p.sequence for p in packets] == [65534, 65535, 0, 1, 2, 3, 4, 5]
    assert [p.marker for p in packets] == [True] + [False] * 7
    assert [(p.timestamp + 1) & 0xFFFFFFFF for p in packets[:3]] == [0, FRAME_SAMPLES, 2 * FRAME_SAMPLES]
    assert (packets[7].timestamp + 1) & 0xFFFFFFFF == 4000
    assert packets[0].payload == b"\xff" * 160


def test_ports_are_even_and_rest_after_use() -> None:
    pool = PortPool(30001, 30006, cool_down_s=10)
    assert [pool.take(0), pool.take(0), pool.take(0), pool.take(0)] == [30002, 30004, 30006, None]
    pool.give_back(30004, now_s=5)
    assert pool.take(14.9) is None
    assert pool.take(15) == 30004


def test_a_silence_is_reported_once_and_again_after_sound() -> None:
    watch = SilenceWatch(answered_ms=0, limit_ms=500)
    seen = []
    for now_ms, heard_ms in [(400, None), (500, None), (900, None), (1000, 990), (1489, 990), (1490, 990), (2000, 990)]:
        watch, kind = watch.look(now_ms, heard_ms)
        seen.append(kind)
    assert seen == [None, "no_rtp", None, None, None, "rtp_silent", None]
