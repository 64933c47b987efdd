"""The recorder's shell: chunks into the spool, complete calls into the store, without what transcripts hid.

A call's transcript may be read before its first chunk: after a restart for instance.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
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
from services.contracts.records import AudioChunk, CallRecording, MutedSpan
from services.contracts.topics import (
    AUDIO_CHUNKS,
    CALLS_LIFECYCLE,
    CALLS_RECORDINGS,
    TRANSCRIPTS_FINAL,
    TRANSCRIPTS_LEGS,
)
from services.recorder.adapters.spool import SPOOL_RATE_HZ, Spool
from services.recorder.adapters.store import RecordingStore
from services.recorder.config import RecorderSettings
from services.recorder.domain.call import OpenCall, is_complete, with_chunk
from services.recorder.domain.muting import LegTranscript, Muted, SpokenFinal, read_kinds, to_mute

log = structlog.get_logger()
STORED = Counter("earshot_recordings_total", "Recordings closed.", ["layout"])
OPEN = Gauge("earshot_recordings_open", "Calls being recorded.")
RETRY_S = 5.0
REMEMBERED_CALLS = 10_000
"""Calls that ended before their audio came, and calls that are closed."""
AUDIO_RETAINED_S = 900.0
"""So long audio may still come for a call that is known by its transcript alone."""
LONGEST_CALL_MS = 24 * 3_600_000


@dataclass(slots=True)
class _Held:
    """An open call and the offsets that a restart must read again, by (topic, partition)."""

    call: OpenCall
    first_offsets: dict[tuple[str, int], int]
    since_s: float
    not_before_s: float = 0.0
    complete_since_s: float | None = None
    transcripts: dict[str, LegTranscript] = field(default_factory=dict)

    @property
    def transcribed(self) -> bool:
        """Whether all that is said on its legs is known."""
        return all(leg_id in self.transcripts and self.transcripts[leg_id].ended for leg_id in self.call.legs)


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
        self._kinds = read_kinds(settings.mute)
        self._held: dict[str, _Held] = {}
        self._ended_early: OrderedDict[str, None] = OrderedDict()
        self._closed: OrderedDict[str, None] = OrderedDict()

    def handle(self, message: Incoming) -> None:
        """Take a chunk, a lifecycle fact or what a transcript tells."""
        if message.topic.name == AUDIO_CHUNKS.name:
            self._take_chunk(message)
        elif message.topic.name in (TRANSCRIPTS_FINAL.name, TRANSCRIPTS_LEGS.name):
            self._take_transcript(message)
        else:
            fact = decode(CALLS_LIFECYCLE, message.value)
            if fact.type == "ended":
                self._take_end(fact.call_id, (message.full_name, message.partition), message.offset)

    def idle(self) -> None:
        """Close what is complete."""
        now_s = self._clock.monotonic_s()
        for held in list(self._held.values()):
            if self._ready(held, now_s):
                self._close(held, now_s)
            elif not held.call.legs and now_s - held.since_s > AUDIO_RETAINED_S:
                del self._held[held.call.call_id]
        OPEN.set(sum(bool(held.call.legs) for held in self._held.values()))

    def safe_offset(self, full_name: str, partition: int, position: int) -> int:
        """A restart reads every open call from its first chunk again."""
        firsts = (held.first_offsets.get((full_name, partition), position) for held in self._held.values())
        return min(firsts, default=position)

    def revoked(self, full_name: str, partition: int, *, lost: bool) -> None:
        """Another recorder reads those calls from their start; what we hold of them is dropped."""
        for call_id in [c for c, held in self._held.items() if (full_name, partition) in held.first_offsets]:
            self._spool.discard(call_id)
            del self._held[call_id]

    def _ready(self, held: _Held, now_s: float) -> bool:
        grace_ms, idle_ms = self._settings.grace_ms, self._settings.idle_ms
        if not held.call.legs or not is_complete(held.call, now_s, grace_ms=grace_ms, idle_ms=idle_ms):
            held.complete_since_s = None
            return False
        if held.complete_since_s is None:
            held.complete_since_s = now_s
        waited_ms = (now_s - held.complete_since_s) * 1000
        known = not self._kinds or held.transcribed or waited_ms >= self._settings.mute_wait_ms
        return known and now_s >= held.not_before_s

    def _take_transcript(self, message: Incoming) -> None:
        if not self._kinds:
            return
        if message.topic.name == TRANSCRIPTS_FINAL.name:
            final = decode(TRANSCRIPTS_FINAL, message.value)
            if not final.text:  # takes back a partial; the leg's end does not count it
                return
            hidden = tuple(Muted(r.type, r.start_ms, r.end_ms) for r in final.redactions)
            transcripts = self._transcripts(final.call_id, message)
            known = transcripts.get(final.leg_id, LegTranscript())
            transcripts[final.leg_id] = known.with_final(
                final.utterance_id, SpokenFinal(final.start_ms, final.end_ms, hidden)
            )
            return
        leg = decode(TRANSCRIPTS_LEGS, message.value)
        transcripts = self._transcripts(leg.call_id, message)
        known = transcripts.get(leg.leg_id, LegTranscript())
        transcripts[leg.leg_id] = known.with_end(leg.utterances, complete=leg.status == "complete")

    def _transcripts(self, call_id: str, message: Incoming) -> dict[str, LegTranscript]:
        """A call's transcripts so far, by leg; of a closed call nothing is kept."""
        if call_id in self._closed:
            return {}
        place = (message.full_name, message.partition)
        held = self._held.get(call_id)
        if held is None:
            held = self._held[call_id] = _Held(OpenCall(call_id=call_id), {}, self._clock.monotonic_s())
        held.first_offsets.setdefault(place, message.offset)
        return held.transcripts

    def _take_end(self, call_id: str, place: tuple[str, int], offset: int) -> None:
        held = self._held.get(call_id)
        if held is None:  # never recorded, or its audio comes later
            _remember(self._ended_early, call_id)
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
            held = _Held(OpenCall(call_id=chunk.call_id), {}, self._clock.monotonic_s())
            self._held[chunk.call_id] = held
            self._closed.pop(chunk.call_id, None)
        if not held.call.legs:
            held.call = replace(held.call, call_ended=held.call.call_ended or chunk.call_id in self._ended_early)
            self._ended_early.pop(chunk.call_id, None)
            log.info("recording_opened", call_id=chunk.call_id)
        held.first_offsets.setdefault(place, message.offset)
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
        muted = {
            leg.leg_id: to_mute(
                held.transcripts.get(leg.leg_id, LegTranscript()), (leg.start_ms, leg.end_ms), kinds=self._kinds,
                margin_ms=self._settings.mute_margin_ms,
            )
            for leg in call.legs.values()
        }  # fmt: skip
        try:
            stored = self._store.store(call, self._spool, muted)
        except Transient as error:
            log.warning("recording_not_stored", call_id=call.call_id, reason=str(error))
            held.not_before_s = now_s + RETRY_S
            return
        record = CallRecording(
            call_id=call.call_id, uri=stored.uri, layout=stored.layout, format="flac", sample_rate_hz=SPOOL_RATE_HZ,
            channels=stored.channels, duration_ms=stored.duration_ms, sha256=stored.sha256, at=self._clock.now(),
            gap_ms=sum(leg.gap_ms for leg in call.legs.values()), legs=tuple(sorted(call.legs)),
            muted=tuple(
                MutedSpan(leg_id=leg_id, type=span.kind, start_ms=span.start_ms, end_ms=span.end_ms)
                for leg_id, spans in sorted(muted.items())
                for span in spans
            ),
        )  # fmt: skip
        self._publisher.publish(CALLS_RECORDINGS, call.call_id, record, event_id=f"{call.call_id}:{stored.sha256[:16]}")
        if not self._publisher.flush(10.0):
            held.not_before_s = now_s + RETRY_S
            return
        self._spool.discard(call.call_id)
        if call.call_ended:
            del self._held[call.call_id]
            _remember(self._closed, call.call_id)
        else:  # more of it may come, and its words before that
            self._held[call.call_id] = _Held(OpenCall(call_id=call.call_id), {}, now_s, transcripts=held.transcripts)
        STORED.labels(stored.layout).inc()
        log.info("recording_closed", call_id=call.call_id, duration_ms=stored.duration_ms, layout=stored.layout)


def _remember(calls: OrderedDict[str, None], call_id: str) -> None:
    calls[call_id] = None
    if len(calls) > REMEMBERED_CALLS:
        calls.popitem(last=False)


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
        settings, group=settings.group, topics=[AUDIO_CHUNKS, CALLS_LIFECYCLE, TRANSCRIPTS_FINAL, TRANSCRIPTS_LEGS],
        handler=recorder, publisher=publisher, health=service.health, group_instance_id=settings.group_instance_id,
    )  # fmt: skip
    try:
        loop.run(service.stop, service.clock.monotonic_s)
    finally:
        spool.close()
        publisher.close()
