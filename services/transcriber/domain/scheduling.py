"""Which decode comes next, over all legs of a process: the one whose listener has waited longest for its worth."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from enum import StrEnum

from services.transcriber.domain.queues import AS_SET_FOR_ALL, Speech
from services.transcriber.domain.recognition import Quality, RecognitionRequest


class Kind(StrEnum):
    """A partial is for now; a speculative final is made in a pause, kept if nothing follows; a final is for good.

    Either of the last two is heard again where it is in doubt.
    """

    PARTIAL = "partial"
    SPECULATIVE = "speculative"
    FINAL = "final"
    AGAIN = "again"


DEADLINE_MS = {Kind.FINAL: 300, Kind.SPECULATIVE: 350, Kind.PARTIAL: 600, Kind.AGAIN: 900}
QUALITY = {
    Kind.PARTIAL: Quality.PARTIAL,
    Kind.SPECULATIVE: Quality.FINAL,
    Kind.FINAL: Quality.FINAL,
    Kind.AGAIN: Quality.AGAIN,
}
EASE_MS = 300
"""Time left to the most urgent job from which partials get rarer."""
FOREVER_MS = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeJob:
    """One decode that a leg wants. ``captured_ms`` is when its last audio was captured (the gateway's wall clock).

    ``speech`` is what the leg's queue makes expect, ``draft`` what the engine made of less of the utterance, ``before``
    what its speaker said before it. ``renews``: a partial that is wanted only in place of one that still waits.
    ``due_ms`` is its deadline by the clock of the queue, which sets it.
    """

    leg_id: str
    utterance_id: str
    kind: Kind
    start_ms: int
    end_ms: int
    captured_ms: int
    pcm16: bytes
    rate_hz: int
    language: str = ""
    speech: Speech = AS_SET_FOR_ALL
    draft: object = None
    before: tuple[bytes, ...] = ()
    renews: bool = False
    due_ms: int = 0

    def request(self) -> RecognitionRequest:
        """What the engine is asked."""
        return RecognitionRequest(
            pcm16=self.pcm16,
            rate_hz=self.rate_hz,
            quality=QUALITY[self.kind],
            language=self.language,
            languages=self.speech.languages,
            hot_words=self.speech.hot_words,
            draft=self.draft,
            before=self.before,
        )


class DecodeQueue:
    """Earliest deadline first; of one utterance only the newest job waits.

    Deadlines count from when a job is put, by the caller's clock alone: the gateway's may be off.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: dict[str, DecodeJob] = {}

    def __len__(self) -> int:
        """Jobs waiting."""
        return len(self._waiting)

    @property
    def finals(self) -> int:
        """Jobs waiting that make finals (a speculative one does once its pause lasts): late at times, never dropped."""
        return sum(job.kind is not Kind.PARTIAL for job in self._waiting.values())

    def put(self, job: DecodeJob, now_ms: int) -> None:
        """Queue a job in place of an older one of its utterance, whose deadline it takes over from a partial."""
        due_ms = now_ms + DEADLINE_MS[job.kind]
        older = self._waiting.get(job.utterance_id)
        if older is not None and older.kind is Kind.PARTIAL:
            due_ms = min(due_ms, older.due_ms)
        elif job.renews:
            return
        self._waiting[job.utterance_id] = replace(job, due_ms=due_ms)

    def cancel(self, utterance_id: str) -> None:
        """Forget what waits for an utterance, unless it is its final."""
        job = self._waiting.get(utterance_id)
        if job is not None and job.kind is not Kind.FINAL:
            del self._waiting[utterance_id]

    def drop_leg(self, leg_id: str) -> None:
        """Forget everything of a leg that has moved to another worker."""
        for key in [key for key, job in self._waiting.items() if job.leg_id == leg_id]:
            del self._waiting[key]

    def take(self, *, before_ms: int = FOREVER_MS) -> DecodeJob | None:
        """The most urgent job, or None where none is due before a time."""
        job = min(self._waiting.values(), key=lambda job: job.due_ms, default=None)
        if job is None or job.due_ms >= before_ms:
            return None
        return self._waiting.pop(job.utterance_id)

    def take_batch(
        self, key: Callable[[DecodeJob], Hashable | None], most: int, *, before_ms: int = FOREVER_MS
    ) -> list[DecodeJob]:
        """The most urgent job, and up to ``most - 1`` of the same key that would come later; None is nobody's key."""
        first = self.take(before_ms=before_ms)
        if first is None:
            return []
        wanted = key(first)
        if wanted is None:
            return [first]
        ordered = sorted(self._waiting.values(), key=lambda job: job.due_ms)
        like = [job for job in ordered if key(job) == wanted][: most - 1]
        return [first, *(self._waiting.pop(job.utterance_id) for job in like)]

    def late_ms(self, now_ms: int) -> int:
        """How far the most urgent job is behind its deadline; below 0 where it has time left."""
        return max((now_ms - job.due_ms for job in self._waiting.values()), default=-FOREVER_MS)


def partial_step_ms(lateness_ms: int, *, step_ms: int, off_after_ms: int) -> int | None:
    """New speech to wait for before the next partial: wider as work comes to be late; None when partials are off.

    So partials are thinned out, and in the end left out, before finals are late.
    """
    if lateness_ms > off_after_ms:
        return None
    return step_ms + max(0, lateness_ms + EASE_MS)
