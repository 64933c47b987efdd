"""Legs that an earlier life of this gateway left open: it was killed, so nobody has said that they ended.

`media.legs` tells which; each gets its `down` and the end marker that its consumers wait for. What the dead gateway
received and had not published is lost, and shows as the gap until the leg that takes over.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from datetime import datetime

import msgspec
import structlog

from services.chassis.publisher import Publisher
from services.contracts.records import AudioChunk, MediaLeg
from services.contracts.topics import AUDIO_CHUNKS, MEDIA_LEGS

log = structlog.get_logger()
REASON = "gateway_died"
LAST_SEQUENCE = 2**31 - 1
"""Sequence of the end marker: how many chunks the leg had is not known any more."""


class OpenLegs:
    """Keeps the newest step of every leg that is not down. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, MediaLeg] = {}

    def take(self, leg: MediaLeg) -> None:
        """Take a step of any gateway's leg, in the topic's order."""
        with self._lock:
            if leg.type == "down":
                self._open.pop(leg.leg_id, None)
            else:
                self._open[leg.leg_id] = leg

    def close(self, publisher: Publisher, device_ids: Collection[str], *, before: datetime, now: datetime) -> int:
        """Say of the legs of these devices that they ended, those newer than `before` left alone; how many."""
        with self._lock:
            orphans = [leg for leg in self._open.values() if leg.device_id in device_ids and leg.at < before]
            for leg in orphans:
                del self._open[leg.leg_id]
        for leg in orphans:
            ended = msgspec.structs.replace(leg, event_id=f"{leg.leg_id}#{REASON}", type="down", at=now, reason=REASON)
            publisher.publish(MEDIA_LEGS, leg.call_id, ended, event_id=ended.event_id)
            marker = AudioChunk(
                call_id=leg.call_id, leg_id=leg.leg_id, party_id=leg.party_id, role=leg.role,
                role_source=leg.role_source, sequence=LAST_SEQUENCE, codec="pcmu", sample_rate_hz=8000,
                media_time_ms=leg.media_time_ms, duration_ms=0,
                captured_at=now, epoch=leg.epoch, end=True,
            )  # fmt: skip
            publisher.publish_bytes(AUDIO_CHUNKS, leg.call_id, b"", marker, event_id=f"{leg.leg_id}#end")
            log.warning("leg_left_open_by_an_earlier_life", call_id=leg.call_id, leg_id=leg.leg_id)
        return len(orphans)
