"""One leg's audio: datagrams in, chunks of mu-law on the call's media clock out.

Theory of operation. A packet is admitted (right source, right payload type, no DTMF), put in order, and appended
to the open chunk. The first packet anchors the leg on the call's clock by its arrival; after that RTP timestamps
alone move the time, so network jitter never shows. Audio that is missing is never made up: the open chunk is
cut, and the next one says by `gap_before_ms` how much is not there. The anchor is set anew when the timestamps
jump by more than `resync_ms` against the arrival clock, or when the sender paused without moving them. A pause
and a network stall look the same at the first packet; they differ in what follows (a stall ends in a burst), so
that is decided when the chunk is complete.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from services.media_gateway.domain.g711 import mu_law_from_a_law
from services.media_gateway.domain.reorder import Released, ReorderBuffer
from services.media_gateway.domain.rtp import CLOCK_HZ, PCMA, PCMU, RtpPacket, parse_rtp

SAMPLES_PER_MS = CLOCK_HZ // 1000
DTMF_PAYLOAD_BYTES = 4


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How one leg is received. All in milliseconds."""

    chunk_ms: int = 200
    reorder_wait_ms: int = 80
    resync_ms: int = 1000
    idle_flush_ms: int = 300
    source_unlock_ms: int = 2000


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive audio of one leg: mu-law, 8000 Hz, one byte a sample; `media_time_ms` on the call's clock.

    `arrived_ms` is the receiver's clock at the chunk's last packet; `end` marks the leg's last, empty, chunk.
    """

    sequence: int
    media_time_ms: int
    duration_ms: int
    arrived_ms: float
    gap_before_ms: int
    audio: bytes
    end: bool = False


@dataclass(frozen=True, slots=True)
class StreamCounts:
    """What came of a leg so far. `lost_ms` is audio whose packets never came in time."""

    packets_received: int = 0
    packets_lost: int = 0
    packets_late: int = 0
    packets_duplicate: int = 0
    packets_foreign: int = 0
    dtmf_dropped: int = 0
    received_ms: int = 0
    lost_ms: int = 0
    resyncs: int = 0


@dataclass(slots=True)
class LegStream:
    """The state of one leg. Single-threaded; `now_ms` is the receiver's monotonic clock in milliseconds.

    `offset_ms` turns that clock into the call's media clock: media time = now_ms + offset_ms.
    """

    settings: StreamSettings
    offset_ms: float
    _buffer: ReorderBuffer = field(init=False)
    _ssrc: int | None = None
    _source: tuple[str, int] | None = None
    _last_heard_ms: float = 0.0
    _sequence: int = 0
    _anchor_ms: float = 0.0
    _anchor_timestamp: int = 0
    _expected_timestamp: int | None = None
    _previous_end_ms: int | None = None
    _last_arrived_ms: float = 0.0
    _open: list[bytes] = field(default_factory=list)
    _open_samples: int = 0
    _open_timestamp: int = 0
    _open_arrived_ms: float = 0.0
    _open_pause: bool = False
    _loss_open: bool = False
    _foreign: int = 0
    _dtmf: int = 0
    _samples: int = 0
    _lost_samples: int = 0
    _resyncs: int = 0

    def __post_init__(self) -> None:
        self._buffer = ReorderBuffer(self.settings.reorder_wait_ms)

    @property
    def heard(self) -> bool:
        """Whether any audio packet of the leg was admitted."""
        return self._ssrc is not None

    @property
    def last_heard_ms(self) -> float:
        """When the newest admitted packet arrived."""
        return self._last_heard_ms

    @property
    def counts(self) -> StreamCounts:
        """The counts so far."""
        return StreamCounts(
            packets_received=self._buffer.received,
            packets_lost=self._buffer.lost,
            packets_late=self._buffer.late,
            packets_duplicate=self._buffer.duplicate,
            packets_foreign=self._foreign,
            dtmf_dropped=self._dtmf,
            received_ms=self._samples // SAMPLES_PER_MS,
            lost_ms=self._lost_samples // SAMPLES_PER_MS,
            resyncs=self._resyncs,
        )

    def push(self, datagram: bytes, source: tuple[str, int], now_ms: float) -> list[Chunk]:
        """Take one (decrypted) datagram; return the chunks it completes."""
        packet = parse_rtp(datagram)
        if packet is None:
            return []
        chunks: list[Chunk] = []
        if not self._admit(packet, source, now_ms, chunks):
            self._foreign += 1
            return chunks
        self._last_heard_ms = now_ms
        for released in self._buffer.push(packet, now_ms):
            self._take(released, chunks)
        return chunks

    def tick(self, now_ms: float) -> list[Chunk]:
        """Return what is due without a new packet: reordered packets, an open chunk that nothing continues."""
        chunks: list[Chunk] = []
        for released in self._buffer.tick(now_ms):
            self._take(released, chunks)
        if self._open and now_ms - self._last_arrived_ms >= self.settings.idle_flush_ms:
            self._close(chunks)
        return chunks

    def finish(self, now_ms: float) -> list[Chunk]:
        """Return all that is left and the end marker. Nothing that was received stays behind."""
        chunks: list[Chunk] = []
        for released in self._buffer.flush():
            self._take(released, chunks)
        self._close(chunks)
        end_ms = self._previous_end_ms
        media_time_ms = end_ms if end_ms is not None else max(0, round(now_ms + self.offset_ms))
        chunks.append(Chunk(self._sequence, media_time_ms, 0, now_ms, 0, b"", end=True))
        self._sequence += 1
        return chunks

    def _admit(self, packet: RtpPacket, source: tuple[str, int], now_ms: float, chunks: list[Chunk]) -> bool:
        elsewhere = self._source is not None and source != self._source
        if elsewhere and now_ms - self._last_heard_ms < self.settings.source_unlock_ms:
            return False
        if packet.ssrc != self._ssrc:
            if packet.payload_type not in (PCMU, PCMA):
                return False
            if self._ssrc is not None:
                self._start_anew(chunks)
            self._ssrc = packet.ssrc
        self._source = source
        return True

    def _start_anew(self, chunks: list[Chunk]) -> None:
        """Another synchronization source: what is held leaves, the clock is anchored by the next packet."""
        for released in self._buffer.flush():
            self._take(released, chunks)
        self._close(chunks)
        self._expected_timestamp = None
        old = self._buffer
        self._buffer = ReorderBuffer(old.wait_ms, old.received, old.lost, old.late, old.duplicate)
        self._resyncs += 1

    def _take(self, released: Released, chunks: list[Chunk]) -> None:
        packet = released.packet
        if packet.payload_type not in (PCMU, PCMA) or len(packet.payload) <= DTMF_PAYLOAD_BYTES:
            self._dtmf += 1
            self._loss_open = self._loss_open or released.lost_before > 0
            return
        if self._expected_timestamp is None:
            self._anchor(packet.timestamp, released.arrived_ms)
        else:
            self._follow(released, chunks)
        if not self._open:
            self._open_timestamp = packet.timestamp
            self._open_arrived_ms = released.arrived_ms
        payload = packet.payload if packet.payload_type == PCMU else mu_law_from_a_law(packet.payload)
        self._open.append(payload)
        self._open_samples += len(payload)
        self._samples += len(payload)
        self._expected_timestamp = (packet.timestamp + len(payload)) & 0xFFFFFFFF
        self._loss_open = False
        self._last_arrived_ms = released.arrived_ms
        if self._open_samples >= self.settings.chunk_ms * SAMPLES_PER_MS:
            self._close(chunks)

    def _follow(self, released: Released, chunks: list[Chunk]) -> None:
        """Compare a packet with the one before it: cut the chunk at a gap, mark a pause, anchor after a jump."""
        assert self._expected_timestamp is not None
        timestamp = released.packet.timestamp
        step = _signed(timestamp - self._expected_timestamp)
        waited_ms = released.arrived_ms - self._last_arrived_ms
        if step == 0:
            if waited_ms >= self.settings.resync_ms:
                self._close(chunks)
                self._open_pause = True
            return
        self._close(chunks)
        if step > 0 and (released.lost_before or self._loss_open):
            self._lost_samples += step
        if step < 0 or abs(step / SAMPLES_PER_MS - waited_ms) > self.settings.resync_ms:
            self._anchor(timestamp, released.arrived_ms)
            self._resyncs += 1

    def _anchor(self, timestamp: int, arrived_ms: float) -> None:
        self._anchor_timestamp = timestamp
        self._anchor_ms = max(0.0, arrived_ms + self.offset_ms)
        if self._previous_end_ms is not None:
            self._anchor_ms = max(self._anchor_ms, float(self._previous_end_ms))

    def _close(self, chunks: list[Chunk]) -> None:
        if not self._open:
            return
        duration_ms = self._open_samples // SAMPLES_PER_MS
        if self._open_pause and self._last_arrived_ms - self._open_arrived_ms >= duration_ms / 3:
            self._anchor(self._open_timestamp, self._open_arrived_ms)
            self._resyncs += 1
        self._open_pause = False
        elapsed = _signed(self._open_timestamp - self._anchor_timestamp) // SAMPLES_PER_MS
        media_time_ms = round(self._anchor_ms) + elapsed
        gap_ms = 0 if self._previous_end_ms is None else max(0, media_time_ms - self._previous_end_ms)
        chunks.append(
            Chunk(
                sequence=self._sequence,
                media_time_ms=media_time_ms,
                duration_ms=duration_ms,
                arrived_ms=self._last_arrived_ms,
                gap_before_ms=gap_ms,
                audio=b"".join(self._open),
            )
        )
        self._sequence += 1
        self._previous_end_ms = media_time_ms + duration_ms
        self._open = []
        self._open_samples = 0


def _signed(difference: int) -> int:
    """Return a difference of 32-bit timestamps as the shortest way round."""
    return ((difference + 0x80000000) & 0xFFFFFFFF) - 0x80000000
