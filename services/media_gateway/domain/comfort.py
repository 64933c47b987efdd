"""The silence we send: RingCentral finds our address by our first packets and may hang up on a mute phone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.media_gateway.domain.g711 import MU_LAW_SILENCE
from services.media_gateway.domain.rtp import PCMA, RtpPacket, build_rtp

FRAME_MS = 20
FRAME_SAMPLES = 160
OPENING_FRAMES = 5
A_LAW_SILENCE = 0xD5


@dataclass(frozen=True, slots=True, kw_only=True)
class Comfort:
    """A stream of silence: `OPENING_FRAMES` at full pace, then one frame every `interval_ms`."""

    ssrc: int
    sequence: int
    timestamp: int
    payload_type: int
    started_ms: float
    interval_ms: int = 200
    sent: int = 0

    @property
    def due_ms(self) -> float:
        """When the next frame is due."""
        if self.sent < OPENING_FRAMES:
            return self.started_ms + self.sent * FRAME_MS
        return self.started_ms + OPENING_FRAMES * FRAME_MS + (self.sent - OPENING_FRAMES) * self.interval_ms

    def next(self) -> tuple[Comfort, bytes]:
        """Return the stream after its next frame, and the frame as an RTP packet."""
        silence = A_LAW_SILENCE if self.payload_type == PCMA else MU_LAW_SILENCE
        elapsed = round((self.due_ms - self.started_ms) / FRAME_MS) * FRAME_SAMPLES
        packet = RtpPacket(
            payload_type=self.payload_type,
            marker=self.sent == 0,
            sequence=(self.sequence + self.sent) & 0xFFFF,
            timestamp=(self.timestamp + elapsed) & 0xFFFFFFFF,
            ssrc=self.ssrc,
            payload=bytes([silence]) * FRAME_SAMPLES,
        )
        return replace(self, sent=self.sent + 1), build_rtp(packet)
