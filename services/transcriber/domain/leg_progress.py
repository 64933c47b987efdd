"""How far one leg has come: what it leaves to a successor, and what it was left itself.

Whoever takes over listens from the foothold of the oldest utterance that still matters. Of what it hears, some is
published already, and the call's other legs know of some: neither happens twice.
"""

from __future__ import annotations

from dataclasses import replace

from services.transcriber.domain.cues import Ask, Asked
from services.transcriber.domain.endpointing import FRAME_MS
from services.transcriber.domain.redaction import SafeText
from services.transcriber.domain.spoken import Spoken
from services.transcriber.domain.transcript import Foothold, LegMark


class LegProgress:
    """In the order of speech."""

    def __init__(self, mark: LegMark) -> None:
        """Go on after ``mark``."""
        self._so_far = mark
        """What is counted and learnt. Its times and its asks are those of the mark that it began with."""
        self.again: Spoken | None = None
        """The oldest published utterance that a successor has to hear again, for what follows may belong to it."""
        self._done_ms = mark.done_ms
        self._told_ms, self._out_ms = mark.judged_ms, mark.published_ms
        self._judged_ms, self._published_ms = mark.judged_ms, mark.published_ms

    @property
    def unreadable(self) -> int:
        """Chunks that could not be read."""
        return self._so_far.unreadable

    @property
    def failed(self) -> bool:
        """Whether something that was said could not be decoded."""
        return self._so_far.failed

    @property
    def language(self) -> str:
        """What the leg's first seconds told; empty where they have not."""
        return self._so_far.language

    def count_unreadable(self) -> None:
        """One more chunk."""
        self._so_far = replace(self._so_far, unreadable=self._so_far.unreadable + 1)

    def fail(self) -> None:
        """Something that was said could not be decoded."""
        self._so_far = replace(self._so_far, failed=True)

    def end(self) -> None:
        """Nothing more follows."""
        self._so_far = replace(self._so_far, ended=True)

    def learn(self, language: str) -> None:
        """The leg's first seconds have told it."""
        self._so_far = replace(self._so_far, language=language)

    def is_done(self, start_ms: int) -> bool:
        """Whether what began then is published and settled: it is heard for the sake of the next ones only."""
        return start_ms < self._done_ms

    def was_told(self, start_ms: int) -> bool:
        """Whether the other legs know of what began then from an earlier life."""
        return start_ms <= self._told_ms

    def was_published(self, start_ms: int) -> bool:
        """Whether the final of what began then was published in an earlier life."""
        return start_ms <= self._out_ms

    def judged(self, start_ms: int) -> None:
        """The other legs know what this one asks for."""
        self._judged_ms = max(self._judged_ms, start_ms)

    def released(self, spoken: Spoken, safe: SafeText) -> bool:
        """Its words are certain. Whether its final is to be published now."""
        self.again = self.again or spoken
        self._done_ms = spoken.start_ms + FRAME_MS
        if self.was_published(spoken.start_ms):
            return False
        self._published_ms = spoken.start_ms
        so_far = self._so_far
        self._so_far = replace(
            so_far, utterances=so_far.utterances + bool(safe.words), words=so_far.words + len(safe.words)
        )
        return True

    def settled(self, asked: Asked | None) -> None:
        """What is published matters no more to what follows, but for what it ``asked`` for."""
        self.again = None
        self._so_far = replace(self._so_far, asked=asked)

    def mark(self, foothold: Foothold | None, skew_ms: int, asks: tuple[tuple[int, Ask], ...]) -> LegMark:
        """What a successor needs to know that listens from ``foothold`` on; None where it needs to hear nothing."""
        mark = replace(self._so_far, asks=asks)
        if foothold is None:
            return mark
        done_ms = self._done_ms if self.again is None else self.again.start_ms
        return replace(
            mark,
            foothold=foothold,
            skew_ms=skew_ms,
            done_ms=done_ms,
            published_ms=self._published_ms if self._published_ms >= done_ms else -1,
            judged_ms=self._judged_ms if self._judged_ms >= done_ms else -1,
        )
