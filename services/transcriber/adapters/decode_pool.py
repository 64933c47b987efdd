"""Decoding off the consumer's thread: a few threads that take the most urgent jobs, and a box of answers."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from services.chassis.errors import EarshotError, Fatal
from services.transcriber.adapters import metrics
from services.transcriber.domain.recognition import BatchRecognizer, Recognition, Recognizer, nothing
from services.transcriber.domain.scheduling import FOREVER_MS, DecodeJob, DecodeQueue, Kind

log = structlog.get_logger()
BATCH = 8
Answer = tuple[DecodeJob, Recognition | None, int]


class DecodePool:
    """Thread-safe. ``answers`` gives (job, recognition or None where it failed, wall clock ms)."""

    def __init__(self, recognizer: Recognizer, *, threads: int, wall_ms: Callable[[], int], batch: int = BATCH) -> None:
        """Start the threads. ``batch`` is how many jobs one takes at a time where the engine can use it."""
        self._decoder = Decoder(recognizer, batch=batch)
        self._wall_ms = wall_ms
        self._queue = DecodeQueue()
        self._changed = threading.Condition()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._fatal: Fatal | None = None
        self._closing = False
        self._running: list[_Running] = []
        self._threads = [threading.Thread(target=self._work, name=f"decode-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: DecodeJob) -> None:
        """Queue a job."""
        with self._changed:
            self._queue.put(job, self._wall_ms())
            self._changed.notify()

    def cancel(self, utterance_id: str) -> None:
        """Forget what waits for an utterance, and hear nothing of it again; another decode that runs is answered."""
        with self._changed:
            self._queue.cancel(utterance_id)
            for running in self._running:
                running.given_up |= running.job.kind is Kind.AGAIN and running.job.utterance_id == utterance_id

    def drop_leg(self, leg_id: str) -> None:
        """Forget a leg's jobs."""
        with self._changed:
            self._queue.drop_leg(leg_id)

    def answers(self) -> list[Answer]:
        """What has been decoded since the last call, in order. Raises Fatal when the engine has given up."""
        if self._fatal is not None:
            raise self._fatal
        out: list[Answer] = []
        while True:
            try:
                out.append(self._answers.get_nowait())
            except queue.Empty:
                return out

    def load(self) -> tuple[int, int, int]:
        """Jobs waiting, finals among them, and how late the most urgent is in ms, below 0 where it has time left."""
        with self._changed:
            return len(self._queue), self._queue.finals, self._queue.late_ms(self._wall_ms())

    def wait(self, timeout_s: float) -> None:
        """Wait until something has been decoded, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: not self._answers.empty(), timeout_s)

    def close(self) -> None:
        """Stop; a decode that runs is waited for."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=30.0)

    def _work(self) -> None:
        while jobs := self._next():
            self._decode(jobs)

    def _next(self) -> list[DecodeJob]:
        with self._changed:
            while True:
                if self._closing:
                    return []
                jobs = self._decoder.take(self._queue)
                if jobs:
                    return jobs
                self._changed.wait()

    def _decode(self, jobs: Sequence[DecodeJob]) -> None:
        running = _Running(jobs[0])
        with self._changed:
            self._running.append(running)
        try:
            for job, recognition in self._decoder.decode(jobs, between=partial(self._between, running)):
                self._answers.put((job, recognition, self._wall_ms()))
        except _GivenUpError:
            pass
        except Fatal as error:
            self._fatal = error
        except Exception as error:  # noqa: BLE001 - the thread's outermost: the consumer's thread is to hear of it
            self._fatal = Fatal(f"the engine broke: {type(error).__name__}")
        with self._changed:
            self._running.remove(running)
            self._changed.notify_all()

    def _between(self, running: _Running) -> None:
        """What has become more urgent than a job that takes long goes first."""
        with self._changed:
            if running.given_up:
                raise _GivenUpError
            urgent = self._decoder.take(self._queue, before_ms=running.job.due_ms)
        if urgent:
            self._decode(urgent)


@dataclass(slots=True, eq=False)
class _Running:
    """The first of the jobs that a thread is at."""

    job: DecodeJob
    given_up: bool = False


class _GivenUpError(Exception):
    """Nobody waits for this decode any more."""


class Decoder:
    """What a thread of the pool does: jobs from a queue, one or, where it pays, several; decoded and counted."""

    def __init__(self, recognizer: Recognizer, *, batch: int = BATCH) -> None:
        """Take ``batch`` at a time from engines that can use it, else one."""
        self._recognizer = recognizer
        self._batched: BatchRecognizer | None = None
        if isinstance(recognizer, BatchRecognizer) and batch > 1:
            self._batched = recognizer
        self._batch = batch

    def take(self, waiting: DecodeQueue, *, before_ms: int = FOREVER_MS) -> list[DecodeJob]:
        """The most urgent job and its company; none where none waits that is due before a time."""
        batched = self._batched
        if batched is None:
            job = waiting.take(before_ms=before_ms)
            return [] if job is None else [job]
        return waiting.take_batch(lambda job: batched.batch_key(job.request()), self._batch, before_ms=before_ms)

    def decode(
        self, jobs: Sequence[DecodeJob], *, between: Callable[[], None] = nothing
    ) -> list[tuple[DecodeJob, Recognition | None]]:
        """Each with its recognition, None where it failed. Raises Fatal where the engine has given up.

        ``between`` is called now and then where one takes long; what it raises goes through.
        """
        elsewhere_s = 0.0

        def meanwhile() -> None:
            nonlocal elsewhere_s
            began = time.perf_counter()
            between()
            elsewhere_s += time.perf_counter() - began

        started = time.perf_counter()
        out = list(zip(jobs, self._recognize(jobs, meanwhile), strict=True))
        spent_s = (time.perf_counter() - started - elsewhere_s) / len(jobs)
        metrics.DECODE_BATCH.observe(len(jobs))
        for job, recognition in out:
            metrics.DECODE_SECONDS.labels(job.kind.value).observe(spent_s)
            metrics.DECODED_AUDIO_SECONDS.labels(job.kind.value).inc((job.end_ms - job.start_ms) / 1000)
            metrics.DECODE_FAILED.inc(recognition is None)
            metrics.SECOND_LOOKS.inc(recognition is not None and recognition.second_look)
            metrics.FULL_WINDOWS.inc(recognition is not None and recognition.full_window)
        return out

    def _recognize(self, jobs: Sequence[DecodeJob], between: Callable[[], None]) -> Sequence[Recognition | None]:
        if self._batched is not None and len(jobs) > 1:
            try:
                return self._batched.recognize_batch([job.request() for job in jobs])
            except Fatal:
                raise
            except EarshotError as error:
                log.warning("batch_failed", jobs=len(jobs), error=type(error).__name__)
        return [self._recognize_one(job, between) for job in jobs]

    def _recognize_one(self, job: DecodeJob, between: Callable[[], None]) -> Recognition | None:
        try:
            return self._recognizer.recognize(job.request(), between=between)
        except Fatal:
            raise
        except EarshotError as error:
            log.warning("decode_failed", leg_id=job.leg_id, kind=job.kind.value, error=type(error).__name__)
            return None
