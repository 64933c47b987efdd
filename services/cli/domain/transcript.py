"""What the topics said of one call, gathered as it arrived."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from services.contracts.records import (
    CallLifecycle,
    CallRecording,
    CallSummary,
    MediaLeg,
    Suggestion,
    TranscriptLeg,
    Utterance,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An utterance's revision and when it arrived here."""

    utterance: Utterance
    arrived: datetime


@dataclass(slots=True, kw_only=True)
class CallLog:
    """Everything that arrived of one call; grows while the call is followed. One writer."""

    call_id: str
    heard: list[Heard] = field(default_factory=list)
    suggestions: dict[str, Suggestion] = field(default_factory=dict)
    legs: dict[str, dict[str, MediaLeg]] = field(default_factory=dict)
    transcript_legs: dict[str, TranscriptLeg] = field(default_factory=dict)
    ended: CallLifecycle | None = None
    recording: CallRecording | None = None
    summary: CallSummary | None = None

    def finals(self) -> list[Utterance]:
        """The finished utterances, each once, in order of time."""
        newest = {h.utterance.utterance_id: h.utterance for h in self.heard if h.utterance.is_final}
        return sorted(newest.values(), key=lambda u: (u.start_ms, u.leg_id))

    def epoch(self) -> datetime | None:
        """Zero of the call's media clock."""
        known = [step.epoch for steps in self.legs.values() for step in steps.values() if step.epoch is not None]
        return min(known, default=None)

    def downs(self) -> list[MediaLeg]:
        """The last word on each leg that has ended."""
        return [steps["down"] for steps in self.legs.values() if "down" in steps]

    def is_complete(self) -> bool:
        """Whether nothing more is to come: terminal record, whole transcripts, recording and summary."""
        legs_up = {leg_id for leg_id, steps in self.legs.items() if "up" in steps}
        return (
            self.ended is not None
            and self.recording is not None
            and self.summary is not None
            and bool(legs_up)
            and legs_up <= self.transcript_legs.keys()
            and legs_up <= {leg.leg_id for leg in self.downs()}
        )

    def missing(self) -> list[str]:
        """What `is_complete` still waits for, in words."""
        legs_up = {leg_id for leg_id, steps in self.legs.items() if "up" in steps}
        waits = {
            "the call's terminal record": self.ended is None,
            "the recording": self.recording is None,
            "the summary": self.summary is None,
            "any audio": not legs_up,
            "whole transcripts": not legs_up <= self.transcript_legs.keys(),
            "the legs' end": not legs_up <= {leg.leg_id for leg in self.downs()},
        }
        return [what for what, still in waits.items() if still]


def text_of(finals: Iterable[Utterance], role: str) -> str:
    """A role's finished words as they were spoken, as one text."""
    return " ".join(u.spoken_text or u.text for u in finals if u.role == role)
