"""Whisper by OpenAI's own code and torch, with the weights that the other engine has: the optional second engine.

It decodes on full windows, one at a time: the reference for the other, and a way out where CTranslate2 does not run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.chassis.errors import SettingError, Transient
from services.transcriber.adapters.ctranslate2_weights import HEAD, layers_of, openai_state, read_variables
from services.transcriber.adapters.sound import WHISPER_HZ, to_whisper_rate
from services.transcriber.domain.recognition import (
    EngineIdentity,
    Quality,
    Recognition,
    RecognitionRequest,
    RecognizedWord,
    nothing,
)

BEAM = {Quality.PARTIAL: None, Quality.FINAL: 5, Quality.AGAIN: 5}


class OpenAIWhisperEngine:
    """A ``Recognizer``."""

    def __init__(
        self,
        model_dir: Path,
        *,
        model_name: str,
        device: str = "cpu",
        threads: int = 1,
        languages: Sequence[str] = ("en",),
        hot_words: str = "",
    ) -> None:
        """Load the weights. Raises SettingError where openai-whisper is not installed."""
        try:
            import torch
            import whisper
        except ImportError:
            raise SettingError(
                "TRANSCRIBER_ENGINE: openai-whisper needs the packages of infra/requirements/transcriber_openai.txt"
            ) from None
        torch.set_num_threads(threads)
        self._whisper: Any = whisper
        self._torch: Any = torch
        self._model = _load(torch, whisper, model_dir).to(device).eval()
        self._device = device
        self._languages = tuple(languages) if self._model.is_multilingual else ("en",)
        self._hot_words = hot_words
        self._identity = EngineIdentity("openai-whisper", model_name, f"whisper {whisper.__version__}")

    @property
    def identity(self) -> EngineIdentity:
        """What made the transcripts."""
        return self._identity

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        """Decode one stretch of speech of at most 28 seconds. Raises Transient when the library fails."""
        try:
            with self._torch.inference_mode():
                return self._recognize(request)
        except (RuntimeError, ValueError, IndexError, MemoryError) as error:
            raise Transient(f"decode failed: {type(error).__name__}") from None

    def _recognize(self, request: RecognitionRequest) -> Recognition:
        samples = to_whisper_rate(request.pcm16, request.rate_hz)
        padded = self._whisper.pad_or_trim(samples)
        mel = self._whisper.log_mel_spectrogram(padded, self._model.dims.n_mels).to(self._device)
        language, probability = self._language(mel, request)
        options = self._whisper.DecodingOptions(
            language=language, beam_size=BEAM[request.quality], without_timestamps=True, fp16=False,
            prompt=request.words_to_expect(self._hot_words) or None,
        )  # fmt: skip
        result = self._whisper.decode(self._model, mel, options)
        tokens = [token for token in result.tokens if token < self._end_of_text(language)]
        return Recognition(
            words=self._words(mel, tokens, language, len(samples)) if tokens else (),
            no_speech=result.no_speech_prob,
            mean_log_probability=result.avg_logprob,
            full_window=True,
            language=language,
            language_probability=probability,
        )

    def _language(self, mel: Any, request: RecognitionRequest) -> tuple[str, float]:
        languages = request.languages or self._languages
        if request.language or len(languages) == 1:
            return request.language or languages[0], 0.0
        _, chances = self._model.detect_language(mel)
        among = {name: chance for name, chance in chances.items() if not languages or name in languages}
        name = max(among, key=lambda one: among[one])
        return name, float(among[name])

    def _tokenizer(self, language: str) -> Any:
        return self._whisper.tokenizer.get_tokenizer(
            self._model.is_multilingual, num_languages=self._model.num_languages, language=language, task="transcribe"
        )

    def _end_of_text(self, language: str) -> int:
        return int(self._tokenizer(language).eot)

    def _words(self, mel: Any, tokens: list[int], language: str, samples: int) -> tuple[RecognizedWord, ...]:
        from whisper.timing import find_alignment

        duration_ms = samples * 1000 // WHISPER_HZ
        frames = max(2, samples * 100 // WHISPER_HZ)
        out: list[RecognizedWord] = []
        for timing in find_alignment(self._model, self._tokenizer(language), tokens, mel, frames):
            start_ms, end_ms = (min(round(1000 * at_s), duration_ms) for at_s in (timing.start, timing.end))
            if timing.word.startswith(" ") or not out:
                if timing.word.strip():
                    out.append(RecognizedWord(timing.word.strip(), start_ms, end_ms, float(timing.probability)))
            else:
                last = out[-1]
                text = last.text + timing.word.rstrip()
                out[-1] = RecognizedWord(text, last.start_ms, last.end_ms, last.probability)
        return tuple(out)


def _load(torch: Any, whisper: Any, model_dir: Path) -> Any:
    state = openai_state(read_variables(model_dir / "model.bin"))
    audio_ctx, audio_state = state["encoder.positional_embedding"].shape
    text_ctx, text_state = state["decoder.positional_embedding"].shape
    dims = whisper.model.ModelDimensions(
        n_mels=state["encoder.conv1.weight"].shape[1], n_audio_ctx=audio_ctx, n_audio_state=audio_state,
        n_audio_head=audio_state // HEAD, n_audio_layer=layers_of(state, "encoder"),
        n_vocab=state["decoder.token_embedding.weight"].shape[0], n_text_ctx=text_ctx, n_text_state=text_state,
        n_text_head=text_state // HEAD, n_text_layer=layers_of(state, "decoder"),
    )  # fmt: skip
    model = whisper.model.Whisper(dims)
    missing, unexpected = model.load_state_dict({n: torch.from_numpy(t) for n, t in state.items()}, strict=False)
    if unexpected or set(missing) - {"alignment_heads"}:
        raise SettingError(f"TRANSCRIBER_MODEL_DIR: {model_dir} does not hold a whole Whisper")
    config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
    heads = config.get("alignment_heads")
    if heads:
        mask = np.zeros((dims.n_text_layer, dims.n_text_head), dtype=bool)
        for layer, head in heads:
            mask[layer, head] = True
        model.register_buffer("alignment_heads", torch.from_numpy(mask).to_sparse(), persistent=False)
    return model
