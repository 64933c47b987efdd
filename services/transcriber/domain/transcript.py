"""What a leg's state machine asks for and announces; all effects are data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.transcriber.domain.chunks import LegIdentity
from services.transcriber.domain.cues import Ask, Asked
from services.transcriber.domain.endpointing import Anchor
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
    language: str = "en"


class LegStatus(StrEnum):
    """How a leg's transcript ended."""

    COMPLETE = "complete"
    TIMED_OUT = "timed_out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foothold:
    """An anchor, and what had been heard of the leg up to there. ``gap_since_ms``: missing since the last utterance."""

    anchor: Anchor
    audio_ms: int = 0
    gap_ms: int = 0
    gap_since_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LegMark:
    """What a successor must know of a leg to go on as if nothing had happened.

    It listens from ``foothold`` on: all utterances that began before ``done_ms`` are published, and those of them that
    it hears are heard for the sake of the next. ``skew_ms`` is how far behind its own media time the first chunk
    belongs that it reads.
    """

    foothold: Foothold | None = None
    done_ms: int = 0
    skew_ms: int = 0
    utterances: int = 0
    words: int = 0
    unreadable: int = 0
    """Chunks that could not be read."""
    failed: bool = False
    """Something that was said could not be decoded."""
    ended: bool = False
    language: str = ""
    """What the leg's first seconds told, as a two-letter code; empty where they have not yet."""
    asked: Asked | None = None
    """What the words from ``foothold`` on may answer: a restart changes nothing in what is hidden."""
    asks: tuple[tuple[int, Ask], ...] = ()
    """What other legs have asked for since then, each with how far this leg had been heard."""
    published_ms: int = -1
    """Start of the last final published, where it is heard again because what follows may belong to it; else -1."""
    judged_ms: int = -1
    """The same for the last of which the other legs know what it asks for."""


@dataclass(frozen=True, slots=True)
class LegFinished:
    """No more finals follow. ``mark`` is what it was left with, ``audio_ms`` and ``gap_ms`` what came and what not."""

    identity: LegIdentity
    status: LegStatus
    mark: LegMark
    reason: str = ""
    audio_ms: int = 0
    gap_ms: int = 0


@dataclass(frozen=True, slots=True)
class CancelDecode:
    """What waits for this utterance is no longer wanted."""

    utterance_id: str


@dataclass(frozen=True, slots=True)
class Opened:
    """An utterance has begun at a time on the leg's media clock. ``Closed`` or ``Judged`` follows."""

    utterance_id: str
    start_ms: int


@dataclass(frozen=True, slots=True)
class Closed:
    """It has ended. What it asks for counts for what ends later on the other legs of the call."""

    utterance_id: str
    start_ms: int


@dataclass(frozen=True, slots=True)
class Judged:
    """What it asks for is known, nothing in most cases; nor does an utterance that was none."""

    utterance_id: str
    ask: Ask | None = None


Effect = DecodeJob | CancelDecode | Transcript | LegFinished | Opened | Closed | Judged
