"""Whisper by faster-whisper's CTranslate2, on windows as short as the speech.

Whisper's encoder runs over 30 seconds whatever it is given, and shorter input breaks the decoder, because it has
learned to see the silence behind the speech. So the speech is encoded with two seconds of zeros, and the states of
a long silence, made once from the model itself (see ``silence_tail``), are appended before decoding. A decode that
trips a guard (``domain.guards``) is repeated on the full window.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import Tokenizer

from services.chassis.errors import Transient
from services.transcriber.adapters.resampling import WHISPER_HZ, Samples, to_whisper_rate
from services.transcriber.adapters.silence_tail import TAIL_FROM, States, mean_tail
from services.transcriber.domain.guards import loop_start, suspicious, token_limit
from services.transcriber.domain.recognition import (
    EngineIdentity,
    Quality,
    Recognition,
    RecognitionRequest,
    RecognizedWord,
)

FRAMES_PER_S = 100
STATES_PER_S = 50
FULL_FRAMES = 3_000
FULL_STATES = 1_500
PAD_S = 2.0
LEAST_WINDOW_S = 3.0
TAIL_STATES = {Quality.PARTIAL: 3 * STATES_PER_S, Quality.FINAL: 6 * STATES_PER_S}
BEAM = {Quality.PARTIAL: 1, Quality.FINAL: 5}


@dataclass(frozen=True, slots=True)
class _Decode:
    tokens: tuple[int, ...]
    score: float
    no_speech: float
    ended: bool


class WhisperEngine:
    """A ``Recognizer``. One model a process; CTranslate2 serves ``workers`` threads at once."""

    def __init__(
        self, model_dir: Path, *, model_name: str, compute_type: str, workers: int, short_windows: bool
    ) -> None:
        """Load the weights (about a second) and make the silence tail (about a second more)."""
        self._model = ctranslate2.models.Whisper(
            str(model_dir), device="cpu", compute_type=compute_type, inter_threads=workers, intra_threads=1
        )
        vocabulary = tokenizers.Tokenizer.from_file(str(model_dir / "tokenizer.json"))
        self._tokenizer = Tokenizer(
            vocabulary,
            self._model.is_multilingual,
            task="transcribe",
            language="en",
        )
        self._features = FeatureExtractor(feature_size=self._model.n_mels)
        self._identity = EngineIdentity("faster-whisper", model_name, ctranslate2.__version__)
        self._digits = frozenset(
            token for text, token in vocabulary.get_vocab().items() if any(c.isdigit() for c in text)
        )
        self._tail: States | None = mean_tail(self._encode_full) if short_windows else None
        self.full_windows = 0

    @property
    def identity(self) -> EngineIdentity:
        """What made the transcripts."""
        return self._identity

    def recognize(self, request: RecognitionRequest) -> Recognition:
        """Decode one stretch of speech of at most 28 seconds. Raises Transient when the library fails."""
        try:
            return self._recognize(request)
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            raise Transient(f"decode failed: {type(error).__name__}") from None

    def _recognize(self, request: RecognitionRequest) -> Recognition:
        samples = to_whisper_rate(request.pcm16, request.rate_hz)
        prefix = self._tokenizer.encode(" " + request.prefix) if request.prefix else []
        tail = self._tail
        if tail is not None:
            states = self._short_states(samples, request.quality, tail)
            decode = self._generate(states, request, prefix)
            if not suspicious(decode.tokens, request.duration_ms, ended=decode.ended):
                return self._with_times(states, decode, len(samples), full_window=False)
            self.full_windows += 1
        states = ctranslate2.StorageView.from_array(self._encode_full(samples))
        decode = self._generate(states, request, [])
        loop = loop_start(decode.tokens, self._digits)
        if loop is not None:
            decode = _Decode(decode.tokens[:loop], decode.score, decode.no_speech, decode.ended)
        return self._with_times(states, decode, len(samples), full_window=True)

    def _mel(self, samples: Samples, frames: int) -> Samples:
        padded = np.zeros(frames * WHISPER_HZ // FRAMES_PER_S, dtype=np.float32)
        padded[: len(samples)] = samples[: len(padded)]
        mel = self._features(padded, padding=0)[..., :frames]
        return np.ascontiguousarray(mel[np.newaxis], dtype=np.float32)

    def _encode(self, samples: Samples, frames: int) -> States:
        view = ctranslate2.StorageView.from_array(self._mel(samples, frames))
        return np.array(self._model.encode(view, to_cpu=True), dtype=np.float32)

    def _encode_full(self, samples: Samples) -> States:
        return self._encode(samples, FULL_FRAMES)

    def _short_states(self, samples: Samples, quality: Quality, tail: States) -> ctranslate2.StorageView:
        seconds = max(len(samples) / WHISPER_HZ + PAD_S, LEAST_WINDOW_S)
        frames = min(2 * int(np.ceil(seconds * STATES_PER_S)), FULL_FRAMES)
        own = self._encode(samples, frames)
        count = own.shape[1]
        start = max(count, TAIL_FROM)
        stop = min(start + TAIL_STATES[quality], start + FULL_STATES - count, FULL_STATES)
        spliced = np.concatenate([own, tail[np.newaxis, start:stop]], axis=1)
        return ctranslate2.StorageView.from_array(np.ascontiguousarray(spliced))

    def _generate(self, states: ctranslate2.StorageView, request: RecognitionRequest, prefix: list[int]) -> _Decode:
        prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps, *prefix]
        limit = token_limit(request.duration_ms) + 1
        length = len(prompt) - len(prefix) + max(limit, len(prefix) + 1)
        result = self._model.generate(
            states,
            [prompt],
            beam_size=BEAM[request.quality],
            max_length=min(length, 448),
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=[-1],
        )[0]
        # The forced prefix comes back as part of the answer.
        heard = tuple(t for t in result.sequences_ids[0] if t < self._tokenizer.eot)
        return _Decode(heard, result.scores[0], result.no_speech_prob, ended=len(heard) < limit)

    def _with_times(
        self, states: ctranslate2.StorageView, decode: _Decode, samples: int, *, full_window: bool
    ) -> Recognition:
        words: tuple[RecognizedWord, ...] = ()
        if decode.tokens:
            words = self._align(states, list(decode.tokens), samples)
        return Recognition(
            words=words,
            no_speech=decode.no_speech,
            mean_log_probability=decode.score,
            full_window=full_window,
        )

    def _align(self, states: ctranslate2.StorageView, tokens: list[int], samples: int) -> tuple[RecognizedWord, ...]:
        """Word times from the decoder's cross-attention; each within the audio and none before its forerunner."""
        duration_ms = samples * 1000 // WHISPER_HZ
        frames = max(2, samples * FRAMES_PER_S // WHISPER_HZ)
        aligned = self._model.align(states, self._tokenizer.sot_sequence, [tokens], frames)[0]
        spelled, groups = self._tokenizer.split_to_word_tokens([*tokens, self._tokenizer.eot])
        first_state: dict[int, int] = {}
        for token, state in aligned.alignments:
            first_state.setdefault(token, state)
        last_state = frames // 2
        words: list[RecognizedWord] = []
        at = 0
        for text, group in zip(spelled[:-1], groups[:-1], strict=True):
            start_ms = first_state.get(at, last_state) * 1000 // STATES_PER_S
            probability = float(np.mean(aligned.text_token_probs[at : at + len(group)] or [0.0]))
            at += len(group)
            end_ms = first_state.get(at, last_state) * 1000 // STATES_PER_S
            start_ms, end_ms = min(start_ms, duration_ms), min(max(end_ms, start_ms), duration_ms)
            if text.startswith(" ") or not words:
                if text.strip():
                    words.append(RecognizedWord(text.strip(), start_ms, end_ms, probability))
            else:
                # Punctuation belongs to the word before it and has no time of its own.
                last = words[-1]
                words[-1] = RecognizedWord(last.text + text.rstrip(), last.start_ms, last.end_ms, last.probability)
        return tuple(words)
