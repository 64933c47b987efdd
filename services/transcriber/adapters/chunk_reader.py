"""Messages of audio.chunks as the domain's chunks. What cannot be read is Poison, with a reason code."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.chassis.audio import samples_of
from services.chassis.consumer import Incoming
from services.chassis.errors import Poison
from services.chassis.records import decode_headers, header
from services.contracts.records import AudioChunk
from services.contracts.topics import AUDIO_CHUNKS
from services.transcriber.domain.chunks import LegChunk, LegIdentity, Role, RoleSource

LONGEST_MS = 10_000
CLOCKS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
LONGEST_LEG_MS = 30 * 24 * 3_600_000
AHEAD_MS = 300_000
"""So far may two clocks of a gateway be apart. A leg that is placed ahead of its time hears nothing until then."""


def read_chunk(message: Incoming) -> LegChunk:
    """The chunk in a message.

    Poison: `bad_headers`, `bad_audio_length`, `chunk_too_long`, `empty_chunk`, or `absurd_time`.
    """
    chunk = decode_headers(AUDIO_CHUNKS, message.headers)
    if chunk.duration_ms > LONGEST_MS:
        raise Poison("chunk_too_long", f"duration_ms={chunk.duration_ms}, at most {LONGEST_MS}")
    if chunk.duration_ms == 0 and not chunk.end:
        raise Poison("empty_chunk", "duration_ms=0 without end")
    _check_times(chunk)
    samples = samples_of(chunk, message.value)
    return LegChunk(
        identity=LegIdentity(
            call_id=chunk.call_id,
            leg_id=chunk.leg_id,
            party_id=chunk.party_id,
            role=Role(chunk.role),
            role_source=RoleSource(chunk.role_source),
            queue_id=chunk.queue_id or "",
        ),
        sequence=chunk.sequence,
        pcm16=samples.astype("<i2", copy=False).tobytes(),
        rate_hz=chunk.sample_rate_hz,
        media_time_ms=chunk.media_time_ms,
        captured_ms=int(chunk.captured_at.timestamp() * 1000),
        epoch_ms=int(chunk.epoch.timestamp() * 1000) if chunk.epoch is not None else None,
        gap_before_ms=chunk.gap_before_ms,
        end=chunk.end,
        offset=message.offset,
    )


def whose(message: Incoming) -> tuple[LegIdentity | None, bool]:
    """Which leg a message that cannot be read belongs to, as far as it says so, and whether it is its last."""
    call_id, leg_id = header(message.headers, "call_id"), header(message.headers, "leg_id")
    if not call_id or not leg_id:
        return None, False
    identity = LegIdentity(call_id=call_id, leg_id=leg_id)
    with suppress(ValueError):
        role, source = Role(header(message.headers, "role") or ""), header(message.headers, "role_source")
        identity = replace(identity, role=role, role_source=RoleSource(source or ""))
    return identity, header(message.headers, "end") == "true"


def _check_times(chunk: AudioChunk) -> None:
    earliest, latest = CLOCKS
    epoch = chunk.epoch or chunk.captured_at
    if not (earliest <= chunk.captured_at <= latest and earliest <= epoch <= latest):
        raise Poison("absurd_time", f"captured_at and epoch must lie between {earliest.year} and {latest.year}")
    if max(chunk.media_time_ms, chunk.gap_before_ms) > LONGEST_LEG_MS:
        raise Poison("absurd_time", f"media_time_ms and gap_before_ms are at most {LONGEST_LEG_MS}")
    if chunk.epoch is not None and chunk.duration_ms:
        ahead_ms = chunk.media_time_ms - (chunk.captured_at - chunk.epoch) // timedelta(milliseconds=1)
        if ahead_ms > AHEAD_MS:
            raise Poison("absurd_time", f"media_time_ms is {ahead_ms} ms ahead of captured_at, at most {AHEAD_MS}")
