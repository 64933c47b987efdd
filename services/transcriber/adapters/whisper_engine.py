"""Whisper by faster-whisper's weights: what is asked of a model, when its answer deserves trust, and the words of it.

Whisper's encoder runs over 30 seconds whatever it is given, and shorter input breaks the decoder, because it has
learned to see the silence behind the speech. A ``Runtime`` has its own way to spare that: on a CPU in int8 graphs of
our own (``packed_runtime``), else CTranslate2 (``ctranslate2_runtime``). A decode that trips a guard
(``domain.guards``) is repeated on the full window.

A final is decoded greedily at first, and stands where the model is sure of it. Else it is in doubt, and is to be asked
for again (``Quality.AGAIN``). Then it is decoded by beam search behind what the same speaker said before, whose audio
is encoded with it and whose words are given: so the model knows the voice, the line and the subject, as it does where
it is given half a minute at once. The words given are those of the earlier utterances' own first looks, so that a text
depends on the audio within reach alone.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.tokenizer import Tokenizer

from services.chassis.errors import Transient
from services.transcriber.adapters.ctranslate2_runtime import CTranslate2Runtime
from services.transcriber.adapters.doubt import marks_of, stands
from services.transcriber.adapters.first_looks import FirstLooks
from services.transcriber.adapters.log_mel import Front
from services.transcriber.adapters.packed_runtime import PackedRuntime
from services.transcriber.adapters.runtime import (
    MOST_TOKENS,
    Heard,
    Hypothesis,
    Question,
    Runtime,
    Stage,
)
from services.transcriber.adapters.sound import sound_of
from services.transcriber.adapters.word_spans import aligned_words, spread_words
from services.transcriber.domain.guards import before_repeats, echoes, loop_start, suspicious, token_limit
from services.transcriber.domain.recognition import (
    EngineIdentity,
    Quality,
    Recognition,
    RecognitionRequest,
    RecognizedWord,
    nothing,
)

LONGEST_S = 28.0
PROMPT_TOKENS = 4
BEAM = 5
BEFORE_S = {"tiny": 10.0, "larger": 16.0}
"""How much of what was said before a final in doubt is heard behind: with more, tiny.en gets no better."""
TINY_WIDTH = 384
DOUBTED_KEPT = 16
"""Encoded finals in doubt, that wait to be heard again: some MB each."""
WORTH_KNOWING = -1.0
"""Mean log probability under which there is noise rather than words: no context for others, and none helps it."""


@dataclass(frozen=True, slots=True)
class _Tongue:
    language: str
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class _Trace:
    """What the next decode of an utterance can use: the last answer; and a partial, what the last partial heard and how
    it came to its answer, where that was the last.
    """

    tokens: tuple[int, ...] = ()
    heard: Heard | None = None
    path: object = None


@dataclass(frozen=True, slots=True)
class _Look:
    """A decode and what it was made from."""

    heard: Heard
    decode: Hypothesis
    tongue: _Tongue


class WhisperEngine:
    """A ``BatchRecognizer``. One model a process; CTranslate2 serves ``workers`` threads at once."""

    def __init__(
        self,
        model_dir: Path,
        *,
        model_name: str,
        compute_type: str,
        workers: int,
        short_windows: bool,
        device: str = "cpu",
        languages: Sequence[str] = ("en",),
        hot_words: str = "",
        stage: Stage = lambda _: nullcontext(),
        runtime: str = "onnxruntime",
    ) -> None:
        """Load the weights (about a second) and make the runtime's silence (a few seconds more).

        ``languages`` are those spoken: where there are several, or none are named, a request without one is decoded in
        the likeliest. ``hot_words`` are names and terms to expect; tiny.en is worse with any.
        ``runtime``: onnxruntime is used where it can be, on a CPU in int8, else ctranslate2.
        ``stage`` is entered around each stage of the work, by name: front, encode, decode, align.
        """
        self._model = ctranslate2.models.Whisper(
            str(model_dir), device=device, compute_type=compute_type, inter_threads=workers, intra_threads=1
        )
        vocabulary = tokenizers.Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        self._multilingual = self._model.is_multilingual
        self._languages = tuple(languages) if self._multilingual else ("en",)
        self._vocabulary = vocabulary
        self._tokenizers: dict[str, Tokenizer] = {}
        self._tokenizer = self._in(self._languages[0] if self._languages else "en")
        self._hot_words = hot_words
        self._contexts: dict[str, list[int]] = {}
        spelled = vocabulary.get_vocab()
        self._digits = frozenset(token for text, token in spelled.items() if any(c.isdigit() for c in text))
        self._marks = marks_of(spelled)
        self._stage = stage
        self._short = short_windows
        front, named = Front(self._model.n_mels, stage), self._tokenizer
        self._runtime: Runtime
        if runtime == "onnxruntime" and device == "cpu" and compute_type == "int8":
            self._runtime = PackedRuntime(
                model_dir, front, end=named.eot, start=named.sot, no_speech=named.no_speech, stage=stage
            )
        else:
            together = device == "cuda"
            self._runtime = CTranslate2Runtime(self._model, front, end=named.eot, stage=stage, together=together)
        self._identity = EngineIdentity("faster-whisper", model_name, self._runtime.version)
        self._alone: FirstLooks[Hypothesis] = FirstLooks()
        self._doubted: FirstLooks[Heard] = FirstLooks(kept=DOUBTED_KEPT)

    @property
    def identity(self) -> EngineIdentity:
        """What made the transcripts."""
        return self._identity

    def _in(self, language: str) -> Tokenizer:
        known = self._tokenizers.get(language)
        if known is None:
            known = Tokenizer(self._vocabulary, self._multilingual, task="transcribe", language=language)
            self._tokenizers[language] = known
        return known

    def _context(self, request: RecognitionRequest) -> list[int]:
        """What stands before the prompt: the names and terms to expect."""
        hot_words = request.words_to_expect(self._hot_words)
        known = self._contexts.get(hot_words)
        if known is None:
            known = [self._tokenizer.sot_prev, *self._tokenizer.encode(" " + hot_words)] if hot_words else []
            self._contexts[hot_words] = known
        return known

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        """Decode one stretch of speech of at most 28 seconds. Raises Transient when the library fails."""
        with _transient():
            if self._short and request.quality is Quality.AGAIN:
                return self._again(request, between)
            return self._first([request])[0]

    def batch_key(self, request: RecognitionRequest) -> Hashable | None:
        """Stretches that the runtime takes together; what is heard again or on full windows is so alone."""
        if request.quality is Quality.AGAIN or not self._short:
            return None
        expected = request.words_to_expect(self._hot_words)
        return self._runtime.batch_key(request.duration_ms, request.quality, expected)

    def recognize_batch(self, requests: Sequence[RecognitionRequest]) -> list[Recognition]:
        """Decode stretches of one key together. Raises Transient when the library fails."""
        with _transient():
            return self._first(requests)

    def _first(self, requests: Sequence[RecognitionRequest]) -> list[Recognition]:
        if not self._short:
            return [self._full(request) for request in requests]
        looks = self._look(requests)
        out = []
        for request, look in zip(requests, looks, strict=True):
            recognition = self._weighed(request, look)
            if request.quality is Quality.FINAL:
                self._alone.put(request, replace(look.decode, asked=()))
            if recognition.doubtful:
                self._doubted.put(request, look.heard)
            out.append(recognition)
        return out

    def _weighed(self, request: RecognitionRequest, look: _Look) -> Recognition:
        """What was heard, and whether a final stands; of a partial that goes round in circles, what is before that."""
        believed = not _suspicious(look.decode, request)
        doubtful = request.quality is Quality.FINAL and not (believed and stands(look.decode, self._marks, _size(look)))
        if not believed and request.quality is Quality.PARTIAL and (kept := before_repeats(look.decode.tokens)):
            return self._recognition(replace(look, decode=look.decode.cut(kept)), request)
        if not believed:
            return Recognition(doubtful=doubtful)
        return self._recognition(look, request, doubtful=doubtful)

    def _again(self, request: RecognitionRequest, between: Callable[[], None]) -> Recognition:
        """A final that was in doubt: with more to go by, or with more care."""
        request = replace(request, quality=Quality.FINAL)
        heard = self._doubted.get(request, lambda: self._hear([request])[0])
        self._doubted.forget(request)
        (tongue,) = self._tongues([heard], [request])
        look = _Look(heard, self._alone.get(request, partial(self._greedy, heard, request, tongue)), tongue)
        between()
        in_context = self._in_context(request, look, between) if _worth_knowing(look.decode, request) else None
        if in_context is not None:
            return self._recognition(in_context, request, second_look=True)
        (decode,) = self._generate([heard], [request], [tongue], beam=BEAM, between=between)
        if _suspicious(decode, request):
            return self._full(request)
        return self._recognition(replace(look, decode=decode), request)

    def _greedy(self, heard: Heard, request: RecognitionRequest, tongue: _Tongue) -> Hypothesis:
        (decode,) = self._generate([heard], [request], [tongue], beam=1)
        return decode

    def _in_context(self, request: RecognitionRequest, look: _Look, between: Callable[[], None]) -> _Look | None:
        """Heard again behind what the same speaker said before, whose words are given; None where that tells nothing.

        The words' times and the look's own doubts stay those of the utterance alone.
        """
        before: list[bytes] = []
        prefix: list[int] = []
        for pcm16 in _latest(request, BEFORE_S[_size(look)]):
            earlier = replace(request, pcm16=pcm16, before=())
            decode = self._alone.get(earlier, partial(self._by_itself, earlier))
            if _worth_knowing(decode, earlier):
                before.append(pcm16)
                prefix += decode.tokens
        whole = sound_of(b"".join([*before, request.pcm16]), request.rate_hz)
        told = len(prefix) + len(self._context(request))
        if not before or whole.duration_s > LONGEST_S or told > MOST_TOKENS - PROMPT_TOKENS:
            return None
        heard = self._runtime.hear([whole], Quality.FINAL, between=between)
        (decode,) = self._generate(heard, [request], [look.tongue], beam=BEAM, prefix=prefix, between=between)
        decode = replace(decode, score=look.decode.score, no_speech=look.decode.no_speech)
        if not decode.tokens or _suspicious(decode, request) or echoes(decode.tokens, prefix):
            return None
        return replace(look, decode=decode)

    def _by_itself(self, request: RecognitionRequest) -> Hypothesis:
        (look,) = self._look([request])
        return look.decode

    def _full(self, request: RecognitionRequest) -> Recognition:
        """On the 30 s window; what loops even there is cut."""
        (look,) = self._look([request], full=True)
        loop = loop_start(look.decode.tokens, self._digits)
        whole = look if loop is None else replace(look, decode=look.decode.cut(loop))
        return self._recognition(whole, request, full_window=True)

    def _look(self, requests: Sequence[RecognitionRequest], *, full: bool = False) -> list[_Look]:
        """Each by itself: greedily, or where it is the last word on it by beam search."""
        heard = self._hear(requests, full=full)
        tongues = self._tongues(heard, requests)
        decodes = self._generate(heard, requests, tongues, beam=BEAM if full else 1)
        return [_Look(*look) for look in zip(heard, decodes, tongues, strict=True)]

    def _hear(self, requests: Sequence[RecognitionRequest], *, full: bool = False) -> list[Heard]:
        sounds = [sound_of(request.pcm16, request.rate_hz) for request in requests]
        # A final is to depend on its audio alone: of its words a draft may tell, not of what was heard.
        known = requests[0].quality is Quality.PARTIAL
        earlier = [_earlier(request).heard if known else None for request in requests]
        return self._runtime.hear(sounds, requests[0].quality, full=full, earlier=earlier)

    def _tongues(self, heard: Sequence[Heard], requests: Sequence[RecognitionRequest]) -> list[_Tongue]:
        """The language of each, which is heard where it is neither known nor the only one."""
        spoken = [request.languages or self._languages for request in requests]
        told = [
            _Tongue(request.language or (languages[0] if len(languages) == 1 else ""))
            for request, languages in zip(requests, spoken, strict=True)
        ]
        if not self._multilingual:
            return [_Tongue("en")] * len(requests)
        unknown = [number for number, tongue in enumerate(told) if not tongue.language]
        if unknown:
            with self._stage("decode"):
                states = [self._runtime.plain(heard[number])[np.newaxis] for number in unknown]
                ranked = [self._model.detect_language(ctranslate2.StorageView.from_array(one))[0] for one in states]
            for number, ranking in zip(unknown, ranked, strict=True):
                named = [(token.strip("<|>"), probability) for token, probability in ranking]
                among = [one for one in named if not spoken[number] or one[0] in spoken[number]]
                told[number] = _Tongue(*max(among, key=lambda one: one[1]))
        return told

    def _generate(
        self,
        heard: Sequence[Heard],
        requests: Sequence[RecognitionRequest],
        tongues: Sequence[_Tongue],
        *,
        beam: int,
        prefix: Sequence[int] = (),
        between: Callable[[], None] = nothing,
    ) -> list[Hypothesis]:
        questions = [
            Question(
                prompt=(
                    *self._context(request),
                    *self._in(tongue.language).sot_sequence,
                    self._tokenizer.no_timestamps,
                    *prefix,
                ),
                limit=min(token_limit(request.duration_ms) + 1, MOST_TOKENS),
                draft=_earlier(request).tokens,
                path=_earlier(request).path,
                proven=request.quality is not Quality.PARTIAL,
            )
            for request, tongue in zip(requests, tongues, strict=True)
        ]
        return self._runtime.decode(heard, questions, beam=beam, between=between)

    def _recognition(
        self,
        look: _Look,
        request: RecognitionRequest,
        *,
        doubtful: bool = False,
        second_look: bool = False,
        full_window: bool = False,
    ) -> Recognition:
        estimated = doubtful or request.quality is Quality.PARTIAL
        return Recognition(
            words=self._words(look, request, estimated=estimated),
            doubtful=doubtful,
            no_speech=look.decode.no_speech,
            mean_log_probability=look.decode.score,
            second_look=second_look,
            full_window=full_window,
            language=look.tongue.language,
            language_probability=look.tongue.probability,
            trace=_trace(look, request),
        )

    def _words(self, look: _Look, request: RecognitionRequest, *, estimated: bool) -> tuple[RecognizedWord, ...]:
        tokenizer, tokens = self._in(look.tongue.language), list(look.decode.tokens)
        if not tokens:
            return ()
        if estimated:
            return spread_words(tokenizer, tokens, request.duration_ms, float(np.exp(look.decode.score)))
        prompt = (*tokenizer.sot_sequence, tokenizer.no_timestamps)
        aligned = self._runtime.align(look.heard, prompt, look.decode, request.duration_ms)
        return aligned_words(tokenizer, tokens, aligned, request.duration_ms)


def _trace(look: _Look, request: RecognitionRequest) -> _Trace:
    earlier = _earlier(request)
    heard = look.heard if request.quality is Quality.PARTIAL else earlier.heard
    if not look.decode.tokens:
        return _Trace(earlier.tokens, heard)
    return _Trace(look.decode.tokens, heard, look.decode.path)


def _earlier(request: RecognitionRequest) -> _Trace:
    return request.draft if isinstance(request.draft, _Trace) else _Trace()


@contextmanager
def _transient() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError, IndexError, MemoryError) as error:
        raise Transient(f"decode failed: {type(error).__name__}") from None


def _size(look: _Look) -> str:
    return "tiny" if look.heard.states.shape[1] <= TINY_WIDTH else "larger"


def _latest(request: RecognitionRequest, most_s: float) -> list[bytes]:
    """Of what was said before the last that is not longer than so much."""
    out: list[bytes] = []
    left = int(most_s * request.rate_hz) * 2
    for pcm16 in reversed(request.before):
        left -= len(pcm16)
        if left < 0:
            break
        out.insert(0, pcm16)
    return out


def _worth_knowing(decode: Hypothesis, request: RecognitionRequest) -> bool:
    return not _suspicious(decode, request) and bool(decode.tokens) and decode.score >= WORTH_KNOWING


def _suspicious(decode: Hypothesis, request: RecognitionRequest) -> bool:
    return suspicious(decode.tokens, request.duration_ms, ended=decode.ended)
