"""What a line puts into each 20 ms frame: silence, then the source from the asked moment on, then silence."""

from __future__ import annotations

import asyncio
import random
from typing import cast

import numpy as np
from numpy.typing import NDArray

from services.ringcentral_sim.sip.g711 import encode_mu_law
from services.ringcentral_sim.sip.media import Pacer, RtpLine
from services.ringcentral_sim.sip.options import Impairments
from services.ringcentral_sim.sip.rtp import Network
from services.ringcentral_sim.sip.sdp import Agreement

AGREED = Agreement(payload_type=0, host="10.0.0.9", port=4000, crypto=None, sending=True)
HERE = ("10.0.0.7", 5000)


class Wire(asyncio.DatagramTransport):
    """Takes datagrams instead of a network."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[bytes, tuple[str, int]]] = []

    def sendto(self, data: bytes, addr: object = None) -> None:  # type: ignore[override]
        self.sent.append((data, cast(tuple[str, int], addr)))

    def close(self) -> None:
        self.sent.append((b"closed", HERE))


class Ramp:
    """400 samples, each unlike its neighbours."""

    pcm = (np.arange(400, dtype=np.int16) - 200) * 100

    def read(self, position_samples: int, count: int) -> NDArray[np.int16]:
        return self.pcm[position_samples : position_samples + count]


def line_on(wire: Wire, pacer: Pacer) -> RtpLine:
    line = RtpLine(pacer, Network(Impairments(), 1), random.Random(1))
    line.connection_made(wire)
    return line


async def test_the_source_starts_within_a_frame_at_the_asked_sample_and_silence_surrounds_it() -> None:
    wire, pacer = Wire(), Pacer(asyncio.get_running_loop())
    line = line_on(wire, pacer)
    line.start(AGREED, None)
    line.datagram_received(b"hello", HERE)
    line.play(Ramp(), pacer.origin + 0.025)
    for frame in range(6):
        line.send_frame(frame)
    sent = b"".join(packet[12:] for packet, _ in wire.sent)
    silence = encode_mu_law(np.zeros(1, dtype=np.int16))
    assert sent == silence * 200 + encode_mu_law(Ramp.pcm) + silence * 360
    assert line.packets_sent == 6
    line.close()


async def test_nothing_leaves_before_the_latch_and_then_it_goes_to_the_latch() -> None:
    wire, pacer = Wire(), Pacer(asyncio.get_running_loop())
    line = line_on(wire, pacer)
    line.start(AGREED, None)
    line.send_frame(0)
    assert wire.sent == []
    line.datagram_received(b"hello", HERE)
    line.datagram_received(b"hello", ("10.6.6.6", 6))
    line.send_frame(1)
    assert [address for _, address in wire.sent] == [HERE]
    line.close()


async def test_after_the_time_out_audio_goes_to_the_address_in_the_answer() -> None:
    wire, pacer = Wire(), Pacer(asyncio.get_running_loop())
    line = line_on(wire, pacer)
    line.start(AGREED, 0.0)
    line.send_frame(0)
    assert [address for _, address in wire.sent] == [("10.0.0.9", 4000)]
    assert not line.latched.is_set()
    line.close()


async def test_what_the_network_loses_is_counted_and_keeps_its_number() -> None:
    wire, pacer = Wire(), Pacer(asyncio.get_running_loop())
    line = line_on(wire, pacer)
    line.impair(Network(Impairments(loss=1.0), 1))
    line.start(AGREED, None)
    line.datagram_received(b"hello", HERE)
    line.send_frame(0)
    line.impair(Network(Impairments(), 1))
    line.send_frame(1)
    assert (line.packets_sent, line.packets_lost) == (1, 1)
    assert wire.sent[0][0][1] & 0x80 == 0
    line.close()
