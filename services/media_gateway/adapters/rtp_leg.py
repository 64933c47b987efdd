"""One leg's socket with everything that belongs to it. Owned by the receiver's thread once it is attached."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from socket import AF_INET, SO_RCVBUF, SOCK_DGRAM, SOL_SOCKET, socket

from services.media_gateway.adapters.srtp import SrtpReceiver, SrtpSender
from services.media_gateway.domain.comfort import Comfort
from services.media_gateway.domain.correlation import Identity
from services.media_gateway.domain.leg_stream import Chunk, LegStream, StreamCounts, StreamSettings
from services.media_gateway.domain.rtp import PCMA, PCMU, parse_rtp
from services.media_gateway.domain.watch import Silence, SilenceWatch

RECEIVE_BUFFER_BYTES = 1 << 20
DATAGRAM_BYTES = 2048
MOST_PER_TURN = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class LegOpening:
    """What the receiver needs to know of a leg that was agreed on. Keys are raw bytes, None without SRTP."""

    leg_id: str
    identity: Identity
    remote: tuple[str, int]
    payload_type: int
    sends: bool
    suite: str | None = None
    receive_key: bytes | None = None
    send_key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegHeard:
    """The leg's first packet came in. `epoch_ms` is the call's epoch, wall clock."""

    port: int
    epoch_ms: int
    media_time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LegSilent:
    """No RTP for the time set."""

    port: int
    kind: Silence
    counts: StreamCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class LegGap:
    """Audio of `gap_ms` is missing before `media_time_ms`."""

    port: int
    media_time_ms: int
    gap_ms: int
    counts: StreamCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFinished:
    """Everything of the leg was handed to the sink, the end marker too; its socket is closed."""

    port: int
    reason: str
    media_time_ms: int
    epoch_ms: int | None
    counts: StreamCounts
    undecodable: int


LegReport = LegHeard | LegSilent | LegGap | LegFinished
ChunkSink = Callable[[str, Identity, int, Chunk, float], None]
"""Takes (leg_id, identity, epoch_ms, chunk, receiver clock minus wall clock in ms); called on the receiver's thread."""


def open_socket(host: str, port: int) -> socket | None:
    """Bind an RTP socket, or None when the port is taken."""
    opened = socket(AF_INET, SOCK_DGRAM)
    opened.setblocking(False)
    opened.setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    try:
        opened.bind((host, port))
    except OSError:
        opened.close()
        return None
    return opened


@dataclass(slots=True)
class RtpLeg:
    """A leg while it is received. `wall_ms` added to the receiver's clock gives the wall clock."""

    port: int
    rtp: socket
    opening: LegOpening
    settings: StreamSettings
    watch: SilenceWatch
    comfort: Comfort
    wall_ms: float
    epochs: dict[str, int]
    identity: Identity
    stream: LegStream | None = None
    epoch_ms: int | None = None
    undecodable: int = 0
    closing_reason: str = ""
    closes_ms: float = float("inf")
    _receiver: SrtpReceiver | None = None
    _sender: SrtpSender | None = None

    @classmethod
    def attach(
        cls, port: int, opened: socket, opening: LegOpening, settings: StreamSettings, silence_ms: int,
        epochs: dict[str, int], now_ms: float, wall_ms: float,
    ) -> RtpLeg:  # fmt: skip
        """Begin to receive at `now_ms`."""
        comfort = Comfort(
            ssrc=random.getrandbits(32),
            sequence=random.getrandbits(15),
            timestamp=random.getrandbits(31),
            payload_type=opening.payload_type,
            started_ms=now_ms,
        )
        watch = SilenceWatch(now_ms, silence_ms)
        leg = cls(port, opened, opening, settings, watch, comfort, wall_ms, epochs, opening.identity)
        leg.agree(opening)
        return leg

    def agree(self, opening: LegOpening) -> None:
        """Take what was negotiated: at the answer, and anew at a re-INVITE."""
        if self._receiver is None or opening.receive_key != self.opening.receive_key:
            self._receiver = None
            if opening.suite and opening.receive_key:
                self._receiver = SrtpReceiver(opening.suite, opening.receive_key)
        if self._sender is None or opening.send_key != self.opening.send_key:
            self._sender = None
            if opening.suite and opening.send_key:
                self._sender = SrtpSender(opening.suite, opening.send_key)
        self.opening = opening

    def datagrams(self) -> Iterator[tuple[bytes, tuple[str, int]]]:
        """Yield what has arrived, at most `MOST_PER_TURN`."""
        for _ in range(MOST_PER_TURN):
            try:
                yield self.rtp.recvfrom(DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:  # an ICMP error about what we sent; not about what arrives
                continue

    def receive(self, datagram: bytes, source: tuple[str, int], now_ms: float) -> tuple[list[Chunk], LegReport | None]:
        """Take one datagram; return the chunks it completes, and the report that the leg is heard at last."""
        plain = datagram
        if self._receiver is not None:
            opened = self._receiver.open(datagram)
            if opened is None:
                self.undecodable += 1
                return [], None
            plain = opened
        heard: LegReport | None = None
        if self.stream is None:
            packet = parse_rtp(plain)
            if packet is None or packet.payload_type not in (PCMU, PCMA):
                self.undecodable += 1
                return [], None
            wall = round(now_ms + self.wall_ms)
            self.epoch_ms = self.epochs.setdefault(self.identity.call_id, wall)
            self.stream = LegStream(self.settings, self.wall_ms - self.epoch_ms)
            heard = LegHeard(port=self.port, epoch_ms=self.epoch_ms, media_time_ms=max(0, wall - self.epoch_ms))
        return self.stream.push(plain, source, now_ms), heard

    def send_silence(self, now_ms: float) -> None:
        """Send the comfort frame that is due, if any. An unreachable peer is no error here."""
        while self.opening.sends and self.comfort.due_ms <= now_ms:
            self.comfort, packet = self.comfort.next()
            try:
                self.rtp.sendto(self._sender.seal(packet) if self._sender else packet, self.opening.remote)
            except OSError:
                return

    def look(self, now_ms: float) -> LegReport | None:
        """Return a report when the leg has fallen silent."""
        last = self.stream.last_heard_ms if self.stream is not None else None
        self.watch, kind = self.watch.look(now_ms, last)
        return LegSilent(port=self.port, kind=kind, counts=self.counts) if kind else None

    def finish(self, now_ms: float) -> tuple[list[Chunk], LegFinished]:
        """Return the rest with the end marker, and the report; closes the socket."""
        chunks: list[Chunk] = []
        if self.stream is None:
            epoch_ms = self.epochs.get(self.identity.call_id)
            offset_ms = self.wall_ms - epoch_ms if epoch_ms is not None else -now_ms
            self.epoch_ms = epoch_ms
            self.stream = LegStream(self.settings, offset_ms)
        chunks = self.stream.finish(now_ms)
        self.rtp.close()
        report = LegFinished(
            port=self.port,
            reason=self.closing_reason,
            media_time_ms=chunks[-1].media_time_ms,
            epoch_ms=self.epoch_ms,
            counts=self.counts,
            undecodable=self.undecodable,
        )
        return chunks, report

    @property
    def counts(self) -> StreamCounts:
        """The counts so far."""
        return self.stream.counts if self.stream is not None else StreamCounts()
