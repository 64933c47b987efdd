"""The recorder's shell: chunks into the spool, complete calls into the store."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

import structlog
from prometheus_client import Counter, Gauge

from services.chassis.audio import samples_of
from services.chassis.clock import Clock
from services.chassis.consumer import ConsumeLoop, Incoming
from services.chassis.errors import Poison, SettingError, Transient
from services.chassis.publisher import KafkaPublisher, Publisher
from services.chassis.records import decode, decode_headers
from services.chassis.service import Service
from services.contracts.records import AudioChunk, CallRecording
from services.contracts.topics import AUDIO_CHUNKS, CALLS_LIFECYCLE, CALLS_RECORDINGS
from services.recorder.adapters.spool import SPOOL_RATE_HZ, Spool
from services.recorder.adapters.store import RecordingStore
from services.recorder.config import RecorderSettings
from services.recorder.domain.call import OpenCall, is_complete, with_chunk

log = structlog.get_logger()
STORED = Counter("earshot_recordings_total", "Recordings closed.", ["layout"])
OPEN = Gauge("earshot_recordings_open", "Calls being recorded.")
RETRY_S = 5.0
ENDED_EARLY_LIMIT = 10_000
LONGEST_CALL_MS = 24 * 3_600_000


@dataclass(slots=True)
class _Held:
    """An open call and the offsets that a restart must read again, by (topic, partition)."""

    call: OpenCall
    first_offsets: dict[tuple[str, int], int]
    not_before_s: float = 0.0


class Recorder:
    """Handler of the consume loop; all of it on the loop's thread."""

    def __init__(
        self, *, settings: RecorderSettings, spool: Spool, store: RecordingStore, publisher: Publisher, clock: Clock
    ) -> None:
        self._settings = settings
        self._spool = spool
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._held: dict[str, _Held] = {}
        self._ended_early: OrderedDict[str, None] = OrderedDict()

    def handle(self, message: Incoming) -> None:
        """Take a chunk or a lifecycle fact."""
        if message.topic.name == AUDIO_CHUNKS.name:
            self._take_chunk(message)
            return
        fact = decode(CALLS_LIFECYCLE, message.value)
        if fact.type == "ended":
            self._take_end(fact.call_id, (message.full_name, message.partition), message.offset)

    def idle(self) -> None:
        """Close what is complete."""
        now_s = self._clock.monotonic_s()
        for held in list(self._held.values()):
            grace_ms, idle_ms = self._settings.grace_ms, self._settings.idle_ms
            if now_s >= held.not_before_s and is_complete(held.call, now_s, grace_ms=grace_ms, idle_ms=idle_ms):
                self._close(held, now_s)
        OPEN.set(len(self._held))

    def safe_offset(self, full_name: str, partition: int, position: int) -> int:
        """A restart reads every open call from its first chunk again."""
        firsts = (held.first_offsets.get((full_name, partition), position) for held in self._held.values())
        return min(firsts, default=position)

    def revoked(self, full_name: str, partition: int, *, lost: bool) -> None:
        """Another recorder reads those calls from their start; what we hold of them is dropped."""
        for call_id in [c for c, held in self._held.items() if (full_name, partition) in held.first_offsets]:
            self._spool.discard(call_id)
            del self._held[call_id]

    def _take_end(self, call_id: str, place: tuple[str, int], offset: int) -> None:
        held = self._held.get(call_id)
        if held is None:  # never recorded, or its audio comes later
            self._ended_early[call_id] = None
            if len(self._ended_early) > ENDED_EARLY_LIMIT:
                self._ended_early.popitem(last=False)
            return
        held.call = replace(held.call, call_ended=True)
        held.first_offsets.setdefault(place, offset)

    def _take_chunk(self, message: Incoming) -> None:
        chunk = decode_headers(AUDIO_CHUNKS, message.headers)
        if chunk.call_id != message.key:
            raise Poison("wrong_key", "the key is not the call_id of the headers")
        if chunk.media_time_ms > LONGEST_CALL_MS:
            raise Poison("bad_media_time", "more than a day after the call's first audio")
        samples = samples_of(chunk, message.value)
        place = (message.full_name, message.partition)
        held = self._held.get(chunk.call_id)
        if held is None:
            call = OpenCall(call_id=chunk.call_id, call_ended=chunk.call_id in self._ended_early)
            held = self._held[chunk.call_id] = _Held(call, {place: message.offset})
            self._ended_early.pop(chunk.call_id, None)
            log.info("recording_opened", call_id=chunk.call_id)
        if len(samples):
            self._spool.write(chunk.call_id, chunk.leg_id, chunk.media_time_ms, samples, chunk.sample_rate_hz)
        held.call = self._with(held.call, chunk)

    def _with(self, call: OpenCall, chunk: AudioChunk) -> OpenCall:
        return with_chunk(
            call, leg_id=chunk.leg_id, role=chunk.role, media_time_ms=chunk.media_time_ms,
            duration_ms=chunk.duration_ms, gap_before_ms=chunk.gap_before_ms, end=chunk.end,
            now_s=self._clock.monotonic_s(),
        )  # fmt: skip

    def _close(self, held: _Held, now_s: float) -> None:
        call = held.call
        try:
            stored = self._store.store(call, self._spool)
        except Transient as error:
            log.warning("recording_not_stored", call_id=call.call_id, reason=str(error))
            held.not_before_s = now_s + RETRY_S
            return
        record = CallRecording(
            call_id=call.call_id, uri=stored.uri, layout=stored.layout, format="flac", sample_rate_hz=SPOOL_RATE_HZ,
            channels=stored.channels, duration_ms=stored.duration_ms, sha256=stored.sha256, at=self._clock.now(),
            gap_ms=sum(leg.gap_ms for leg in call.legs.values()), legs=tuple(sorted(call.legs)),
        )  # fmt: skip
        self._publisher.publish(CALLS_RECORDINGS, call.call_id, record, event_id=f"{call.call_id}:{stored.sha256[:16]}")
        if not self._publisher.flush(10.0):
            held.not_before_s = now_s + RETRY_S
            return
        self._spool.discard(call.call_id)
        del self._held[call.call_id]
        STORED.labels(stored.layout).inc()
        log.info("recording_closed", call_id=call.call_id, duration_ms=stored.duration_ms, layout=stored.layout)


def main(service: Service[RecorderSettings]) -> None:
    """Wire and run until stopped."""
    settings = service.settings
    try:
        spool = Spool(Path(settings.spool_dir))
    except OSError as error:
        raise SettingError(f"RECORDER_SPOOL_DIR: {settings.spool_dir} cannot be used ({error.strerror})") from None
    store = RecordingStore(settings.destination)
    publisher = KafkaPublisher(
        settings, service=service.name, health=service.health, dead_letter_limit=settings.dead_letter_limit
    )
    recorder = Recorder(settings=settings, spool=spool, store=store, publisher=publisher, clock=service.clock)
    loop = ConsumeLoop(
        settings, group=settings.group, topics=[AUDIO_CHUNKS, CALLS_LIFECYCLE], handler=recorder, publisher=publisher,
        health=service.health, group_instance_id=settings.group_instance_id,
    )  # fmt: skip
    try:
        loop.run(service.stop, service.clock.monotonic_s)
    finally:
        spool.close()
        publisher.close()
