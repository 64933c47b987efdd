"""Where speech begins and ends: voice probabilities, one each 32 ms, into utterances.

    silent --voice--> speaking --pause_ms of silence--> paused --silence_ms--> ended
                         ^                                |
                         +------------- voice ------------+

Frames lie on a grid fixed to the media clock, so that a replay that starts elsewhere finds the same utterances. A
recurrent detector remembers for longer than a replay goes back, so where nobody speaks it is made to forget: behind
each utterance, and at each multiple of ``FORGET_MS``. A replay passes one of these before the onset it looks for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

FRAME_MS = 32
FORGET_MS = 960
"""A multiple of a frame, less than a replay's warm-up."""


class VoiceDetector(Protocol):
    """Voice probabilities of one leg, which it remembers."""

    def probabilities(self, pcm16: bytes) -> Sequence[float]:
        """One probability for each whole 32 ms frame in ``pcm16``, whose length is a multiple of one."""
        ...

    def reset(self) -> None:
        """Forget the leg's past: what follows does not follow on it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRules:
    """When speech counts as begun, paused and ended."""

    onset: float = 0.5
    offset: float = 0.35
    pre_roll_ms: int = 256
    pause_ms: int = 256
    silence_ms: int = 544
    keep_silence_ms: int = 320
    max_ms: int = 14_016
    split_window_ms: int = 5_024
    min_voiced_ms: int = 64


class Cause(StrEnum):
    """Why an utterance ended."""

    SILENCE = "silence"
    LENGTH = "length"
    GAP = "gap"
    LEG_END = "leg_end"


@dataclass(frozen=True, slots=True)
class Started:
    """Speech began; ``start_ms`` includes the pre-roll."""

    start_ms: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Speech stopped for long enough to guess that it has ended, at ``end_ms``."""

    end_ms: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """The guess was wrong."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An utterance is whole. ``voice`` holds a probability for each of its frames."""

    start_ms: int
    end_ms: int
    cause: Cause
    voice: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """What began was too short to be speech."""

    start_ms: int


Boundary = Started | Paused | Resumed | Ended | Dropped


@dataclass(slots=True)
class Endpointer:
    """The state machine of the module's diagram, for one leg.

    ``not_before_ms``: utterances may not begin earlier (they are already published, or the leg was not there yet).
    """

    rules: EndpointRules
    not_before_ms: int = 0
    start_ms: int | None = None
    _voice: list[float] = field(default_factory=list)
    _before: deque[float] = field(default_factory=deque)
    _silence_ms: int = 0
    _voiced_ms: int = 0
    _paused: bool = False
    _behind_ms: int = -1

    def __post_init__(self) -> None:
        """Go on behind ``not_before_ms`` as if an utterance had ended there by silence."""
        self._behind_ms = self.not_before_ms + self.rules.silence_ms - self.rules.keep_silence_ms

    def forgets(self, frame_ms: int) -> bool:
        """Whether the detector is to forget the leg's past before it hears the frame that starts at ``frame_ms``."""
        return self.start_ms is None and (frame_ms % FORGET_MS == 0 or frame_ms == self._behind_ms)

    def feed(self, frame_ms: int, probability: float) -> list[Boundary]:
        """Take the frame that starts at ``frame_ms``; frames follow each other without holes."""
        if self.start_ms is None:
            return self._silent(frame_ms, probability)
        return self._speaking(frame_ms, probability)

    def voice(self) -> tuple[float, ...]:
        """Probabilities of the open utterance so far."""
        return tuple(self._voice)

    def close(self, cause: Cause) -> list[Boundary]:
        """End what is open now: the leg is over, or audio is missing. Nothing heard is cut off."""
        if self.start_ms is None:
            self._before.clear()
            return []
        return [self._end(len(self._voice), cause)]

    def _silent(self, frame_ms: int, probability: float) -> list[Boundary]:
        room = self.rules.pre_roll_ms // FRAME_MS
        if frame_ms < self.not_before_ms:
            self._before.clear()
            return []
        if probability < self.rules.onset:
            self._before.append(probability)
            while len(self._before) > room:
                self._before.popleft()
            return []
        self.start_ms = frame_ms - len(self._before) * FRAME_MS
        self._voice = [*self._before, probability]
        self._before.clear()
        self._silence_ms, self._voiced_ms, self._paused = 0, FRAME_MS, False
        return [Started(self.start_ms)]

    def _speaking(self, frame_ms: int, probability: float) -> list[Boundary]:
        rules = self.rules
        self._voice.append(probability)
        out: list[Boundary] = []
        if probability >= (rules.onset if self._paused else rules.offset):
            if self._paused:
                out.append(Resumed())
            self._silence_ms, self._paused = 0, False
            self._voiced_ms += FRAME_MS
        else:
            self._silence_ms += FRAME_MS
            if self._silence_ms >= rules.silence_ms:
                extra = max(0, self._silence_ms - rules.keep_silence_ms) // FRAME_MS
                self._behind_ms = frame_ms + FRAME_MS
                return [self._end(len(self._voice) - extra, Cause.SILENCE)]
            if not self._paused and self._silence_ms >= rules.pause_ms:
                self._paused = True
                out.append(Paused(frame_ms + FRAME_MS))
        if len(self._voice) * FRAME_MS >= rules.max_ms:
            out.extend(self._split())
        return out

    def _end(self, frames: int, cause: Cause) -> Boundary:
        start_ms = self.start_ms or 0
        voice, rest = tuple(self._voice[:frames]), self._voice[frames:]
        end_ms = start_ms + frames * FRAME_MS
        enough = self._voiced_ms >= self.rules.min_voiced_ms
        room = self.rules.pre_roll_ms // FRAME_MS
        self._before = deque(rest[-room:]) if cause is Cause.SILENCE else deque()
        self.start_ms, self._voice, self.not_before_ms = None, [], max(self.not_before_ms, end_ms)
        return Ended(start_ms, end_ms, cause, voice) if enough else Dropped(start_ms)

    def _split(self) -> list[Boundary]:
        """End at the quietest place of the last seconds and go on speaking from there."""
        quiet, width = self._voice, 5
        first = max(len(quiet) - self.rules.split_window_ms // FRAME_MS, width)
        places = range(first, len(quiet) - width)
        at = min(places, key=lambda i: (sum(quiet[i - 2 : i + 3]), -i), default=len(quiet))
        rest, paused, silence_ms = quiet[at:], self._paused, self._silence_ms
        ended = self._end(at, Cause.LENGTH)
        self.start_ms = ended.end_ms if isinstance(ended, Ended) else self.not_before_ms
        self._voice, self._paused, self._silence_ms = list(rest), paused, silence_ms
        self._voiced_ms = sum(FRAME_MS for p in rest if p >= self.rules.offset)
        return [ended, Started(self.start_ms)]
