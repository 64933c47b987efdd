"""Decoding off the consumer's thread: a few threads that take the most urgent job, and a box of answers."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

import structlog

from services.chassis.errors import EarshotError, Fatal
from services.transcriber.adapters import metrics
from services.transcriber.domain.recognition import Recognition, Recognizer
from services.transcriber.domain.scheduling import DecodeJob, DecodeQueue

log = structlog.get_logger()
Answer = tuple[DecodeJob, Recognition | None, int]


class DecodePool:
    """Thread-safe. ``answers`` gives (job, recognition or None where it failed, wall clock ms)."""

    def __init__(self, recognizer: Recognizer, *, threads: int, wall_ms: Callable[[], int]) -> None:
        """Start the threads."""
        self._recognizer = recognizer
        self._wall_ms = wall_ms
        self._queue = DecodeQueue()
        self._changed = threading.Condition()
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._fatal: Fatal | None = None
        self._closing = False
        self._threads = [threading.Thread(target=self._work, name=f"decode-{i}", daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, job: DecodeJob) -> None:
        """Queue a job."""
        with self._changed:
            self._queue.put(job)
            self._changed.notify()

    def cancel(self, utterance_id: str) -> None:
        """Forget what waits for an utterance; what is being decoded is answered all the same."""
        with self._changed:
            self._queue.cancel(utterance_id)

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

    def load(self, now_ms: int) -> tuple[int, int, int]:
        """Jobs waiting, finals among them, and how late the most urgent is in ms."""
        with self._changed:
            return len(self._queue), self._queue.finals, self._queue.age_ms(now_ms)

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
        while (job := self._next()) is not None:
            started = time.perf_counter()
            recognition = self._recognize(job)
            metrics.DECODE_SECONDS.labels(job.kind.value).observe(time.perf_counter() - started)
            metrics.DECODED_AUDIO_SECONDS.labels(job.kind.value).inc((job.end_ms - job.start_ms) / 1000)
            if recognition is not None and recognition.full_window:
                metrics.FULL_WINDOWS.inc()
            self._answers.put((job, recognition, self._wall_ms()))
            with self._changed:
                self._changed.notify_all()

    def _next(self) -> DecodeJob | None:
        with self._changed:
            while True:
                if self._closing:
                    return None
                job = self._queue.take()
                if job is not None:
                    return job
                self._changed.wait()

    def _recognize(self, job: DecodeJob) -> Recognition | None:
        try:
            return self._recognizer.recognize(job.request())
        except Fatal as error:
            self._fatal = error
        except EarshotError as error:
            log.warning("decode_failed", leg_id=job.leg_id, kind=job.kind.value, error=type(error).__name__)
        metrics.DECODE_FAILED.inc()
        return None
