"""Which decode comes next, over all legs of a process: the one whose listener has waited longest for its worth."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.transcriber.domain.recognition import Quality, RecognitionRequest


class Kind(StrEnum):
    """A partial is for now; a speculative final is made in a pause, kept if nothing follows; a final is for good."""

    PARTIAL = "partial"
    SPECULATIVE = "speculative"
    FINAL = "final"


DEADLINE_MS = {Kind.FINAL: 300, Kind.SPECULATIVE: 350, Kind.PARTIAL: 1_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeJob:
    """One decode that a leg wants. ``wanted_ms`` is when its audio was captured (wall clock)."""

    leg_id: str
    utterance_id: str
    kind: Kind
    start_ms: int
    end_ms: int
    wanted_ms: int
    pcm16: bytes
    rate_hz: int
    prefix: str = ""

    @property
    def deadline_ms(self) -> int:
        """When it should be done."""
        return self.wanted_ms + DEADLINE_MS[self.kind]

    def request(self) -> RecognitionRequest:
        """What the engine is asked."""
        quality = Quality.PARTIAL if self.kind is Kind.PARTIAL else Quality.FINAL
        return RecognitionRequest(pcm16=self.pcm16, rate_hz=self.rate_hz, quality=quality, prefix=self.prefix)


class DecodeQueue:
    """Earliest deadline first; of one utterance only the newest job waits."""

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

    def put(self, job: DecodeJob) -> None:
        """Queue a job in place of an older one of its utterance, whose place in the line it takes."""
        older = self._waiting.get(job.utterance_id)
        if older is not None and older.kind is job.kind is Kind.PARTIAL:
            self._waiting[job.utterance_id] = job
            return
        self._waiting.pop(job.utterance_id, None)
        self._waiting[job.utterance_id] = job

    def cancel(self, utterance_id: str) -> None:
        """Forget what waits for an utterance, unless it is its final."""
        job = self._waiting.get(utterance_id)
        if job is not None and job.kind is not Kind.FINAL:
            del self._waiting[utterance_id]

    def drop_leg(self, leg_id: str) -> None:
        """Forget everything of a leg that has moved to another worker."""
        for key in [key for key, job in self._waiting.items() if job.leg_id == leg_id]:
            del self._waiting[key]

    def take(self) -> DecodeJob | None:
        """The most urgent job, or None."""
        if not self._waiting:
            return None
        key = min(self._waiting, key=lambda k: self._waiting[k].deadline_ms)
        return self._waiting.pop(key)

    def age_ms(self, now_ms: int) -> int:
        """How far the most urgent job is behind its deadline; 0 when all is in time."""
        return max((0, *(now_ms - job.deadline_ms for job in self._waiting.values())))


def partial_step_ms(lateness_ms: int, *, step_ms: int, off_after_ms: int) -> int | None:
    """New speech to wait for before the next partial: wider as work gets late; None when partials are off."""
    if lateness_ms > off_after_ms:
        return None
    return step_ms + max(0, lateness_ms)
