"""When each word of a decode was said: from the decoder's cross-attention, or estimated by length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from faster_whisper.tokenizer import Tokenizer

from services.transcriber.adapters.runtime import STATES_PER_S, Alignment
from services.transcriber.domain.recognition import RecognizedWord


def aligned_words(
    tokenizer: Tokenizer, tokens: Sequence[int], aligned: Alignment, duration_ms: int
) -> tuple[RecognizedWord, ...]:
    """Each word within the audio, none before its forerunner."""
    spelled, groups = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    out: list[RecognizedWord] = []
    at = 0
    for text, group in zip(spelled[:-1], groups[:-1], strict=True):
        start_ms = aligned.starts[at] * 1000 // STATES_PER_S
        probability = float(np.mean(aligned.probabilities[at : at + len(group)] or [0.0]))
        at += len(group)
        end_ms = aligned.starts[at] * 1000 // STATES_PER_S
        start_ms, end_ms = min(start_ms, duration_ms), min(max(end_ms, start_ms), duration_ms)
        _add(out, RecognizedWord(text, start_ms, end_ms, probability))
    return tuple(out)


def spread_words(
    tokenizer: Tokenizer, tokens: Sequence[int], duration_ms: int, probability: float
) -> tuple[RecognizedWord, ...]:
    """Times in proportion to the words' length: good enough for a partial, and free."""
    spelled, _ = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
    lengths = np.cumsum([0, *(len(text) for text in spelled[:-1])])
    edges = (lengths * duration_ms // max(1, int(lengths[-1]))).tolist()
    out: list[RecognizedWord] = []
    for text, start_ms, end_ms in zip(spelled[:-1], edges, edges[1:], strict=False):
        _add(out, RecognizedWord(text, start_ms, end_ms, probability))
    return tuple(out)


def _add(words: list[RecognizedWord], word: RecognizedWord) -> None:
    """A word that begins with a space, or the first; the rest is punctuation, which has no time of its own."""
    if word.text.startswith(" ") or not words:
        if word.text.strip():
            words.append(RecognizedWord(word.text.strip(), word.start_ms, word.end_ms, word.probability))
        return
    last = words[-1]
    words[-1] = RecognizedWord(last.text + word.text.rstrip(), last.start_ms, last.end_ms, last.probability)
