"""A leg's audio in, the boundaries of its speech out; and from where a successor finds the same ones.

Whatever decides about a boundary is a function of the audio behind a ``Foothold``: the grid of frames, the detector's
memory, the pre-roll, what was missing. So a successor that begins at a foothold goes on as if it had been there all
along, and what it needs of the log is one offset.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from services.transcriber.domain.chunks import LegChunk
from services.transcriber.domain.endpointing import (
    FRAME_MS,
    Anchor,
    Boundary,
    Cause,
    Dropped,
    Ended,
    Endpointer,
    EndpointRules,
    VoiceDetector,
)
from services.transcriber.domain.timeline import JITTER_MS, Timeline
from services.transcriber.domain.transcript import Foothold, LegMark


class Hearing:
    """One leg's ear. ``foothold`` is the latest place from where a successor could listen on."""

    def __init__(self, detector: VoiceDetector, *, rate_hz: int, rules: EndpointRules, mark: LegMark) -> None:
        """Start at the leg's first audio, or go on at the mark's foothold."""
        self._detector = detector
        self._rules = rules
        self._timeline = Timeline(rate_hz)
        self._endpointer = Endpointer(rules)
        self._offsets: deque[tuple[int, int, int]] = deque()
        self._framed_ms = 0
        self._wall_minus_media_ms = 0
        self._first = True
        self._before_ms: int | None = None
        self._first_skew_ms = mark.skew_ms
        self._ahead: list[Boundary] = []
        self._probabilities: deque[float] = deque()
        self._since_ms = 0
        self._gap_since_ms = 0
        self.audio_ms = self.gap_ms = 0
        self.foothold = mark.foothold or Foothold(anchor=Anchor(0))
        if mark.foothold is not None:
            self._go_on(mark.foothold)

    @property
    def end_ms(self) -> int:
        """Media time up to which audio is known."""
        return self._timeline.end_ms

    @property
    def held_ms(self) -> int:
        """How much audio is in memory."""
        return self._timeline.held_ms

    @property
    def framed_ms(self) -> int:
        """Media time up to which the voice detector has heard."""
        return self._framed_ms

    def wall_ms(self, media_ms: int) -> int:
        """The gateway's wall clock at a media time, as far as the newest chunk tells."""
        return media_ms + self._wall_minus_media_ms

    def voice(self) -> tuple[float, ...]:
        """Probabilities of the open utterance so far."""
        return self._endpointer.voice()

    def slice(self, from_ms: int, to_ms: int) -> bytes:
        """Samples between two media times, as far as they are held."""
        return self._timeline.slice(from_ms, to_ms)

    def trim(self, open_since_ms: int | None) -> None:
        """Let go of audio that nobody asks for any more."""
        quiet_since_ms = self._framed_ms - 2 * self._rules.pre_roll_ms
        self._timeline.trim(quiet_since_ms if open_since_ms is None else open_since_ms)

    def take(self, chunk: LegChunk) -> Iterator[Boundary]:
        """Hear a chunk. Each boundary is to be acted on before the next is asked for."""
        yield from self._ahead
        self._ahead = []
        skew_ms, self._first_skew_ms = self._first_skew_ms, 0
        jitter_ms = 0 if self._first else JITTER_MS
        placed = self._timeline.place(chunk.pcm16, chunk.media_time_ms + skew_ms, jitter_ms=jitter_ms)
        gap_ms = placed.gap_ms
        if not self._timeline.started:
            gap_ms = chunk.gap_before_ms
            self._missed(gap_ms)
            self._restart(placed.start_ms)
        elif self._first and gap_ms < FRAME_MS:
            # Either the grid's frame begins before the audio does, or the anchor lies within a short gap.
            follows = self._before_ms is not None and placed.start_ms - self._before_ms < self._rules.silence_ms
            if follows:
                self._missed(placed.start_ms - max(self._timeline.end_ms, self._since_ms))
            self._timeline.fill(gap_ms, missed=follows)
        elif gap_ms >= self._rules.silence_ms:
            yield from self.close(Cause.GAP)
            self._missed(self._newly_missing_ms(placed.start_ms))
            self._restart(placed.start_ms)
        elif gap_ms:
            self._missed(self._newly_missing_ms(placed.start_ms))
            self._timeline.fill(gap_ms)
        self._timeline.append(placed.pcm16)
        self.audio_ms += max(0, self._timeline.end_ms - max(placed.start_ms, self._since_ms))
        self._wall_minus_media_ms = chunk.captured_ms - self._timeline.end_ms
        self._offsets.append((chunk.offset, placed.start_ms, skew_ms + placed.skew_ms))
        self._first = self._first and not placed.pcm16
        if self._first:
            end_ms = chunk.media_time_ms + skew_ms + len(chunk.pcm16) // 2 * 1000 // self._timeline.rate_hz
            self._before_ms = max(end_ms, end_ms if self._before_ms is None else self._before_ms)
        yield from self._frames()

    def close(self, cause: Cause) -> Iterator[Boundary]:
        """End what is open now; the rest of a frame belongs to it."""
        for boundary in self._endpointer.close(cause):
            yield boundary
            self.rest()

    def rest(self) -> None:
        """Nothing is open, and what follows has nothing to do with what was before."""
        anchor = Anchor(-(-self._timeline.end_ms // FRAME_MS) * FRAME_MS)
        self._endpointer.restart(anchor)
        self._stand(anchor)

    def take_gap(self, before: Anchor | None = None) -> int:
        """How much audio has been missing since this was last asked, as far as it lies before an anchor."""
        later_ms = 0 if before is None else min(self._timeline.missing_ms(before), self._gap_since_ms)
        taken_ms, self._gap_since_ms = self._gap_since_ms - later_ms, later_ms
        return taken_ms

    def give_gap_back(self, gap_ms: int) -> None:
        """It belonged to nothing that was said."""
        self._gap_since_ms += gap_ms

    def needed(self, foothold: Foothold) -> tuple[int | None, int]:
        """Offset of the first chunk that a successor must read to begin at a foothold, and that chunk's skew.

        Later calls must not ask for earlier footholds. None before any chunk.
        """
        while len(self._offsets) > 1 and self._offsets[1][1] <= foothold.anchor.since_ms:
            self._offsets.popleft()
        if not self._offsets:
            return None, 0
        offset, _, skew_ms = self._offsets[0]
        return offset, skew_ms

    def _go_on(self, foothold: Foothold) -> None:
        anchor = foothold.anchor
        self._timeline.restart(anchor.since_ms)
        self._framed_ms = self._since_ms = anchor.at_ms
        self._ahead = self._endpointer.restart(anchor)
        self.audio_ms, self.gap_ms = foothold.audio_ms, foothold.gap_ms
        self._gap_since_ms = foothold.gap_since_ms

    def _restart(self, at_ms: int) -> None:
        anchor = Anchor(at_ms // FRAME_MS * FRAME_MS)
        self._timeline.restart(anchor.at_ms)
        self._timeline.fill(at_ms - anchor.at_ms, missed=False)  # the grid's frame begins before the audio does
        self._endpointer.restart(anchor)
        self._stand(anchor)

    def _newly_missing_ms(self, until_ms: int) -> int:
        """What the predecessor has not counted yet; see ``Timeline.missing_ms``."""
        gap_ms = until_ms - max(self._timeline.end_ms, self._since_ms)
        return 0 if self._timeline.end_ms < self._since_ms and gap_ms < FRAME_MS else gap_ms

    def _missed(self, gap_ms: int) -> None:
        self._gap_since_ms += max(0, gap_ms)
        self.gap_ms += max(0, gap_ms)

    def _frames(self) -> Iterator[Boundary]:
        self._probabilities.clear()
        while self._framed_ms + FRAME_MS <= self._timeline.end_ms:
            at_ms = self._framed_ms
            anchor = self._endpointer.anchor(at_ms)
            if anchor is not None:
                self._stand(anchor)
            if not self._probabilities:
                whole_ms = (self._timeline.end_ms - at_ms) // FRAME_MS * FRAME_MS
                self._probabilities.extend(self._detector.probabilities(self._timeline.slice(at_ms, at_ms + whole_ms)))
            self._framed_ms = at_ms + FRAME_MS
            for boundary in self._endpointer.feed(at_ms, self._probabilities.popleft()):
                yield boundary
                if isinstance(boundary, Ended | Dropped):
                    self._stand(boundary.then)

    def _stand(self, anchor: Anchor) -> None:
        self._detector.reset()
        self._probabilities.clear()
        self._framed_ms = anchor.at_ms
        missing_ms = self._timeline.missing_ms(anchor)
        self.foothold = Foothold(
            anchor=anchor,
            audio_ms=self.audio_ms - self._timeline.heard_ms(anchor.at_ms),
            gap_ms=self.gap_ms - missing_ms,
            gap_since_ms=max(0, self._gap_since_ms - missing_ms),
        )
