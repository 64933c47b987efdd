"""Whisper by faster-whisper's CTranslate2, on windows as short as the speech, several at a time.

Whisper's encoder runs over 30 seconds whatever it is given, and shorter input breaks the decoder, because it has
learned to see the silence behind the speech. So the speech is encoded with some zeros behind it, and the states of
a long silence, made once from the model itself (see ``silence_tail``), are appended before decoding. A decode that
trips a guard (``domain.guards``) is repeated on the full window.

A final is decoded greedily at first, and stands where the model is sure of it. Else it is decoded by beam search behind
what the same speaker said before, whose audio is encoded with it and whose words are given: so the model knows the
voice, the line and the subject, as it does where it is given half a minute at once. The words given are those of the
earlier utterances' own first looks, so that a text depends on the audio within reach alone.

On a CPU in int8 the decoder is our own (``packed_decoder``), one utterance at a time. A step of CTranslate2's costs
nearly the same for one utterance as for four, because most of it is reading and packing the weights; so there what
waits is decoded together. The tail brings all of a batch to one length. A final's length is chosen by its own audio
alone, so that its text is the same in any company.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

from services.chassis.errors import Transient
from services.transcriber.adapters.first_looks import FirstLooks
from services.transcriber.adapters.packed_decoder import PackedDecoder
from services.transcriber.adapters.resampling import WHISPER_HZ, Samples, to_whisper_rate
from services.transcriber.adapters.silence_tail import TAIL_FROM, States, mean_tail
from services.transcriber.adapters.word_spans import STATES_PER_S, aligned_words, spread_words
from services.transcriber.domain.guards import echoes, loop_start, suspicious, token_limit
from services.transcriber.domain.recognition import (
    EngineIdentity,
    Quality,
    Recognition,
    RecognitionRequest,
    RecognizedWord,
)

FRAMES_PER_S = 100
FULL_FRAMES = 3_000
FULL_STATES = 1_500
LONGEST_S = 28.0
MOST_TOKENS = 224
"""Half of what the decoder has positions for, as it was trained."""
PROMPT_TOKENS = 4
PAD_S = {Quality.PARTIAL: 1.5, Quality.FINAL: 2.0}
LEAST_WINDOW_S = 3.0
SECOND_WINDOW_S = 15.0
UNSURE = -0.6
"""Mean log probability under which a final that nothing was said before is heard again on more of its silence."""
PARTIAL_TAIL_STATES = 2 * STATES_PER_S
FINAL_TAIL_STATES = 4 * STATES_PER_S
FINAL_STATES = (600, 900, 1_200, FULL_STATES)
"""Lengths of finals as the decoder sees them: the first that leaves room for the tail."""
BEAM = 5
SURE = {"tiny": -0.3, "larger": -0.2}
"""Mean log probability from which a final stands as the first look has it: three in four do with tiny.en."""
BEFORE_S = {"tiny": 10.0, "larger": 16.0}
"""How much of what was said before a final in doubt is heard behind: with more, tiny.en gets no better."""
TINY_WIDTH = 384
WORTH_KNOWING = -1.0
"""Mean log probability under which there is noise rather than words: no context for others, and none helps it."""

Stage = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class _Decode:
    tokens: tuple[int, ...]
    score: float
    no_speech: float
    ended: bool


@dataclass(frozen=True, slots=True)
class _Tongue:
    language: str
    probability: float = 0.0


@dataclass(frozen=True, slots=True)
class _Look:
    """A decode and what it was made from."""

    states: States
    decode: _Decode
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
        own_decoder: bool = True,
    ) -> None:
        """Load the weights (about a second) and make the silence tail (about a second more).

        ``languages`` are those spoken: where there are several, or none are named, a request without one is decoded in
        the likeliest. ``hot_words`` are names and terms to expect; tiny.en is worse with any.
        ``own_decoder``: decode by ``PackedDecoder`` where it can be, on a CPU in int8.
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
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._identity = EngineIdentity("faster-whisper", model_name, ctranslate2.__version__)
        self._digits = frozenset(
            token for text, token in vocabulary.get_vocab().items() if any(c.isdigit() for c in text)
        )
        self._stage = stage
        self._packed: PackedDecoder | None = None
        if own_decoder and device == "cpu" and compute_type == "int8":
            named = self._tokenizer
            self._packed = PackedDecoder(model_dir, end=named.eot, start=named.sot, no_speech=named.no_speech)
        self._first_beam = BEAM if self._packed is None else 1
        self._alone: FirstLooks[_Decode] = FirstLooks()
        self._tail: States | None = mean_tail(self._encode_full) if short_windows else None
        self._size = "tiny" if self._tail is None or self._tail.shape[-1] <= TINY_WIDTH else "larger"

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

    @property
    def batches_pay(self) -> bool:
        """Not with our own decoder, whose steps cost by the utterance."""
        return self._packed is None

    def recognize(self, request: RecognitionRequest) -> Recognition:
        """Decode one stretch of speech of at most 28 seconds. Raises Transient when the library fails."""
        return self.recognize_batch([request])[0]

    def batch_key(self, request: RecognitionRequest) -> Hashable:
        """Partials go together, and finals of one length; the prompts of a batch are equally long."""
        hot_words = request.words_to_expect(self._hot_words)
        if self._tail is None or request.quality is Quality.PARTIAL:
            return request.quality, hot_words
        return request.quality, hot_words, _final_states(_own_frames(request.duration_ms / 1000, request.quality) // 2)

    def recognize_batch(self, requests: Sequence[RecognitionRequest]) -> list[Recognition]:
        """Decode stretches of one key together. Raises Transient when the library fails."""
        try:
            return self._recognize_batch(requests)
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            raise Transient(f"decode failed: {type(error).__name__}") from None

    def _recognize_batch(self, requests: Sequence[RecognitionRequest]) -> list[Recognition]:
        with self._stage("front"):
            samples = [to_whisper_rate(request.pcm16, request.rate_hz) for request in requests]
        tail = self._tail
        if tail is None:
            return [self._full(heard, request) for heard, request in zip(samples, requests, strict=True)]
        looks = self._look(samples, requests, tail, LEAST_WINDOW_S)
        for request, look in zip(requests, looks, strict=True):
            if request.quality is Quality.FINAL:
                self._alone.put(request, look.decode)
        return [
            self._trusted(heard, request, look, tail)
            for heard, request, look in zip(samples, requests, looks, strict=True)
        ]

    def _trusted(self, samples: Samples, request: RecognitionRequest, look: _Look, tail: States) -> Recognition:
        """What was heard, once it deserves trust: a final is heard again on a longer window, or on the full one.

        A partial is left out instead: the next one follows soon, and a full window costs as much as ten.
        """
        believed = not _suspicious(look, request)
        if request.quality is Quality.PARTIAL:
            return self._recognition(look, request) if believed else Recognition()
        if believed and look.decode.score >= SURE[self._size]:
            return self._recognition(look, request)
        in_context = self._in_context(request, look, tail) if _worth_knowing(look.decode, request) else None
        if in_context is not None:
            return self._recognition(in_context, request, second_look=True)
        if self._first_beam != BEAM:
            (decode,) = self._generate(look.states, [request], [look.tongue], beam=BEAM)
            look = replace(look, decode=decode)
        if _suspicious(look, request):
            return self._full(samples, request)
        if look.decode.score < UNSURE:
            (second,) = self._look([samples], [request], tail, SECOND_WINDOW_S, beam=BEAM)
            if not _suspicious(second, request):
                return self._recognition(second, request, second_look=True)
        return self._recognition(look, request)

    def _in_context(self, request: RecognitionRequest, look: _Look, tail: States) -> _Look | None:
        """Heard again behind what the same speaker said before, whose words are given; None where that tells nothing.

        The words' times and the look's own doubts stay those of the utterance alone.
        """
        before: list[bytes] = []
        prefix: list[int] = []
        for pcm16 in _latest(request, BEFORE_S[self._size]):
            earlier = replace(request, pcm16=pcm16, before=())
            decode = self._alone.get(earlier, partial(self._by_itself, earlier, tail))
            if _worth_knowing(decode, earlier):
                before.append(pcm16)
                prefix += decode.tokens
        whole = to_whisper_rate(b"".join([*before, request.pcm16]), request.rate_hz)
        told = len(prefix) + len(self._context(request))
        if not before or len(whole) > LONGEST_S * WHISPER_HZ or told > MOST_TOKENS - PROMPT_TOKENS:
            return None
        own = self._encode(whole, _own_frames(len(whole) / WHISPER_HZ, Quality.FINAL))[0]
        states = _spliced(own, tail, _final_states(len(own)))[np.newaxis]
        (decode,) = self._generate(states, [request], [look.tongue], beam=BEAM, prefix=prefix)
        heard = replace(look, decode=replace(decode, score=look.decode.score, no_speech=look.decode.no_speech))
        if not decode.tokens or _suspicious(heard, request) or echoes(decode.tokens, prefix):
            return None
        return heard

    def _by_itself(self, request: RecognitionRequest, tail: States) -> _Decode:
        samples = to_whisper_rate(request.pcm16, request.rate_hz)
        (look,) = self._look([samples], [request], tail, LEAST_WINDOW_S)
        return look.decode

    def _full(self, samples: Samples, request: RecognitionRequest) -> Recognition:
        """On the 30 s window; what loops even there is cut."""
        states = self._encode_full(samples)
        tongues = self._tongues(states, [request])
        (decode,) = self._generate(states, [request], tongues, beam=BEAM)
        loop = loop_start(decode.tokens, self._digits)
        tokens = decode.tokens if loop is None else decode.tokens[:loop]
        whole = _Decode(tokens, decode.score, decode.no_speech, decode.ended)
        return self._recognition(_Look(states, whole, tongues[0]), request, full_window=True)

    def _mel(self, samples: Samples, frames: int) -> Samples:
        with self._stage("front"):
            padded = np.zeros(frames * WHISPER_HZ // FRAMES_PER_S, dtype=np.float32)
            padded[: len(samples)] = samples[: len(padded)]
            mel = self._features(padded, padding=0)[..., :frames]
            return np.ascontiguousarray(mel[np.newaxis], dtype=np.float32)

    def _encode(self, samples: Samples, frames: int) -> States:
        mel = self._mel(samples, frames)
        with self._stage("encode"):
            view = ctranslate2.StorageView.from_array(mel)
            return np.array(self._model.encode(view, to_cpu=True), dtype=np.float32)

    def _encode_full(self, samples: Samples) -> States:
        return self._encode(samples, FULL_FRAMES)

    def _look(
        self,
        samples: Sequence[Samples],
        requests: Sequence[RecognitionRequest],
        tail: States,
        least_s: float,
        beam: int | None = None,
    ) -> list[_Look]:
        """Decode on each stretch's own states, all with so much of the tail that they are equally long."""
        quality = requests[0].quality
        own = [self._encode(heard, _own_frames(len(heard) / WHISPER_HZ, quality, least_s))[0] for heard in samples]
        longest = max(len(states) for states in own)
        length = _final_states(longest) if quality is Quality.FINAL else min(longest + PARTIAL_TAIL_STATES, FULL_STATES)
        states = np.stack([_spliced(heard, tail, length) for heard in own])
        tongues = self._tongues(states, requests)
        decodes = self._generate(
            states, requests, tongues, beam=beam or (1 if quality is Quality.PARTIAL else self._first_beam)
        )
        return [
            _Look(states[number : number + 1], decode, tongue)
            for number, (decode, tongue) in enumerate(zip(decodes, tongues, strict=True))
        ]

    def _tongues(self, states: States, requests: Sequence[RecognitionRequest]) -> list[_Tongue]:
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
                view = ctranslate2.StorageView.from_array(np.ascontiguousarray(states[unknown]))
                ranked = self._model.detect_language(view)
            for number, ranking in zip(unknown, ranked, strict=True):
                named = [(token.strip("<|>"), probability) for token, probability in ranking]
                among = [one for one in named if not spoken[number] or one[0] in spoken[number]]
                told[number] = _Tongue(*max(among, key=lambda one: one[1]))
        return told

    def _generate(
        self,
        states: States,
        requests: Sequence[RecognitionRequest],
        tongues: Sequence[_Tongue],
        *,
        beam: int,
        prefix: Sequence[int] = (),
    ) -> list[_Decode]:
        limits = [min(token_limit(request.duration_ms) + 1, MOST_TOKENS) for request in requests]
        context = self._context(requests[0])
        prompts = [
            [*context, *self._in(tongue.language).sot_sequence, self._tokenizer.no_timestamps, *prefix]
            for tongue in tongues
        ]
        if self._packed is not None:
            return [self._by_own(self._packed, *one, beam=beam) for one in zip(states, prompts, limits, strict=True)]
        with self._stage("decode"):
            results = self._model.generate(
                ctranslate2.StorageView.from_array(states),
                prompts,
                beam_size=beam,
                # The library ends at half of it.
                max_length=min(2 * max(limits) + len(context) + len(prefix), 2 * MOST_TOKENS),
                return_scores=True,
                return_no_speech_prob=True,
                suppress_tokens=[-1],
            )
        return [self._decode(result, limit) for result, limit in zip(results, limits, strict=True)]

    def _by_own(self, decoder: PackedDecoder, states: States, prompt: list[int], limit: int, *, beam: int) -> _Decode:
        with self._stage("decode"):
            one = decoder.decode(states, prompt, beam=beam, limit=limit)
        return _Decode(one.tokens, one.score, one.no_speech, ended=len(one.tokens) < limit)

    def _decode(self, result: Any, limit: int) -> _Decode:
        heard = tuple(token for token in result.sequences_ids[0] if token < self._tokenizer.eot)
        return _Decode(heard, result.scores[0], result.no_speech_prob, ended=len(heard) < limit)

    def _recognition(
        self, look: _Look, request: RecognitionRequest, *, second_look: bool = False, full_window: bool = False
    ) -> Recognition:
        return Recognition(
            words=self._words(look, request),
            no_speech=look.decode.no_speech,
            mean_log_probability=look.decode.score,
            second_look=second_look,
            full_window=full_window,
            language=look.tongue.language,
            language_probability=look.tongue.probability,
        )

    def _words(self, look: _Look, request: RecognitionRequest) -> tuple[RecognizedWord, ...]:
        tokenizer, tokens = self._in(look.tongue.language), list(look.decode.tokens)
        if not tokens:
            return ()
        if request.quality is Quality.PARTIAL:
            return spread_words(tokenizer, tokens, request.duration_ms, float(np.exp(look.decode.score)))
        frames = max(2, request.duration_ms * FRAMES_PER_S // 1000)
        with self._stage("align"):
            view = ctranslate2.StorageView.from_array(np.ascontiguousarray(look.states))
            aligned = self._model.align(view, tokenizer.sot_sequence, [tokens], frames)[0]
        return aligned_words(tokenizer, tokens, aligned, request.duration_ms)


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


def _worth_knowing(decode: _Decode, request: RecognitionRequest) -> bool:
    believed = not suspicious(decode.tokens, request.duration_ms, ended=decode.ended)
    return believed and bool(decode.tokens) and decode.score >= WORTH_KNOWING


def _suspicious(look: _Look, request: RecognitionRequest) -> bool:
    return suspicious(look.decode.tokens, request.duration_ms, ended=look.decode.ended)


def _own_frames(seconds: float, quality: Quality, least_s: float = LEAST_WINDOW_S) -> int:
    """Frames that are encoded for so much speech: an even number."""
    with_pad_s = max(seconds + PAD_S[quality], least_s)
    return min(2 * int(np.ceil(with_pad_s * STATES_PER_S)), FULL_FRAMES)


def _final_states(own: int) -> int:
    """How many states the decoder is given for a final with so many of its own."""
    return next((length for length in FINAL_STATES if own + FINAL_TAIL_STATES <= length), FULL_STATES)


def _spliced(own: States, tail: States, length: int) -> States:
    """States up to ``length``; the tail stands at its own positions, and holds no speech before ``TAIL_FROM``."""
    missing = length - len(own)
    start = min(max(len(own), TAIL_FROM), FULL_STATES - missing)
    return np.concatenate([own, tail[start : start + missing]])
