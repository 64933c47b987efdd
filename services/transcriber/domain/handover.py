"""What one leg leaves to a successor, and what it was left itself.

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


class Handover:
    """``counts`` has what is counted and learnt; its times and its asks are those of the mark that it began with."""

    def __init__(self, mark: LegMark) -> None:
        """Go on after ``mark``."""
        self.counts = mark
        self.again: Spoken | None = None
        """The oldest published utterance that a successor has to hear again, for what follows may belong to it."""
        self._done_ms = mark.done_ms
        self._told_ms, self._out_ms = mark.judged_ms, mark.published_ms
        self._judged_ms, self._published_ms = mark.judged_ms, mark.published_ms

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
        counts = self.counts
        self.counts = replace(
            counts, utterances=counts.utterances + bool(safe.words), words=counts.words + len(safe.words)
        )
        return True

    def settled(self, asked: Asked | None) -> None:
        """What is published matters no more to what follows, but for what it ``asked`` for."""
        self.again = None
        self.counts = replace(self.counts, asked=asked)

    def mark(self, foothold: Foothold | None, skew_ms: int, asks: tuple[tuple[int, Ask], ...]) -> LegMark:
        """What a successor needs to know that listens from ``foothold`` on; None where it needs to hear nothing."""
        mark = replace(self.counts, asks=asks)
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
