"""The consumer's handler: chunks to legs, legs' effects to the decode pool and to Kafka, offsets held back.

Everything runs on the consume loop's thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from services.chassis.clock import Clock
from services.chassis.consumer import Incoming
from services.chassis.errors import Backpressure, Fatal, Poison, Transient
from services.chassis.publisher import Publisher
from services.transcriber.adapters import metrics
from services.transcriber.adapters.chunk_reader import read_chunk, whose
from services.transcriber.adapters.decode_pool import Answer
from services.transcriber.adapters.followed_legs import FollowedLeg, FollowedLegs
from services.transcriber.adapters.partition import Partition, Place
from services.transcriber.adapters.transcript_writer import TranscriptWriter
from services.transcriber.domain.chunks import LegChunk
from services.transcriber.domain.endpointing import EndpointRules, VoiceDetector
from services.transcriber.domain.leg import LegStream
from services.transcriber.domain.partition_marks import read_note
from services.transcriber.domain.policy import Policy
from services.transcriber.domain.queues import Speech
from services.transcriber.domain.scheduling import DecodeJob, Kind, partial_step_ms
from services.transcriber.domain.transcript import (
    CancelDecode,
    Closed,
    Effect,
    Judged,
    LegFinished,
    LegMark,
    LegStatus,
    Opened,
    Transcript,
)

log = structlog.get_logger()
CARE_EVERY_S = 0.5
ROOM_TRIES = 2
FLUSH_S = 30.0
PAST_ALL = 2**62
QUIET_GRACE_MS = 2_500
"""The log's times tell of a pause before the clock does: a broker that changes its leader is silent for a while."""
LONGEST_STEP_S = 0.25
"""More time than this between two looks was not spent listening: what holds the loop up holds its messages up, too."""


class Decoders(Protocol):
    """Where decodes are done; see ``decode_pool``."""

    def submit(self, job: DecodeJob) -> None:
        """Queue a job."""
        ...

    def cancel(self, utterance_id: str) -> None:
        """Forget what waits for an utterance."""
        ...

    def drop_leg(self, leg_id: str) -> None:
        """Forget a leg's jobs."""
        ...

    def answers(self) -> Sequence[Answer]:
        """What has been decoded since."""
        ...

    def load(self) -> tuple[int, int, int]:
        """Jobs waiting, finals among them, lateness in ms."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Wait until something has been decoded, or for so long."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LegLimits:
    """Settings of all legs."""

    rules: EndpointRules
    partial_step_ms: int = 700
    partials_off_after_ms: int = 3_000
    number_hold_ms: int = 4_000
    languages: tuple[str, ...] = ("en",)
    queues: Mapping[str, Speech] = field(default_factory=dict)
    redact: Policy = field(default_factory=Policy)
    backlog: int = 32
    quiet_ms: int = 3_000
    timeout_ms: int = 300_000


@dataclass(slots=True)
class _Parting:
    offset: int
    note: str


class ChunkHandler:
    """A ``Handler`` of the consume loop that also ``RemembersProgress`` and ``FollowsEnds``."""

    def __init__(
        self,
        *,
        detectors: Callable[[int], VoiceDetector],
        pool: Decoders,
        publisher: Publisher,
        writer: TranscriptWriter,
        clock: Clock,
        limits: LegLimits,
    ) -> None:
        """``detectors`` makes a voice detector for a rate in Hz."""
        self._detectors = detectors
        self._pool = pool
        self._publisher = publisher
        self._writer = writer
        self._clock = clock
        self._limits = limits
        self._legs = FollowedLegs()
        self._due: deque[tuple[FollowedLeg, Effect]] = deque()
        self._applying = False
        self._partitions: dict[Place, Partition] = {}
        self._parting: dict[Place, _Parting] = {}
        self._next_care_s = 0.0
        self._looked_s = clock.monotonic_s()

    def assigned(self, full_name: str, partition: int, note: str) -> None:
        """Take over a partition with what its last owner noted."""
        self._partitions[full_name, partition] = Partition(read_note(note))
        self._parting.pop((full_name, partition), None)

    def reached_end(self, full_name: str, partition: int, still: Callable[[], bool]) -> None:
        """Nothing is there that has not been heard."""
        self._home((full_name, partition)).still_at_end = still

    def handle(self, message: Incoming) -> None:
        """Hear a chunk. Raises Poison for what cannot be heard; its leg says so and goes on with the next."""
        place = (message.full_name, message.partition)
        home = self._home(place)
        marks = home.marks
        home.still_at_end = None
        if marks.is_put_aside(message.offset):
            return
        step_ms = self._step_ms(self._wait_for_room())
        try:
            self._hear(read_chunk(message), place, written_ms=message.timestamp_ms, step_ms=step_ms)
        except Poison as poison:
            marks.put_aside(message.offset)
            self._put_aside(message, poison, place)
            raise

    def _hear(self, chunk: LegChunk, place: Place, *, written_ms: int, step_ms: int | None) -> None:
        leg = self._leg(chunk, place)
        if leg.stream.rate_hz != chunk.rate_hz:
            raise Poison("rate_changed", f"from {leg.stream.rate_hz} to {chunk.rate_hz} Hz within a leg")
        others = self._legs.others(leg)
        # By the log's times: a successor, which reads at once what came with a pause, closes what the pause closed.
        self._close_quiet(leg, leg.written_ms, written_ms)
        for other in others:
            self._close_quiet(other, other.others_ms.get(chunk.identity.leg_id, 0), written_ms)
        leg.seen_s, leg.offset, leg.quiet = self._home(place).listened_s, chunk.offset, False
        leg.written_ms = written_ms
        leg.others_ms = {other.leg_id: other.written_ms for other in others}
        self._apply(leg, leg.stream.on_chunk(chunk, step_ms=step_ms))

    def _close_quiet(self, leg: FollowedLeg, heard_ms: int, now_ms: int) -> None:
        if 0 < heard_ms <= now_ms - self._limits.quiet_ms and not leg.quiet:
            leg.quiet = True
            self._apply(leg, leg.stream.on_quiet())

    def idle(self) -> None:
        """Take what has been decoded; now and then look after legs that fell silent."""
        for job, recognition, wall_ms in self._pool.answers():
            leg = self._legs.get(job.leg_id)
            if leg is not None:
                self._apply(leg, leg.stream.on_decoded(job, recognition, wall_ms=wall_ms))
        now_s = self._clock.monotonic_s()
        self._listen(now_s)
        if now_s >= self._next_care_s:
            self._next_care_s = now_s + CARE_EVERY_S
            self._care()

    def safe_offset(self, full_name: str, partition: int, position: int) -> int:
        """The lowest offset that an utterance needs whose final is neither acknowledged nor committed with it."""
        place = (full_name, partition)
        parting = self._parting.get(place)
        if parting is not None:
            return min(parting.offset, position)
        home = self._home(place)
        # Marks and offset speak of finals that the broker has, so it is asked first.
        if not self._publisher.flush(FLUSH_S):
            raise Fatal("the broker does not take transcripts")
        low = position
        for leg in self._legs.at(place):
            home.marks.put(leg.leg_id, leg.stream.mark, leg.offset)
            needed = leg.stream.needed_offset
            low = low if needed is None else min(low, needed)
        home.marks.forget_before(low)
        return low

    def note(self, full_name: str, partition: int) -> str:
        """The marks, as of the last ``safe_offset``."""
        parting = self._parting.get((full_name, partition))
        if parting is not None:
            return parting.note
        home = self._partitions.get((full_name, partition))
        return home.note(partition) if home else ""

    def revoked(self, full_name: str, partition: int, *, lost: bool) -> None:
        """Drop the partition's legs; what they had open is read again by the next owner."""
        place = (full_name, partition)
        if not lost:
            offset = self.safe_offset(full_name, partition, PAST_ALL)
            self._parting[place] = _Parting(offset, self.note(full_name, partition))
        for leg in self._legs.at(place):
            self._legs.let_go(leg)
            self._pool.drop_leg(leg.leg_id)
        self._partitions.pop(place, None)

    def _leg(self, chunk: LegChunk, place: Place) -> FollowedLeg:
        leg_id = chunk.identity.leg_id
        leg = self._legs.get(leg_id)
        if leg is None:
            mark = self._home(place).marks.get(leg_id)
            stream = LegStream(
                chunk.identity,
                self._detectors(chunk.rate_hz),
                rate_hz=chunk.rate_hz,
                rules=self._limits.rules,
                hold_ms=self._limits.number_hold_ms,
                policy=self._limits.redact,
                languages=self._limits.languages,
                queues=self._limits.queues,
                mark=mark,
            )
            leg = FollowedLeg(stream, place, self._home(place).listened_s, chunk.offset)
            self._legs.add(leg)
            for other in self._legs.others(leg):
                opened = other.stream.speaking
                for effect in tuple(other.told) if mark is not None else filter(None, [opened]):
                    self._apply(leg, stream.on_other(effect, epoch_ms=other.stream.epoch_ms))
            log.info("leg_started", call_id=chunk.identity.call_id, leg_id=leg_id, resumed=mark is not None)
        return leg

    def _step_ms(self, late_ms: int) -> int | None:
        limits = self._limits
        step_ms = partial_step_ms(late_ms, step_ms=limits.partial_step_ms, off_after_ms=limits.partials_off_after_ms)
        metrics.PARTIALS_OFF.set(step_ms is None)
        metrics.PARTIALS_THINNED.set(step_ms is not None and step_ms > limits.partial_step_ms)
        return step_ms

    def _wait_for_room(self) -> int:
        """How late work is in ms. No more audio is read while finals wait in numbers: the lag stays in Kafka, where it
        is seen.
        """
        for _ in range(ROOM_TRIES):
            _, finals, late_ms = self._pool.load()
            if finals <= self._limits.backlog:
                return late_ms
            self._pool.wait(0.1)
            self.idle()
        raise Backpressure("finals wait to be decoded")

    def _listen(self, now_s: float) -> None:
        step_s = now_s - self._looked_s
        if step_s <= LONGEST_STEP_S:
            for home in self._partitions.values():
                home.listen(step_s)
        self._looked_s = now_s

    def _home(self, place: Place) -> Partition:
        return self._partitions.setdefault(place, Partition())

    def _put_aside(self, message: Incoming, poison: Poison, place: Place) -> None:
        """Tell of a message that cannot be read, as far as it says whose it is."""
        identity, end = whose(message)
        if identity is None:
            return
        leg = self._legs.get(identity.leg_id)
        if leg is not None:
            leg.seen_s, leg.offset = self._home(place).listened_s, message.offset
            self._apply(leg, leg.stream.on_unreadable(end=end))
            return
        marks = self._home(place).marks
        mark = marks.get(identity.leg_id) or LegMark()
        if mark.unreadable == 0 and mark.foothold is None and not mark.ended:
            self._writer.finish(LegFinished(identity, LegStatus.FAILED, replace(mark, unreadable=1), poison.reason))
        marks.put(
            identity.leg_id, replace(mark, unreadable=mark.unreadable + 1, ended=mark.ended or end), message.offset
        )

    def _apply(self, leg: FollowedLeg, effects: Sequence[Effect]) -> None:
        """Carry effects out, and those that they have on other legs, in the order in which they came about."""
        self._due.extend((leg, effect) for effect in effects)
        if self._applying:
            return
        self._applying = True
        try:
            while self._due:
                self._carry_out(*self._due.popleft())
        finally:
            self._applying = False

    def _carry_out(self, leg: FollowedLeg, effect: Effect) -> None:
        match effect:
            case DecodeJob():
                self._pool.submit(effect)
            case CancelDecode(utterance_id):
                self._pool.cancel(utterance_id)
            case Transcript():
                self._writer.write(effect)
                kind = Kind.FINAL if effect.is_final else Kind.PARTIAL
                late_ms = max(0, self._wall_ms() - effect.audio_end_wall_ms)
                metrics.TRANSCRIPT_SECONDS.labels(kind.value).observe(late_ms / 1000)
            case Opened() | Closed() | Judged():
                self._tell_others(leg, effect)
            case LegFinished():
                self._finished(leg, effect)

    def _tell_others(self, leg: FollowedLeg, effect: Opened | Closed | Judged) -> None:
        """What one side of a call asks for, the other answers."""
        leg.told.append(effect)
        for other in self._legs.others(leg):
            self._apply(other, other.stream.on_other(effect, epoch_ms=leg.stream.epoch_ms))

    def _finished(self, leg: FollowedLeg, finished: LegFinished) -> None:
        self._writer.finish(finished)
        identity = finished.identity
        log.info("leg_finished", call_id=identity.call_id, leg_id=identity.leg_id, status=finished.status.value)
        # A leg that only fell silent may be heard again, and goes on where it was.
        mark = replace(finished.mark, ended=finished.status is not LegStatus.TIMED_OUT)
        self._home(leg.place).marks.put(identity.leg_id, mark, leg.offset)
        self._legs.let_go(leg)
        for other in self._legs.others(leg):
            other.told.clear()  # what was said is known to it, should it be heard again

    def _care(self) -> None:
        limits = self._limits
        quiet_ms = min(limits.quiet_ms + QUIET_GRACE_MS, limits.timeout_ms)
        silent: list[tuple[FollowedLeg, float]] = []
        for leg in self._legs:
            silent_ms = (self._home(leg.place).listened_s - leg.seen_s) * 1000
            if leg.stream.finished and silent_ms >= limits.quiet_ms:
                self._legs.let_go(leg)
            elif silent_ms >= (limits.timeout_ms if leg.quiet else quiet_ms):
                silent.append((leg, silent_ms))
        certain = self._at_end({leg.place for leg, _ in silent})
        for leg, silent_ms in silent:
            if leg.place not in certain:
                continue
            if silent_ms >= limits.timeout_ms:
                self._apply(leg, leg.stream.on_time_out())
            else:
                leg.quiet = True
                self._apply(leg, leg.stream.on_quiet())
        for place, home in self._partitions.items():
            followed = {leg.leg_id for leg in self._legs.at(place)}
            home.keep(followed, every_s=2 * limits.timeout_ms / 1000)
        waiting, _, late_ms = self._pool.load()
        metrics.JOBS_WAITING.set(waiting)
        metrics.LATENESS_SECONDS.set(max(0, late_ms) / 1000)
        metrics.LEGS.set(len(self._legs))

    def _at_end(self, places: Iterable[Place]) -> set[Place]:
        """Those of them of which nothing waits to be heard, as far as the broker says."""
        certain: set[Place] = set()
        with suppress(Transient):
            for place in places:
                if self._home(place).is_at_end():
                    certain.add(place)
        return certain

    def _wall_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)
