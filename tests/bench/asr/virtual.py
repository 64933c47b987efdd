"""The transcriber on one core in virtual time: the clock goes on by the CPU time that was used, or to the next chunk.

Everything runs on one thread, so the CPU time of each stage can be told, and neither a busy machine nor the wall clock
is in the figures. The same handler, legs and engine as in the service; only the pool is another, without threads.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from services.chassis.errors import Backpressure
from services.transcriber.adapters.chunk_handler import ChunkHandler
from services.transcriber.adapters.decode_pool import Answer, Decoder
from services.transcriber.adapters.silero import SileroModel
from services.transcriber.adapters.transcript_writer import TranscriptWriter
from services.transcriber.adapters.whisper_engine import WhisperEngine
from services.transcriber.app import leg_limits
from services.transcriber.config import TranscriberSettings
from services.transcriber.domain.endpointing import VoiceDetector
from services.transcriber.domain.scheduling import DecodeJob, DecodeQueue
from tests.bench.asr.feed import EPOCH, PLACE, Feed
from tests.bench.asr.screen import Screen

DRAIN_MS = 60_000


class VirtualClock:
    """A ``Clock`` that this process's work moves; ``ms`` counts from the feed's beginning."""

    def __init__(self) -> None:
        """Start at the feed's epoch."""
        self.ms = 0.0

    def now(self) -> datetime:
        """Wall clock, UTC."""
        return EPOCH + timedelta(milliseconds=self.ms)

    def monotonic_s(self) -> float:
        """Seconds that never go back."""
        return self.ms / 1000


class Stages:
    """CPU seconds by stage; a stage within another is not counted twice."""

    def __init__(self) -> None:
        """Start at zero."""
        self.cpu_s: Counter[str] = Counter()
        self._inner_s = 0.0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What runs within."""
        outer_s, self._inner_s = self._inner_s, 0.0
        began = time.process_time()
        try:
            yield
        finally:
            spent = time.process_time() - began
            self.cpu_s[name] += spent - self._inner_s
            self._inner_s = outer_s + spent


class SequentialPool:
    """``Decoders`` that decode when they are told to."""

    def __init__(self, engine: WhisperEngine, clock: VirtualClock, *, batch: int) -> None:
        """Start empty."""
        self._decoder = Decoder(engine, batch=batch)
        self._clock = clock
        self._queue = DecodeQueue()
        self._answers: list[Answer] = []
        self.decodes: Counter[str] = Counter()
        self.batches: Counter[int] = Counter()
        self.full_windows = 0

    def submit(self, job: DecodeJob) -> None:
        """Queue a job."""
        self._queue.put(job, self._now_ms())

    def cancel(self, utterance_id: str) -> None:
        """Forget what waits for an utterance."""
        self._queue.cancel(utterance_id)

    def drop_leg(self, leg_id: str) -> None:
        """Forget a leg's jobs."""
        self._queue.drop_leg(leg_id)

    def answers(self) -> list[Answer]:
        """What has been decoded since."""
        out, self._answers = self._answers, []
        return out

    def load(self) -> tuple[int, int, int]:
        """Jobs waiting, finals among them, lateness in ms."""
        return len(self._queue), self._queue.finals, self._queue.late_ms(self._now_ms())

    def wait(self, timeout_s: float) -> None:
        """Decode one, as a thread would meanwhile."""
        self.decode_one()

    def decode_one(self) -> bool:
        """Whether there was something to decode."""
        jobs = self._decoder.take(self._queue)
        if not jobs:
            return False
        began = time.process_time()
        decoded = self._decoder.decode(jobs)
        self._clock.ms += (time.process_time() - began) * 1000
        self.batches[len(jobs)] += 1
        for job, recognition in decoded:
            self.decodes[job.kind.value] += 1
            self.full_windows += recognition is not None and recognition.full_window
            self._answers.append((job, recognition, self._now_ms()))
        return True

    def _now_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


class VirtualRun:
    """One pass over a feed."""

    def __init__(self, engine: WhisperEngine, settings: TranscriberSettings, *, stages: Stages | None = None) -> None:
        """Wire as the service does."""
        self.clock = VirtualClock()
        self.stages = stages or Stages()
        self.screen = Screen(lambda: int(self.clock.ms))
        self.pool = SequentialPool(engine, self.clock, batch=settings.decode_batch)
        model = SileroModel()
        self._handler = ChunkHandler(
            detectors=lambda rate_hz: _Timed(model.detector(rate_hz), self.stages),
            pool=self.pool,
            publisher=self.screen,
            writer=TranscriptWriter(self.screen, engine.identity, self.clock),
            clock=self.clock,
            limits=leg_limits(settings),
        )
        self._handler.assigned(*PLACE, "")
        self.busy_s = 0.0

    def play(self, feed: Feed) -> None:
        """To the end, and until all finals are there."""
        last_ms = 0.0
        began_s = time.process_time()
        for due in feed:
            while self.clock.ms < due.at_ms:
                if not self._work():
                    self.clock.ms = due.at_ms
            self._spend(lambda due=due: self._handle(due.message))
            last_ms = self.clock.ms
        while self._work() or self.clock.ms < last_ms + DRAIN_MS:
            if not self.pool.load()[0]:
                self.clock.ms += 100
        self.busy_s = time.process_time() - began_s

    def _handle(self, message: Any) -> None:
        while True:
            try:
                self._handler.handle(message)
                return
            except Backpressure:
                self.pool.decode_one()

    def _work(self) -> bool:
        decoded = self.pool.decode_one()
        self._spend(self._handler.idle)
        return decoded

    def _spend(self, work: Callable[[], None]) -> None:
        began, before_ms = time.process_time(), self.clock.ms
        with self.stages.stage("legs"):
            work()
        # What was decoded within has moved the clock already.
        decoded_ms = self.clock.ms - before_ms
        self.clock.ms += max(0.0, (time.process_time() - began) * 1000 - decoded_ms)


class _Timed:
    """A voice detector whose CPU time is told apart."""

    def __init__(self, detector: VoiceDetector, stages: Stages) -> None:
        self._detector, self._stages = detector, stages

    def probabilities(self, pcm16: bytes) -> Any:
        """Those of the detector."""
        with self._stages.stage("voice"):
            return self._detector.probabilities(pcm16)

    def reset(self) -> None:
        """Forget the past."""
        self._detector.reset()
