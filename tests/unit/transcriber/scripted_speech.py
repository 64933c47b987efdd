"""Speech without speech: a word is a stretch of one sample value, which a scripted ear and engine understand."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from zlib import crc32

from services.chassis.errors import EarshotError
from services.transcriber.domain.chunks import LegChunk, LegIdentity, Role
from services.transcriber.domain.endpointing import EndpointRules
from services.transcriber.domain.leg import LegStream
from services.transcriber.domain.queues import Speech
from services.transcriber.domain.recognition import (
    EngineIdentity,
    Quality,
    Recognition,
    RecognitionRequest,
    RecognizedWord,
    nothing,
)
from services.transcriber.domain.scheduling import DecodeJob, DecodeQueue
from services.transcriber.domain.transcript import CancelDecode, Effect, LegFinished, LegMark, Transcript

RATE_HZ = 8_000
LEAST_WORD_MS = 60
IDENTITY = LegIdentity(call_id="s-1", leg_id="p-1~0a0b0c0d", party_id="p-1", role=Role.CUSTOMER)


@dataclass(slots=True)
class Script:
    """Words placed on a leg's time line."""

    words: list[str] = field(default_factory=list)
    spoken: list[tuple[int, int]] = field(default_factory=list)
    at_ms: int = 0

    def pause(self, ms: int) -> Script:
        """Silence."""
        self.at_ms += ms
        return self

    def say(self, text: str, *, word_ms: int = 200) -> Script:
        """Words without pauses in between."""
        for word in text.split():
            self.words.append(word)
            self.spoken.append((self.at_ms, self.at_ms + word_ms))
            self.at_ms += word_ms
        return self

    def pcm16(self) -> bytes:
        """The leg's audio."""
        samples = array("h", bytes(self.at_ms * RATE_HZ // 1000 * 2))
        for index, (start_ms, end_ms) in enumerate(self.spoken):
            stop = end_ms * 8
            samples[start_ms * 8 : stop] = array("h", [index + 1] * (stop - start_ms * 8))
        return samples.tobytes()


class LoudnessDetector:
    """A voice where samples are not zero."""

    def __init__(self) -> None:
        self.resets = 0

    def probabilities(self, pcm16: bytes) -> list[float]:
        frames = [pcm16[i : i + 512] for i in range(0, len(pcm16), 512)]
        return [0.95 if any(frame) else 0.02 for frame in frames]

    def reset(self) -> None:
        self.resets += 1


class RememberingDetector(LoudnessDetector):
    """As slow to hear a voice as all that it has heard since it was last reset makes it, as recurrent ones are."""

    def __init__(self) -> None:
        super().__init__()
        self._heard = self._loud = 0

    def probabilities(self, pcm16: bytes) -> list[float]:
        out: list[float] = []
        for probability in super().probabilities(pcm16):
            self._heard += 1
            self._loud = self._loud + 1 if probability > 0.5 else 0
            out.append(probability if self._loud > self._heard % 5 else 0.02)
        return out

    def reset(self) -> None:
        super().reset()
        self._heard = self._loud = 0


class ScriptedEngine:
    """Reads the words back; ``fail`` may raise for a request."""

    identity = EngineIdentity("scripted", "none", "1")

    def __init__(
        self, words: Sequence[str], fail: Callable[[RecognitionRequest], EarshotError | None] = lambda _: None
    ) -> None:
        self._words = words
        self._fail = fail
        self.requests: list[RecognitionRequest] = []

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        self.requests.append(request)
        if (error := self._fail(request)) is not None:
            raise error
        out: list[RecognizedWord] = []
        at_ms = 0
        for value, run in groupby(array("h", request.pcm16)[:: request.rate_hz // 1000]):
            stop_ms = at_ms + sum(1 for _ in run)
            if value and stop_ms - at_ms >= LEAST_WORD_MS:
                out.append(RecognizedWord(self._words[value - 1], at_ms, stop_ms, 0.9))
            at_ms = stop_ms
        return Recognition(words=tuple(out), mean_log_probability=-0.2)


class DoubtingEngine(ScriptedEngine):
    """Hears at first but the numbers of some, which depends on their audio, and knows it."""

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        heard = super().recognize(request)
        if request.quality is Quality.FINAL and crc32(request.pcm16) % 3:
            words = tuple(w if w.text.isdecimal() else replace(w, text="mm") for w in heard.words)
            return replace(heard, words=words, doubtful=True)
        return heard


def chunks_of(pcm16: bytes, sizes_ms: Sequence[int], *, start_ms: int = 0, end: bool = True) -> list[LegChunk]:
    """Audio cut into chunks of the sizes given, the last repeated."""
    out: list[LegChunk] = []
    at, turn, total_ms = 0, 0, len(pcm16) // 16
    while at < total_ms:
        size = min(sizes_ms[min(turn, len(sizes_ms) - 1)], total_ms - at)
        out.append(
            LegChunk(
                identity=IDENTITY,
                sequence=turn,
                pcm16=pcm16[at * 16 : (at + size) * 16],
                rate_hz=RATE_HZ,
                media_time_ms=start_ms + at,
                captured_ms=1_000_000 + start_ms + at + size,
                epoch_ms=1_000_000,
                end=end and at + size == total_ms,
                offset=turn,
            )
        )
        at, turn = at + size, turn + 1
    return out


class Session:
    """One leg with an engine that answers at once, in virtual time."""

    def __init__(
        self, engine: ScriptedEngine, *, mark: LegMark | None = None, rules: EndpointRules | None = None,
        detector: LoudnessDetector | None = None, languages: Sequence[str] = ("en",),
        queues: Mapping[str, Speech] | None = None, queue_id: str = "",
    ) -> None:  # fmt: skip
        self.engine = engine
        self.detector = detector or LoudnessDetector()
        self.leg = LegStream(
            replace(IDENTITY, queue_id=queue_id), self.detector, rate_hz=RATE_HZ, rules=rules or EndpointRules(),
            languages=languages, queues=queues, mark=mark,
        )  # fmt: skip
        self.queue = DecodeQueue()
        self.out: list[Transcript | LegFinished] = []
        self.now_ms = 0

    def hear(self, chunks: Sequence[LegChunk], *, step_ms: int | None = 1_000) -> Session:
        for chunk in chunks:
            self.now_ms = chunk.captured_ms
            self.carry_out(self.leg.on_chunk(chunk, step_ms=step_ms))
        return self

    def carry_out(self, effects: Sequence[Effect]) -> None:
        pending = list(effects)
        while True:
            for effect in pending:
                match effect:
                    case DecodeJob():
                        self.queue.put(effect, self.now_ms)
                    case CancelDecode(utterance_id):
                        self.queue.cancel(utterance_id)
                    case Transcript() | LegFinished():
                        self.out.append(effect)
                    case _:
                        pass
            job = self.queue.take()
            if job is None:
                return
            try:
                recognition = self.engine.recognize(job.request())
            except EarshotError:
                recognition = None
            pending = self.leg.on_decoded(job, recognition, wall_ms=self.now_ms)

    @property
    def finals(self) -> list[Transcript]:
        return [t for t in self.out if isinstance(t, Transcript) and t.is_final]

    @property
    def partials(self) -> list[Transcript]:
        return [t for t in self.out if isinstance(t, Transcript) and not t.is_final]

    @property
    def finished(self) -> list[LegFinished]:
        return [t for t in self.out if isinstance(t, LegFinished)]

    @property
    def said(self) -> list[str]:
        return [t.safe.text for t in self.finals]


class QueuedPool:
    """The part of ``Decoders`` that takes jobs; when they are decoded is for a test to say."""

    def __init__(self, engine: ScriptedEngine) -> None:
        self.engine = engine
        self.queue = DecodeQueue()

    def submit(self, job: DecodeJob) -> None:
        self.queue.put(job, 0)

    def cancel(self, utterance_id: str) -> None:
        self.queue.cancel(utterance_id)

    def drop_leg(self, leg_id: str) -> None:
        self.queue.drop_leg(leg_id)

    def wait(self, timeout_s: float) -> None:
        pass
