"""Chunks to `audio.chunks`, from the receiver's thread; a full producer queue delays them, in order, and drops none."""

from __future__ import annotations

import threading
from collections import deque
from datetime import UTC, datetime

import structlog
from prometheus_client import Counter, Gauge

from services.chassis.errors import Backpressure
from services.chassis.publisher import Publisher
from services.contracts.records import AudioChunk
from services.contracts.topics import AUDIO_CHUNKS
from services.media_gateway.domain.correlation import Identity
from services.media_gateway.domain.leg_stream import Chunk

log = structlog.get_logger()
BACKLOG = Gauge("earshot_media_chunk_backlog", "Chunks that wait for room in the producer's queue.")
AUDIO_MS = Counter("earshot_media_audio_ms_total", "Audio handed to the producer, in ms.", ["role"])
GAP_MS = Counter("earshot_media_gap_ms_total", "Audio missing before chunks, in ms.", ["role"])


class ChunkTopic:
    """A ChunkSink on a Publisher."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._backlog: deque[tuple[AudioChunk, bytes]] = deque()
        self._lock = threading.Lock()

    def __call__(self, leg_id: str, identity: Identity, epoch_ms: int, chunk: Chunk, wall_ms: float) -> None:
        """Publish `chunk` behind whatever waits."""
        metadata = AudioChunk(
            call_id=identity.call_id,
            leg_id=leg_id,
            party_id=identity.party_id,
            role=identity.role,
            role_source=identity.role_source,
            queue_id=identity.queue_id or None,
            sequence=chunk.sequence,
            codec="pcmu",
            sample_rate_hz=8000,
            media_time_ms=chunk.media_time_ms,
            duration_ms=chunk.duration_ms,
            captured_at=datetime.fromtimestamp((chunk.arrived_ms + wall_ms) / 1000, UTC),
            epoch=datetime.fromtimestamp(epoch_ms / 1000, UTC),
            gap_before_ms=chunk.gap_before_ms,
            end=chunk.end,
        )
        AUDIO_MS.labels(identity.role).inc(chunk.duration_ms)
        GAP_MS.labels(identity.role).inc(chunk.gap_before_ms)
        with self._lock:
            self._backlog.append((metadata, chunk.audio))
            self._send()

    def flush(self) -> bool:
        """Send what waits; whether nothing waits any more."""
        with self._lock:
            self._send()
            return not self._backlog

    def _send(self) -> None:
        while self._backlog:
            metadata, audio = self._backlog[0]
            try:
                self._publisher.publish_bytes(
                    AUDIO_CHUNKS,
                    metadata.call_id,
                    audio,
                    metadata,
                    event_id=f"{metadata.leg_id}#{metadata.sequence}",
                )
            except Backpressure:
                if len(self._backlog) % 500 == 1:
                    log.warning("chunks_wait_for_producer", waiting=len(self._backlog))
                break
            self._backlog.popleft()
        BACKLOG.set(len(self._backlog))
