"""One leg's transcription as a state machine without threads, clocks or models.

Chunks go in with ``on_chunk``, answers of the engine with ``on_decoded``; both give effects, to be carried out in
order. Each utterance is ``open`` while it is spoken, then ``closed`` until its final decode is there, then held by
the redaction until what follows cannot change what must be hidden. Finals leave in the order of speech.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from services.transcriber.domain.chunks import LegChunk, LegIdentity
from services.transcriber.domain.cues import Asked
from services.transcriber.domain.endpointing import (
    FRAME_MS,
    Cause,
    Dropped,
    Ended,
    Endpointer,
    EndpointRules,
    Paused,
    Resumed,
    Started,
    VoiceDetector,
)
from services.transcriber.domain.policy import Policy
from services.transcriber.domain.recognition import Recognition
from services.transcriber.domain.redaction import RedactionStream, SafeText, TimedWord
from services.transcriber.domain.scheduling import DecodeJob, Kind
from services.transcriber.domain.spoken import Spoken
from services.transcriber.domain.timeline import Timeline
from services.transcriber.domain.transcript import (
    CancelDecode,
    Effect,
    LegFinished,
    LegMark,
    LegStatus,
    Transcript,
)

WARM_UP_MS = 1_000
"""Audio that a replay needs before an utterance for the voice detector to hear its onset at the same frame."""
FIRST_PARTIAL_MS = 600
DECODE_ATTEMPTS = 2


class LegStream:
    """The state machine of one leg. Not thread-safe: one thread feeds it."""

    def __init__(
        self,
        identity: LegIdentity,
        detector: VoiceDetector,
        *,
        rate_hz: int,
        rules: EndpointRules,
        hold_ms: int = 4_000,
        policy: Policy | None = None,
        mark: LegMark | None = None,
    ) -> None:
        """Start a leg, or go on after ``mark`` where another worker left it."""
        mark = mark or LegMark()
        self.identity = identity
        self.rate_hz = rate_hz
        self.mark = mark
        self.finished = mark.ended
        self._detector = detector
        self._timeline = Timeline(rate_hz)
        self._endpointer = Endpointer(rules, not_before_ms=mark.done_ms)
        self._rules = rules
        self._redaction: RedactionStream[Spoken] = RedactionStream(hold_ms, policy or Policy())
        self._redaction.go_on(mark.asked)
        self._framed_ms = 0
        self._open: Spoken | None = None
        self._closed: deque[Spoken] = deque()
        self._held_from: deque[Spoken] = deque()
        self._offsets: deque[tuple[int, int]] = deque()
        self._wall_minus_media_ms = 0
        self._epoch_ms: int | None = None
        self._audio_ms, self._gap_ms = mark.audio_ms, mark.gap_ms
        self._gap_since_ms = 0
        self._ending: LegStatus | None = None
        self._failed = self._quiet = False

    def on_chunk(self, chunk: LegChunk, *, step_ms: int | None) -> list[Effect]:
        """Take audio. ``step_ms`` is how much new speech a partial is worth now; None turns partials off.

        ``chunk.rate_hz`` must be the leg's.
        """
        if self.finished or self._ending is not None:
            return []
        self.identity = self.identity.refreshed(chunk.identity)
        self._epoch_ms = chunk.epoch_ms if chunk.epoch_ms is not None else self._epoch_ms
        out: list[Effect] = []
        self._quiet = False
        if chunk.pcm16:
            self._place(chunk, out)
            self._frames(out)
            self._partial(step_ms, out)
            self._settle(out)
        if chunk.end:
            self._finish(LegStatus.COMPLETE, Cause.LEG_END, out)
        self._timeline.trim(self._open.start_ms if self._open else self._framed_ms - 2 * self._rules.pre_roll_ms)
        return out

    def on_quiet(self) -> list[Effect]:
        """No audio comes any more, for now: what is open will not get longer, and what is held not settled."""
        out: list[Effect] = []
        if not self.finished and self._ending is None:
            self._close(Cause.GAP, out)
            if not self._closed:
                self._publish(self._redaction.flush(), out)
            self._quiet = True
        return out

    def on_time_out(self) -> list[Effect]:
        """The leg's source has gone without a word."""
        out: list[Effect] = []
        if not self.finished and self._ending is None:
            self._finish(LegStatus.TIMED_OUT, Cause.LEG_END, out)
        return out

    def on_asked(self, asked: Asked) -> None:
        """The other leg has asked for something; it may be said here."""
        self._redaction.answer(asked)
        self.mark = replace(self.mark, asked=self._redaction.asks)

    def on_decoded(self, job: DecodeJob, recognition: Recognition | None, *, wall_ms: int) -> list[Effect]:
        """Take an engine's answer to one of this leg's jobs; None where it failed."""
        out: list[Effect] = []
        spoken = self._find(job.utterance_id)
        if spoken is None:
            return out
        if job.kind is Kind.PARTIAL:
            spoken.partial_pending = False
            if recognition is not None and spoken is self._open:
                self._revise(spoken, recognition, job, wall_ms, out)
            return out
        if job.kind is Kind.SPECULATIVE and spoken.speculated_ms != job.end_ms:
            return out
        if recognition is None:
            self._retry(spoken, job, out)
        else:
            spoken.final, spoken.decoded_wall_ms = recognition, wall_ms
            if spoken is self._open:
                self._revise(spoken, recognition, job, wall_ms, out)
        self._drain(out)
        return out

    @property
    def held_audio_ms(self) -> int:
        """How much audio is in memory."""
        return self._timeline.held_ms

    @property
    def needed_offset(self) -> int | None:
        """Log offset from which a successor must read to lose nothing; None where nothing is pending."""
        pending = self._open is not None or self._closed or self._held_from
        if self.finished or (self._quiet and not pending):
            return None
        needed_ms = self._timeline.end_ms
        for spoken in (self._open, *self._closed, *self._held_from):
            if spoken is not None:
                needed_ms = min(needed_ms, spoken.start_ms)
        while len(self._offsets) > 1 and self._offsets[1][1] <= needed_ms - WARM_UP_MS:
            self._offsets.popleft()
        return self._offsets[0][0] if self._offsets else None

    def _place(self, chunk: LegChunk, out: list[Effect]) -> None:
        placed = self._timeline.place(chunk.pcm16, chunk.media_time_ms)
        gap_ms = placed.gap_ms or (chunk.gap_before_ms if not self._timeline.started else 0)
        if not self._timeline.started:
            self._restart(placed.start_ms)
        elif gap_ms >= self._rules.silence_ms:
            self._close(Cause.GAP, out)
            self._detector.reset()
            self._restart(placed.start_ms)
        elif gap_ms:
            self._timeline.append(bytes(gap_ms * self.rate_hz // 1000 * 2))
        self._gap_since_ms += gap_ms
        if placed.start_ms >= self.mark.done_ms:
            self._audio_ms += len(placed.pcm16) * 1000 // (2 * self.rate_hz)
            self._gap_ms += gap_ms
        self._timeline.append(placed.pcm16)
        self._wall_minus_media_ms = chunk.captured_ms - self._timeline.end_ms
        self._offsets.append((chunk.offset, placed.start_ms))

    def _restart(self, at_ms: int) -> None:
        self._timeline.restart(at_ms)
        self._framed_ms = at_ms // FRAME_MS * FRAME_MS

    def _frames(self, out: list[Effect]) -> None:
        stop_ms = self._framed_ms + (self._timeline.end_ms - self._framed_ms) // FRAME_MS * FRAME_MS
        if stop_ms <= self._framed_ms:
            return
        pcm16 = self._timeline.slice(self._framed_ms, stop_ms)
        # The first frame of the grid may begin before the audio does.
        pcm16 = bytes((stop_ms - self._framed_ms) * self.rate_hz * 2 // 1000 - len(pcm16)) + pcm16
        frame_bytes = FRAME_MS * self.rate_hz * 2 // 1000
        for at in range(0, len(pcm16), frame_bytes):
            if self._endpointer.forgets(self._framed_ms):
                self._detector.reset()
            (probability,) = self._detector.probabilities(pcm16[at : at + frame_bytes])
            boundaries = self._endpointer.feed(self._framed_ms, probability)
            self._framed_ms += FRAME_MS
            for boundary in boundaries:
                match boundary:
                    case Started(start_ms):
                        self._begin(start_ms)
                    case Paused(end_ms):
                        self._speculate(end_ms, out)
                    case Resumed():
                        self._resume(out)
                    case Ended():
                        self._end(boundary, out)
                    case Dropped():
                        self._drop(out)

    def _begin(self, start_ms: int) -> None:
        self._open = Spoken(f"{self.identity.leg_id}@{start_ms}", start_ms, gap_ms=self._gap_since_ms)
        self._gap_since_ms = 0

    def _job(self, spoken: Spoken, kind: Kind, end_ms: int) -> DecodeJob:
        return DecodeJob(
            leg_id=self.identity.leg_id,
            utterance_id=spoken.utterance_id,
            kind=kind,
            start_ms=spoken.start_ms,
            end_ms=end_ms,
            captured_ms=end_ms + self._wall_minus_media_ms,
            pcm16=self._timeline.slice(spoken.start_ms, end_ms),
            rate_hz=self.rate_hz,
        )

    def _partial(self, step_ms: int | None, out: list[Effect]) -> None:
        spoken = self._open
        if spoken is None or step_ms is None or spoken.partial_pending or spoken.speculated_ms is not None:
            return
        since_ms = spoken.partial_end_ms or spoken.start_ms + self._rules.pre_roll_ms
        if self._framed_ms - since_ms >= (step_ms if spoken.partial_end_ms else FIRST_PARTIAL_MS):
            spoken.partial_pending, spoken.partial_end_ms = True, self._framed_ms
            out.append(self._job(spoken, Kind.PARTIAL, self._framed_ms))

    def _speculate(self, end_ms: int, out: list[Effect]) -> None:
        if self._open is not None:
            self._open.speculated_ms, self._open.partial_pending = end_ms, False
            out.append(self._job(self._open, Kind.SPECULATIVE, end_ms))

    def _resume(self, out: list[Effect]) -> None:
        if self._open is not None:
            self._open.speculated_ms = self._open.final = None
            out.append(CancelDecode(self._open.utterance_id))

    def _drop(self, out: list[Effect]) -> None:
        if self._open is not None:
            out.append(CancelDecode(self._open.utterance_id))
            self._gap_since_ms += self._open.gap_ms
            self._open = None

    def _end(self, ended: Ended, out: list[Effect]) -> None:
        spoken, self._open = self._open, None
        if spoken is None:
            return
        if ended.cause in (Cause.GAP, Cause.LEG_END):
            # Less than a frame is left over: it belongs to what was being said.
            ended = replace(ended, end_ms=max(ended.end_ms, self._timeline.end_ms))
        spoken.ended = ended
        spoken.gap_ms += self._gap_since_ms if ended.cause is not Cause.GAP else 0
        spoken.end_wall_ms = ended.end_ms + self._wall_minus_media_ms
        if ended.cause is not Cause.GAP:
            self._gap_since_ms = 0
        self._closed.append(spoken)
        if ended.cause is not Cause.SILENCE or spoken.speculated_ms is None:
            spoken.speculated_ms = spoken.final = None
            out.append(CancelDecode(spoken.utterance_id))
            out.append(self._job(spoken, Kind.FINAL, ended.end_ms))
        self._drain(out)

    def _close(self, cause: Cause, out: list[Effect]) -> None:
        for boundary in self._endpointer.close(cause):
            if isinstance(boundary, Ended):
                self._end(boundary, out)
            else:
                self._drop(out)

    def _finish(self, status: LegStatus, cause: Cause, out: list[Effect]) -> None:
        self._ending = status
        self._close(cause, out)
        self._drain(out)

    def _retry(self, spoken: Spoken, job: DecodeJob, out: list[Effect]) -> None:
        spoken.attempts += 1
        if spoken.attempts < DECODE_ATTEMPTS:
            out.append(replace(job, kind=Kind.FINAL if spoken.ended else job.kind))
        elif spoken.ended is not None:
            self._failed = True
            spoken.final = Recognition()
        else:
            spoken.speculated_ms = None

    def _find(self, utterance_id: str) -> Spoken | None:
        candidates = (self._open, *self._closed)
        return next((s for s in candidates if s is not None and s.utterance_id == utterance_id), None)

    def _voice(self, spoken: Spoken) -> tuple[float, ...]:
        return spoken.ended.voice if spoken.ended else self._endpointer.voice()

    def _ghost(self, spoken: Spoken, recognition: Recognition) -> bool:
        return spoken.is_ghost(recognition, self._voice(spoken), self._rules.offset)

    def _timed(self, spoken: Spoken, recognition: Recognition) -> tuple[TimedWord, ...]:
        return spoken.timed(recognition, self._voice(spoken), self._rules.offset)

    def _revise(
        self, spoken: Spoken, recognition: Recognition, job: DecodeJob, wall_ms: int, out: list[Effect]
    ) -> None:
        if job.kind is Kind.PARTIAL:
            spoken.stabilizer.take(recognition.words)
        if self._ghost(spoken, recognition):
            return
        safe = self._redaction.partial(self._timed(spoken, recognition))
        if safe.words and safe.text != spoken.shown:
            spoken.shown = safe.text
            out.append(self._transcript(spoken, safe, job.end_ms, job.captured_ms, wall_ms, final=False))
        self._settle(out)

    def _settle(self, out: list[Effect]) -> None:
        if not self._closed:
            self._publish(self._redaction.settle(self._timeline.end_ms, speaking=self._open is not None), out)

    def _drain(self, out: list[Effect]) -> None:
        while self._closed and (recognition := self._closed[0].final) is not None:
            spoken = self._closed.popleft()
            self._held_from.append(spoken)
            ghost = self._ghost(spoken, recognition)
            words = () if ghost else self._timed(spoken, recognition)
            self._publish(self._redaction.final(spoken, words), out)
        if self._ending is not None and not self._closed and not self.finished:
            self._publish(self._redaction.flush(), out)
            self.finished = True
            self.mark = replace(self.mark, audio_ms=self._audio_ms, gap_ms=self._gap_ms, ended=True)
            status = LegStatus.FAILED if self._failed else self._ending
            out.append(LegFinished(self.identity, status, self.mark, "decode_failed" if self._failed else ""))

    def _publish(self, released: list[tuple[Spoken, SafeText]], out: list[Effect]) -> None:
        for spoken, safe in released:
            self._held_from.remove(spoken)
            ended = spoken.ended
            end_ms = ended.end_ms if ended else spoken.start_ms
            later_ms = max(0, self._timeline.end_ms - end_ms)
            self.mark = replace(
                self.mark,
                done_ms=end_ms,
                utterances=self.mark.utterances + bool(safe.words),
                words=self.mark.words + len(safe.words),
                audio_ms=max(self.mark.audio_ms, self._audio_ms - later_ms),
                gap_ms=self._gap_ms,
                asked=self._redaction.asks,
            )
            # A partial that turned out to be nothing is taken back by an empty final.
            if safe.words or spoken.revision:
                out.append(
                    self._transcript(spoken, safe, end_ms, spoken.end_wall_ms, spoken.decoded_wall_ms, final=True)
                )

    def _transcript(
        self, spoken: Spoken, safe: SafeText, end_ms: int, end_wall_ms: int, wall_ms: int, *, final: bool
    ) -> Transcript:
        start_wall_ms = self._epoch_ms + spoken.start_ms if self._epoch_ms is not None else None
        revision, spoken.revision = spoken.revision, spoken.revision + 1
        return Transcript(
            identity=self.identity,
            utterance_id=spoken.utterance_id,
            revision=revision,
            is_final=final,
            end_of_turn=final and spoken.ends_turn(safe),
            start_ms=spoken.start_ms,
            end_ms=end_ms,
            safe=safe,
            confidence=safe.confidence,
            gap_before_ms=spoken.gap_ms,
            start_wall_ms=start_wall_ms,
            audio_end_wall_ms=end_wall_ms,
            decoded_wall_ms=wall_ms,
            asks=self._redaction.asks if final else None,
        )
