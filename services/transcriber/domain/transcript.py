"""What a leg's state machine asks for and announces; all effects are data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.transcriber.domain.chunks import LegIdentity
from services.transcriber.domain.cues import Asked
from services.transcriber.domain.redaction import SafeText
from services.transcriber.domain.scheduling import DecodeJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """A revision of an utterance, redacted. ``*_wall_ms`` are milliseconds since 1970."""

    identity: LegIdentity
    utterance_id: str
    revision: int
    is_final: bool
    end_of_turn: bool
    start_ms: int
    end_ms: int
    safe: SafeText
    confidence: float
    gap_before_ms: int
    start_wall_ms: int | None
    audio_end_wall_ms: int
    decoded_wall_ms: int
    asks: Asked | None = None
    """What the other legs of the call may answer."""


class LegStatus(StrEnum):
    """How a leg's transcript ended."""

    COMPLETE = "complete"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegMark:
    """How far a leg is published: what a successor must know to repeat nothing.

    ``done_ms`` is the end of the last published final on the media clock; the rest are counts up to there.
    """

    done_ms: int = 0
    utterances: int = 0
    words: int = 0
    audio_ms: int = 0
    gap_ms: int = 0
    ended: bool = False
    asked: Asked | None = None
    """What the words to come may answer: they are hidden after a restart as they would have been without."""


@dataclass(frozen=True, slots=True)
class LegFinished:
    """No more finals follow."""

    identity: LegIdentity
    status: LegStatus
    counts: LegMark
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CancelDecode:
    """What waits for this utterance is no longer wanted."""

    utterance_id: str


Effect = DecodeJob | CancelDecode | Transcript | LegFinished
