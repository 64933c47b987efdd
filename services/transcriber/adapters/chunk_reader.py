"""Messages of audio.chunks as the domain's chunks. What cannot be read is Poison, with a reason code."""

from __future__ import annotations

from services.chassis.audio import samples_of
from services.chassis.consumer import Incoming
from services.chassis.errors import Poison
from services.chassis.records import decode_headers
from services.contracts.topics import AUDIO_CHUNKS
from services.transcriber.domain.chunks import LegChunk, LegIdentity, Role, RoleSource

LONGEST_MS = 10_000


def read_chunk(message: Incoming) -> LegChunk:
    """The chunk in a message; Poison(`bad_headers` | `bad_audio_length` | `chunk_too_long` | `empty_chunk`)."""
    header = decode_headers(AUDIO_CHUNKS, message.headers)
    if header.duration_ms > LONGEST_MS:
        raise Poison("chunk_too_long", f"duration_ms={header.duration_ms}, at most {LONGEST_MS}")
    if header.duration_ms == 0 and not header.end:
        raise Poison("empty_chunk", "duration_ms=0 without end")
    samples = samples_of(header, message.value)
    return LegChunk(
        identity=LegIdentity(
            call_id=header.call_id,
            leg_id=header.leg_id,
            party_id=header.party_id,
            role=Role(header.role),
            role_source=RoleSource(header.role_source),
        ),
        sequence=header.sequence,
        pcm16=samples.astype("<i2", copy=False).tobytes(),
        rate_hz=header.sample_rate_hz,
        media_time_ms=header.media_time_ms,
        captured_ms=int(header.captured_at.timestamp() * 1000),
        epoch_ms=int(header.epoch.timestamp() * 1000) if header.epoch is not None else None,
        gap_before_ms=header.gap_before_ms,
        end=header.end,
        offset=message.offset,
    )
