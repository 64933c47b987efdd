"""Sends audio: one socket a media line, one timer for all of them. asyncio, one loop, no locks.

Time is an absolute grid of 20 ms frames from the pacer's origin, so nothing drifts: a late wake-up sends what is
due. A line sends nothing until the client's first packet shows where to (the latch).
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from services.ringcentral_sim.sip.g711 import encode_a_law, encode_mu_law
from services.ringcentral_sim.sip.rtp import Network, Packetizer, protection
from services.ringcentral_sim.sip.sdp import PCMU, Agreement

FRAME_S = 0.02
FRAME_SAMPLES = 160
SAMPLE_RATE_HZ = 8000
_PORT_ATTEMPTS = 200


class PcmSource(Protocol):
    """Where the audio of a leg comes from."""

    def read(self, position_samples: int, count: int) -> NDArray[np.int16]:
        """Up to `count` samples (8 kHz, mono) from `position_samples`; fewer or none at the end."""


class Pacer:
    """Calls every active line once per frame. The timer runs only while there are lines."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lines: dict[RtpLine, None] = {}
        self._frame = 0
        self._timer: asyncio.TimerHandle | None = None
        self.origin = loop.time()

    def add(self, line: RtpLine) -> None:
        """Start calling `line`."""
        self._lines[line] = None
        if self._timer is None:
            self._frame = math.ceil((self._loop.time() - self.origin) / FRAME_S)
            self._arm()

    def remove(self, line: RtpLine) -> None:
        """Stop calling `line`; unknown lines are fine."""
        self._lines.pop(line, None)

    def _arm(self) -> None:
        self._timer = self._loop.call_at(self.origin + self._frame * FRAME_S, self._send_due)

    def _send_due(self) -> None:
        first, self._frame = (
            self._frame,
            max(self._frame, math.floor((self._loop.time() - self.origin) / FRAME_S)) + 1,
        )
        self._timer = None
        if not self._lines:
            return
        self._arm()
        for frame in range(first, self._frame):
            for line in tuple(self._lines):
                line.send_frame(frame)


class RtpLine(asyncio.DatagramProtocol):
    """One media line's socket, and the audio that leaves from it."""

    def __init__(self, pacer: Pacer, network: Network, rng: random.Random) -> None:
        self._pacer = pacer
        self._network = network
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._agreement: Agreement | None = None
        self._remote: tuple[str, int] | None = None
        self._fall_back_at = math.inf
        self._source: PcmSource | None = None
        self._start_sample = 0
        self._encode = encode_mu_law
        self._silence = b""
        self.latched = asyncio.Event()
        self.heard_at = self._loop.time()
        self.packets_sent = 0
        self.packets_lost = 0

    @property
    def port(self) -> int:
        """The port bound, an even one."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is bound."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """Anything from the client, RTP or not, shows where it wants its audio; the first one decides."""
        self.heard_at = self._loop.time()
        if not self.latched.is_set():
            self._remote = (str(addr[0]), int(addr[1]))
            self.latched.set()

    def start(self, agreement: Agreement, fallback_s: float | None) -> None:
        """Send as agreed, from the latch on, or `fallback_s` from now to the address of the SDP."""
        mu_law = agreement.payload_type == PCMU
        self._encode = encode_mu_law if mu_law else encode_a_law
        self._silence = self._encode(np.zeros(FRAME_SAMPLES, dtype=np.int16))
        self._packetizer = Packetizer(agreement.payload_type, self._rng)
        self._protect = protection(agreement.crypto)
        self._agreement = agreement
        if fallback_s is not None and agreement.port and agreement.host != "0.0.0.0":
            self._fall_back_at = self._loop.time() + fallback_s
        self._pacer.add(self)

    def retarget(self, agreement: Agreement) -> None:
        """Take up what a re-INVITE changed: whether we send at all. The stream goes on as it was."""
        self._agreement = agreement

    def play(self, source: PcmSource, start_at: float) -> None:
        """Sample 0 of `source` belongs at loop time `start_at`; what would have been due before the latch is lost."""
        self._source = source
        self._start_sample = round((start_at - self._pacer.origin) * SAMPLE_RATE_HZ)

    def impair(self, network: Network) -> None:
        """From now on packets meet the fates that `network` draws."""
        self._network = network

    def send_frame(self, frame: int) -> None:
        """Send what belongs to this place on the pacer's grid."""
        agreement = self._agreement
        if agreement is None or self._transport is None:
            return
        if self._remote is None:
            if self._loop.time() < self._fall_back_at:
                return
            self._remote = (agreement.host, agreement.port)
        if not agreement.sending:
            self._packetizer.skip(FRAME_SAMPLES)
            return
        packet = self._protect(self._packetizer.packet(self._payload(frame * FRAME_SAMPLES - self._start_sample)))
        delay_s = self._network.delay_s()
        if delay_s is None:
            self.packets_lost += 1
        elif delay_s == 0:
            self._send(packet)
        else:
            self._loop.call_later(delay_s, self._send, packet)

    def close(self) -> None:
        """Stop and release the port."""
        self._pacer.remove(self)
        self._agreement = None
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _payload(self, position: int) -> bytes:
        lead = max(0, -position)
        if self._source is None or lead >= FRAME_SAMPLES:
            return self._silence
        audio = self._source.read(position + lead, FRAME_SAMPLES - lead)
        if lead == 0 and len(audio) == FRAME_SAMPLES:
            return self._encode(audio)
        rest = FRAME_SAMPLES - lead - len(audio)
        return self._silence[:lead] + self._encode(audio) + self._silence[:rest]

    def _send(self, packet: bytes) -> None:
        if self._transport is not None:
            self._transport.sendto(packet, self._remote)
            self.packets_sent += 1


async def open_line(host: str, ports: tuple[int, int], pacer: Pacer, network: Network, rng: random.Random) -> RtpLine:
    """A line on a free even port of the range; OSError when none is found."""
    bound = _bind_even(host, ports, rng)
    loop = asyncio.get_running_loop()
    _, line = await loop.create_datagram_endpoint(lambda: RtpLine(pacer, network, rng), sock=bound)
    return line


def _bind_even(host: str, ports: tuple[int, int], rng: random.Random) -> socket.socket:
    first, last = ports
    for _ in range(_PORT_ATTEMPTS):
        candidate = rng.randrange(first + first % 2, last + 1, 2) if last else 0
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.bind((host, candidate))
        except OSError:
            bound.close()
            continue
        if bound.getsockname()[1] % 2 == 0:
            bound.setblocking(False)
            return bound
        bound.close()
    raise OSError(f"no free even RTP port in {first}-{last}")
