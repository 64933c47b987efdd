"""Where speech begins and ends: voice probabilities, one each 32 ms, into utterances.

    silent --voice--> speaking --pause--> paused --silence_ms--> ended
                         ^                   |
                         +------ voice ------+--voice, after a pause that is long enough for a breath--> ended

The longer somebody has spoken, the shorter a pause is enough to take what was said so far as an utterance of its own,
once the speaker goes on: so words of long turns are final early, and windows stay short.

Frames lie on a grid fixed to the media clock. A recurrent detector remembers for longer than a replay can go back, so
where nobody speaks it is made to forget: behind each utterance, and about every ``FORGET_MS``. Such a place is an
``Anchor``: whoever begins to listen there finds what follows exactly as one who has heard all before it.

Speech that gets too long is split at its quietest place, and heard again from there on: a split is an anchor too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

FRAME_MS = 32
FORGET_MS = 960


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
    breaths: tuple[tuple[int, int], ...] = ((1_504, 224), (2_496, 160), (4_000, 96))
    """After so many ms of speech so short a pause is a breath."""
    silence_ms: int = 544
    keep_silence_ms: int = 320
    max_ms: int = 14_016
    split_window_ms: int = 5_024
    min_voiced_ms: int = 64

    def breath_ms(self, spoken_ms: int) -> int | None:
        """The pause that divides what has been going on for so long, if any does."""
        return min((pause_ms for least_ms, pause_ms in self.breaths if spoken_ms >= least_ms), default=None)


class Cause(StrEnum):
    """Why an utterance ended."""

    SILENCE = "silence"
    BREATH = "breath"
    LENGTH = "length"
    GAP = "gap"
    LEG_END = "leg_end"


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place where listening begins afresh with the frame at ``at_ms``.

    The next utterance may reach ``pre_roll_ms`` behind it; with ``goes_on`` it is open, and begins there.
    """

    at_ms: int
    pre_roll_ms: int = 0
    goes_on: bool = False

    @property
    def since_ms(self) -> int:
        """Where the audio begins that is needed to listen from here."""
        return self.at_ms - self.pre_roll_ms


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
    """An utterance is whole. ``voice`` holds a probability for each of its frames.

    Listening goes on at ``then``, with a detector that has forgotten what was before.
    """

    start_ms: int
    end_ms: int
    cause: Cause
    voice: tuple[float, ...]
    then: Anchor


@dataclass(frozen=True, slots=True)
class Dropped:
    """What began was too short to be speech. Listening goes on at ``then``, as behind an utterance."""

    start_ms: int
    then: Anchor


Boundary = Started | Paused | Resumed | Ended | Dropped


@dataclass(slots=True)
class Endpointer:
    """The state machine of the module's diagram, for one leg. It begins with ``restart``."""

    rules: EndpointRules
    start_ms: int | None = None
    _voice: list[float] = field(default_factory=list)
    _before: deque[float] = field(default_factory=deque)
    _silence_ms: int = 0
    _voiced_ms: int = 0
    _paused: bool = False
    _forget_due: bool = False

    def restart(self, anchor: Anchor) -> list[Boundary]:
        """Listen from an anchor on; the detector knows nothing yet."""
        self._before = deque([0.0] * (anchor.pre_roll_ms // FRAME_MS))
        self._forget_due = False
        self.start_ms = None
        return [self._open(anchor.at_ms, [])] if anchor.goes_on else []

    def anchor(self, frame_ms: int) -> Anchor | None:
        """The place of the frame to come, if the detector is to forget the past before it hears it."""
        if self.start_ms is not None:
            return None
        on_grid, overdue = frame_ms % FORGET_MS == 0, self._forget_due
        self._forget_due = on_grid or overdue
        # What nearly was a voice is kept for the utterance that may come, for a while.
        nearly = any(p >= self.rules.offset for p in self._before)
        if not self._forget_due or (nearly and not (on_grid and overdue)):
            return None
        anchor = Anchor(frame_ms, len(self._before) * FRAME_MS)
        self.restart(anchor)
        return anchor

    def feed(self, frame_ms: int, probability: float) -> list[Boundary]:
        """Take the frame that starts at ``frame_ms``; frames follow each other without holes, or go on at ``then``."""
        if self.start_ms is None:
            return self._silent(frame_ms, probability)
        return self._speaking(frame_ms, probability)

    def voice(self) -> tuple[float, ...]:
        """Probabilities of the open utterance so far."""
        return tuple(self._voice)

    def close(self, cause: Cause) -> list[Boundary]:
        """End what is open now: the leg is over, or audio is missing. Nothing heard is cut off."""
        if self.start_ms is None:
            return []
        return [self._end(len(self._voice), cause)]

    def _silent(self, frame_ms: int, probability: float) -> list[Boundary]:
        if probability < self.rules.onset:
            self._before.append(probability)
            while len(self._before) > self.rules.pre_roll_ms // FRAME_MS:
                self._before.popleft()
            return []
        started = self._open(frame_ms - len(self._before) * FRAME_MS, [*self._before, probability])
        self._voiced_ms = FRAME_MS
        return [started]

    def _open(self, start_ms: int, voice: list[float]) -> Started:
        self.start_ms, self._voice = start_ms, voice
        self._before.clear()
        self._silence_ms, self._voiced_ms, self._paused = 0, 0, False
        return Started(start_ms)

    def _speaking(self, frame_ms: int, probability: float) -> list[Boundary]:
        rules = self.rules
        self._voice.append(probability)
        out: list[Boundary] = []
        breath_ms = rules.breath_ms(len(self._voice) * FRAME_MS - FRAME_MS - self._silence_ms)
        if probability >= (rules.onset if self._paused else rules.offset):
            if self._paused and breath_ms is not None and self._silence_ms >= breath_ms:
                behind = min(rules.pre_roll_ms, self._silence_ms // 2) // FRAME_MS + 1
                return [self._end(len(self._voice) - behind, Cause.BREATH)]
            if self._paused:
                out.append(Resumed())
            self._silence_ms, self._paused = 0, False
            self._voiced_ms += FRAME_MS
        else:
            self._silence_ms += FRAME_MS
            if self._silence_ms >= rules.silence_ms:
                extra = max(0, self._silence_ms - rules.keep_silence_ms) // FRAME_MS
                return [self._end(len(self._voice) - extra, Cause.SILENCE)]
            if not self._paused and self._silence_ms >= min(rules.pause_ms, breath_ms or rules.pause_ms):
                self._paused = True
                out.append(Paused(frame_ms + FRAME_MS))
        if len(self._voice) * FRAME_MS >= rules.max_ms:
            out += self._split()
        return out

    def _end(self, frames: int, cause: Cause) -> Ended | Dropped:
        start_ms = self.start_ms or 0
        heard_ms = start_ms + len(self._voice) * FRAME_MS
        voice, rest_ms = tuple(self._voice[:frames]), (len(self._voice) - frames) * FRAME_MS
        end_ms = start_ms + frames * FRAME_MS
        then = Anchor(end_ms, goes_on=cause is Cause.LENGTH)
        if cause not in (Cause.LENGTH, Cause.BREATH):
            then = Anchor(heard_ms, min(rest_ms, self.rules.pre_roll_ms) if cause is Cause.SILENCE else 0)
        enough = self._voiced_ms >= self.rules.min_voiced_ms
        self._voice = []
        self.restart(then)
        return Ended(start_ms, end_ms, cause, voice, then) if enough else Dropped(start_ms, then)

    def _split(self) -> list[Boundary]:
        """End at the quietest place of the last seconds; what is behind it is heard again."""
        quiet, width = self._voice, 5
        first = max(len(quiet) - self.rules.split_window_ms // FRAME_MS, len(quiet) // 2)
        places = range(first, len(quiet) - width)
        at = min(places, key=lambda i: (sum(quiet[i - 2 : i + 3]), -i), default=len(quiet))
        ended = self._end(at, Cause.LENGTH)
        return [ended, Started(ended.then.at_ms)]
