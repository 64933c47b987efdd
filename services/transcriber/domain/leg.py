"""One leg's transcription as a state machine without threads, clocks or models.

Chunks go in with ``on_chunk``, answers of the engine with ``on_decoded``; both give effects, to be carried out in
order. Each utterance is ``open`` while it is spoken, then ``closed`` until its final decode is there and what the
call's other legs said before it is judged, then held by the redaction until what follows cannot change what must be
hidden. Finals leave in the order of speech.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from services.transcriber.domain.chunks import LegChunk, LegIdentity
from services.transcriber.domain.endpointing import (
    Boundary,
    Cause,
    Dropped,
    Ended,
    EndpointRules,
    Paused,
    Resumed,
    Started,
    VoiceDetector,
)
from services.transcriber.domain.hearing import Hearing
from services.transcriber.domain.leg_progress import LegProgress
from services.transcriber.domain.leg_speech import LegSpeech
from services.transcriber.domain.policy import Policy
from services.transcriber.domain.questions import Questions
from services.transcriber.domain.queues import Speech
from services.transcriber.domain.recognition import Recognition
from services.transcriber.domain.redaction import ANSWER_LEAD_MS, RedactionStream, SafeText, TimedWord
from services.transcriber.domain.said_before import Said, SaidBefore
from services.transcriber.domain.scheduling import DecodeJob, Kind
from services.transcriber.domain.spoken import Spoken
from services.transcriber.domain.transcript import (
    CancelDecode,
    Closed,
    Effect,
    Foothold,
    Judged,
    LegFinished,
    LegMark,
    LegStatus,
    Opened,
    Transcript,
)

FIRST_PARTIAL_MS = 600
PAUSING_FRAMES = 3
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
        languages: Sequence[str] = ("en",),
        queues: Mapping[str, Speech] | None = None,
        mark: LegMark | None = None,
    ) -> None:
        """Start a leg, or go on after ``mark`` where another worker left it.

        ``languages`` are those that may be spoken; unless there is one, the leg's first seconds tell. ``queues`` say
        what is spoken on calls that came by them instead.
        """
        mark = mark or LegMark()
        self.identity = identity
        self.rate_hz = rate_hz
        self.finished = mark.ended
        self._progress = LegProgress(mark)
        self._hearing = Hearing(detector, rate_hz=rate_hz, rules=rules, mark=mark)
        self._rules = rules
        self._redaction: RedactionStream[Spoken] = RedactionStream(hold_ms, policy or Policy())
        self._redaction.go_on(mark.asked)
        self._questions = Questions.marked(mark.asks)
        self._said = SaidBefore()
        self._open: Spoken | None = None
        self._closed: deque[Spoken] = deque()
        self._held_from: deque[Spoken] = deque()
        self.epoch_ms: int | None = None
        self._ending: LegStatus | None = None
        self._quiet = False
        self._speech = LegSpeech(languages, queues or {}, queue_id=identity.queue_id, told=mark.language)

    def on_chunk(self, chunk: LegChunk, *, step_ms: int | None) -> list[Effect]:
        """Take audio. ``step_ms`` is how much new speech a partial is worth now; None turns partials off.

        ``chunk.rate_hz`` must be the leg's.
        """
        if self.finished or self._ending is not None:
            return []
        self._identify(self.identity.refreshed(chunk.identity))
        self.epoch_ms = chunk.epoch_ms if chunk.epoch_ms is not None else self.epoch_ms
        out: list[Effect] = []
        self._quiet = False
        if chunk.pcm16:
            for boundary in self._hearing.take(chunk):
                self._act_on(boundary, out)
            self._partial(step_ms, out)
        if chunk.end:
            self._finish(LegStatus.COMPLETE, Cause.LEG_END, out)
        self._settle(out)
        self._hearing.trim(self._open.start_ms if self._open else None)
        return out

    def on_quiet(self) -> list[Effect]:
        """No audio comes any more, for now: what is open will not get longer, and what is held not settled."""
        out: list[Effect] = []
        if not self.finished and self._ending is None:
            self._close(Cause.GAP, out)
            self._hearing.rest()
            self._said.clear()
            if self._closed:
                self._closed[-1].rests = True
            else:
                self._publish(self._redaction.flush(), out)
            self._quiet = True
        return out

    def on_time_out(self) -> list[Effect]:
        """The leg's source has gone without a word."""
        out: list[Effect] = []
        if not self.finished and self._ending is None:
            self._close(Cause.LEG_END, out)
            self._hearing.rest()
            self._finish(LegStatus.TIMED_OUT, Cause.LEG_END, out)
        return out

    def on_other(self, effect: Opened | Closed | Judged, *, epoch_ms: int | None) -> list[Effect]:
        """Another leg of the call speaks, and this one may answer; ``epoch_ms`` is the wall clock at its time 0."""
        out: list[Effect] = []
        later_ms = epoch_ms - self.epoch_ms if epoch_ms is not None and self.epoch_ms is not None else 0
        match effect:
            case Opened(utterance_id, start_ms):
                self._questions.open(utterance_id, start_ms + later_ms)
            case Closed(utterance_id, start_ms):
                self._questions.close(utterance_id, start_ms + later_ms, self._hearing.end_ms)
            case Judged(utterance_id, ask):
                ask = ask and replace(ask, at_ms=ask.at_ms + later_ms)
                self._questions.judge(utterance_id, ask)
                self._drain(out)
                self._settle(out)
        return out

    def on_unreadable(self, *, end: bool) -> list[Effect]:
        """A chunk of this leg could not be read, its last one with ``end``: its audio is missing."""
        out: list[Effect] = []
        self._progress.count_unreadable()
        if end and not self.finished and self._ending is None:
            self._finish(LegStatus.COMPLETE, Cause.LEG_END, out)
        return out

    def on_decoded(self, job: DecodeJob, recognition: Recognition | None, *, wall_ms: int) -> list[Effect]:
        """Take an engine's answer to one of this leg's jobs; None where it failed."""
        out: list[Effect] = []
        spoken = self._find(job.utterance_id)
        if spoken is None:
            return out
        if recognition is not None:
            if spoken is self._open and job.kind is not Kind.AGAIN:
                spoken.trace = recognition.trace or spoken.trace
            recognition = replace(recognition, trace=None)
        if job.kind is Kind.PARTIAL:
            spoken.partial_pending, spoken.partial_end_ms = False, job.end_ms
            if recognition is not None and spoken is self._open:
                self._revise(spoken, recognition, job, wall_ms, out)
            return out
        if spoken.decoded_to_ms != job.end_ms:
            return out
        if recognition is None:
            self._retry(spoken, job, out)
        else:
            self._decoded(spoken, recognition, job, wall_ms, out)
        self._drain(out)
        self._settle(out)
        return out

    @property
    def speaking(self) -> Opened | None:
        """What the leg has told of last, while it is open."""
        spoken = self._open
        if spoken is None or spoken.done or self._progress.was_told(spoken.start_ms):
            return None
        return Opened(spoken.utterance_id, spoken.start_ms)

    @property
    def held_audio_ms(self) -> int:
        """How much audio is in memory."""
        return self._hearing.held_ms

    @property
    def mark(self) -> LegMark:
        """What a successor needs to know that reads from ``needed_offset`` on."""
        foothold = self._foothold()
        offset, skew_ms = self._hearing.needed(foothold)
        return self._progress.mark(None if offset is None else foothold, skew_ms, self._questions.asks)

    @property
    def needed_offset(self) -> int | None:
        """Log offset from which a successor must read to lose nothing; None where nothing is pending."""
        pending = self._open is not None or self._closed or self._held_from or self._progress.again
        if self.finished or (self._quiet and not pending):
            return None
        return self._hearing.needed(self._foothold())[0]

    def _foothold(self) -> Foothold:
        oldest = self._progress.again or next(iter((*self._held_from, *self._closed)), self._open)
        if oldest is not None:
            return oldest.needed_from
        before = self._said.before(self._hearing.framed_ms - self._rules.pre_roll_ms)
        return before[0].foothold if before else self._hearing.foothold

    def _act_on(self, boundary: Boundary, out: list[Effect]) -> None:
        match boundary:
            case Started(start_ms):
                self._begin(start_ms, out)
            case Paused(end_ms):
                self._speculate(end_ms, out)
            case Resumed():
                self._resume(out)
            case Ended():
                self._end(boundary, out)
            case Dropped():
                self._drop(out)

    def _begin(self, start_ms: int, out: list[Effect]) -> None:
        utterance_id, gap_ms = f"{self.identity.leg_id}@{start_ms}", self._hearing.take_gap()
        before = self._said.before(start_ms)
        self._open = Spoken(utterance_id, start_ms, self._hearing.foothold, before=before, gap_ms=gap_ms)
        self._open.done = self._progress.is_done(start_ms)
        self._tell(self._open, Opened(utterance_id, start_ms), out)

    def _tell(self, spoken: Spoken, effect: Opened | Closed | Judged, out: list[Effect]) -> None:
        """Let the other legs know, unless they do from an earlier life."""
        if not spoken.done and not self._progress.was_told(spoken.start_ms):
            out.append(effect)

    def _job(self, spoken: Spoken, kind: Kind, end_ms: int) -> DecodeJob:
        return DecodeJob(
            leg_id=self.identity.leg_id,
            utterance_id=spoken.utterance_id,
            kind=kind,
            start_ms=spoken.start_ms,
            end_ms=end_ms,
            captured_ms=self._hearing.wall_ms(end_ms),
            pcm16=self._hearing.slice(spoken.start_ms, end_ms),
            rate_hz=self.rate_hz,
            language=self._speech.language,
            speech=self._speech.expected,
            draft=spoken.trace,
        )

    def _partial(self, step_ms: int | None, out: list[Effect]) -> None:
        spoken = self._open
        if spoken is None or step_ms is None or spoken.speculated_ms is not None:
            return
        if spoken.done or self._progress.was_published(spoken.start_ms):
            return  # its final is published
        if all(probability < self._rules.offset for probability in self._hearing.voice()[-PAUSING_FRAMES:]):
            return  # a pause is coming, and with it a decode
        since_ms = spoken.partial_end_ms or spoken.start_ms + self._rules.pre_roll_ms
        framed_ms = self._hearing.framed_ms
        waits = spoken.partial_pending  # for its turn, or is being decoded: as long as it waits it may tell of more
        if waits or framed_ms - since_ms >= (step_ms if spoken.partial_end_ms else FIRST_PARTIAL_MS):
            spoken.partial_pending, spoken.partial_end_ms = True, framed_ms
            out.append(replace(self._job(spoken, Kind.PARTIAL, framed_ms), renews=waits))

    def _speculate(self, end_ms: int, out: list[Effect]) -> None:
        if self._open is not None:
            self._open.speculated_ms, self._open.partial_pending = end_ms, False
        if self._open is not None and not self._open.done:
            out.append(self._job(self._open, Kind.SPECULATIVE, end_ms))

    def _resume(self, out: list[Effect]) -> None:
        if self._open is not None:
            self._open.goes_on()
            out.append(CancelDecode(self._open.utterance_id))

    def _drop(self, out: list[Effect]) -> None:
        if self._open is not None:
            out.append(CancelDecode(self._open.utterance_id))
            self._tell(self._open, Judged(self._open.utterance_id), out)
            self._hearing.give_gap_back(self._open.gap_ms)
            self._open = None

    def _end(self, ended: Ended, out: list[Effect]) -> None:
        spoken, self._open = self._open, None
        if spoken is None:
            return
        if ended.cause in (Cause.GAP, Cause.LEG_END):
            # Less than a frame is left over: it belongs to what was being said.
            ended = replace(ended, end_ms=max(ended.end_ms, self._hearing.end_ms))
        spoken.ended, spoken.heard_ms = ended, self._hearing.end_ms
        spoken.gap_ms += self._hearing.take_gap(ended.then)
        spoken.end_wall_ms = self._hearing.wall_ms(ended.end_ms)
        decoded_ms = spoken.speculated_ms if ended.cause in (Cause.SILENCE, Cause.BREATH) else None
        self._remember(spoken, ended.end_ms if decoded_ms is None else decoded_ms)
        if spoken.done:
            return
        self._closed.append(spoken)
        self._tell(spoken, Closed(spoken.utterance_id, spoken.start_ms), out)
        if decoded_ms is None:
            spoken.goes_on()
            out.append(CancelDecode(spoken.utterance_id))
            out.append(self._job(spoken, Kind.FINAL, ended.end_ms))
        spoken.trace = None
        self._drain(out)

    def _remember(self, spoken: Spoken, end_ms: int) -> None:
        pcm16 = self._hearing.slice(spoken.start_ms, end_ms)
        self._said.add(Said(spoken.start_ms, end_ms - spoken.start_ms, pcm16, spoken.foothold))

    def _close(self, cause: Cause, out: list[Effect]) -> None:
        for boundary in self._hearing.close(cause):
            self._act_on(boundary, out)

    def _finish(self, status: LegStatus, cause: Cause, out: list[Effect]) -> None:
        self._ending = status
        self._close(cause, out)
        self._drain(out)

    def _retry(self, spoken: Spoken, job: DecodeJob, out: list[Effect]) -> None:
        spoken.attempts += 1
        if spoken.attempts < DECODE_ATTEMPTS:
            out.append(replace(job, kind=Kind.FINAL if spoken.ended and job.kind is Kind.SPECULATIVE else job.kind))
        elif spoken.ended is not None:
            self._progress.fail()
            spoken.final = spoken.doubted or Recognition()
        else:
            spoken.speculated_ms = None

    def _decoded(
        self, spoken: Spoken, recognition: Recognition, job: DecodeJob, wall_ms: int, out: list[Effect]
    ) -> None:
        """Keep what is to be the final, or have it heard again."""
        spoken.decoded_wall_ms = wall_ms
        if recognition.doubtful:
            spoken.doubted = recognition
            before = tuple(said.pcm16 for said in spoken.before)
            out.append(replace(job, kind=Kind.AGAIN, draft=None, before=before))
        else:
            spoken.final = recognition
        if spoken is self._open or recognition.doubtful:
            self._revise(spoken, recognition, job, wall_ms, out)

    def _find(self, utterance_id: str) -> Spoken | None:
        candidates = (self._open, *self._closed)
        return next((s for s in candidates if s is not None and s.utterance_id == utterance_id), None)

    def _voice(self, spoken: Spoken) -> tuple[float, ...]:
        return spoken.ended.voice if spoken.ended else self._hearing.voice()

    def _ghost(self, spoken: Spoken, recognition: Recognition) -> bool:
        return spoken.is_ghost(recognition, self._voice(spoken), self._rules.offset)

    def _timed(self, spoken: Spoken, recognition: Recognition) -> tuple[TimedWord, ...]:
        return spoken.timed(recognition, self._voice(spoken), self._rules.offset)

    def _revise(
        self, spoken: Spoken, recognition: Recognition, job: DecodeJob, wall_ms: int, out: list[Effect]
    ) -> None:
        if self._progress.was_published(spoken.start_ms) or self._ghost(spoken, recognition):
            return
        # What was said before tells what may be shown; while that is not known, anything may have been announced.
        unknown = recognition.doubtful or (bool(self._closed) and self._closed[0] is not spoken)
        spoken.language = recognition.language
        safe = self._redaction.partial(
            self._timed(spoken, recognition),
            self._questions.open_to(),
            wary_ms=spoken.start_ms if unknown else self._questions.wary_ms,
            language=recognition.language,
        )
        if safe.words and safe.text != spoken.shown:
            spoken.shown = safe.text
            out.append(self._transcript(spoken, safe, job.end_ms, job.captured_ms, wall_ms, final=False))

    def _settle(self, out: list[Effect]) -> None:
        """Take what is certain about the words to come: none of them begins before a time."""
        coming = self._closed[0] if self._closed else self._open
        until_ms = coming.start_ms if coming else self._hearing.framed_ms - self._rules.pre_roll_ms
        self._publish(self._redaction.settle(until_ms), out)
        while not self._closed and self._redaction.clean and not self._redaction.holding:
            ask = self._questions.next_before(until_ms + ANSWER_LEAD_MS, self._hearing.end_ms)
            if ask is None:
                break
            self._redaction.answer(ask)
            self._tidy()

    def _drain(self, out: list[Effect]) -> None:
        while self._closed and (recognition := self._closed[0].final) is not None:
            if self._questions.awaited(self._closed[0].heard_ms):
                break
            spoken = self._closed.popleft()
            self._learn_language(spoken, recognition)
            self._held_from.append(spoken)
            ghost = self._ghost(spoken, recognition)
            spoken.language = recognition.language
            words = () if ghost else self._timed(spoken, recognition)
            asks = self._questions.take(spoken.utterance_id, spoken.heard_ms)
            self._progress.judged(spoken.start_ms)
            self._publish(self._redaction.final(spoken, words, asks, language=recognition.language), out)
            self._tell(spoken, Judged(spoken.utterance_id, self._redaction.question if words else None), out)
            if spoken.rests:
                self._publish(self._redaction.flush(), out)
        if self._ending is not None and not self._closed and not self.finished:
            self._publish(self._redaction.flush(), out)
            self.finished = True
            self._progress.end()
            out.append(self._leg_finished(self._ending))

    def _identify(self, identity: LegIdentity) -> None:
        """Whose audio it is; by which queue the call came may be known only now."""
        before, self.identity = self.identity, identity
        if identity.queue_id != before.queue_id:
            self._speech.came_by(identity.queue_id, self._progress.language)

    def _learn_language(self, spoken: Spoken, recognition: Recognition) -> None:
        spoken_ms = spoken.ended.end_ms - spoken.start_ms if spoken.ended else 0
        if spoken_ms and self._speech.learn(recognition.language, recognition.language_probability, spoken_ms):
            self._progress.learn(self._speech.language)

    def _leg_finished(self, ending: LegStatus) -> LegFinished:
        progress, hearing = self._progress, self._hearing
        status, reason = ending, "unreadable_audio" if progress.unreadable else ""
        if progress.failed:
            status, reason = LegStatus.FAILED, "decode_failed"
        return LegFinished(self.identity, status, self.mark, reason, audio_ms=hearing.audio_ms, gap_ms=hearing.gap_ms)

    def _publish(self, released: list[tuple[Spoken, SafeText]], out: list[Effect]) -> None:
        for spoken, safe in released:
            self._held_from.remove(spoken)
            if not self._progress.released(spoken, safe):
                continue
            ended = spoken.ended
            end_ms = ended.end_ms if ended else spoken.start_ms
            # A partial that turned out to be nothing is taken back by an empty final.
            if safe.words or spoken.revision:
                out.append(
                    self._transcript(spoken, safe, end_ms, spoken.end_wall_ms, spoken.decoded_wall_ms, final=True)
                )
        self._tidy()

    def _tidy(self) -> None:
        """Where what is published matters no more to what follows, a successor may begin behind it."""
        if self._redaction.clean:
            self._progress.settled(self._redaction.asks)
            self._questions.forget([spoken.utterance_id for spoken in self._held_from])

    def _transcript(
        self, spoken: Spoken, safe: SafeText, end_ms: int, end_wall_ms: int, wall_ms: int, *, final: bool
    ) -> Transcript:
        start_wall_ms = self.epoch_ms + spoken.start_ms if self.epoch_ms is not None else None
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
            language=spoken.language,
        )
