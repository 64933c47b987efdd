"""Word error rate against known words, and speakers who were taken for each other.

WER is jiwer's, over texts normalized as the Whisper authors do (EnglishTextNormalizer: case, punctuation, digits
and contractions do not count). Marks such as `[payment card]` are dropped by it, as is what they stand for from
the reference, so that hiding a number costs nothing and showing one counts as an error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache

import jiwer
from whisper_normalizer.english import EnglishTextNormalizer

from services.cli.domain.conversation import SPEAKERS, KnownWords, Speaker
from services.cli.domain.transcript import text_of
from services.contracts.records import Utterance

SWAP_WINDOW_MS = 1_500


@cache
def _normalizer() -> EnglishTextNormalizer:
    return EnglishTextNormalizer()


def word_error_rate(reference: str, hypothesis: str) -> float:
    """(substitutions + deletions + insertions) / reference words; 1.0 for an empty hypothesis."""
    wanted, found = comparable(reference), comparable(hypothesis)
    return float(jiwer.wer(wanted, found)) if wanted else float(bool(found))


def comparable(text: str) -> str:
    """Normalized; groups of digits are joined, since "5425 2334" and "54 25 23 34" were heard alike."""
    return re.sub(r"(?<=\d) (?=\d)", "", _normalizer()(text))


def error_rates(known: KnownWords, finals: Sequence[Utterance]) -> dict[Speaker, float]:
    """WER of each side."""
    return {s: round(word_error_rate(known.publishable[s], text_of(finals, s)), 4) for s in SPEAKERS}


def bare(text: str) -> str:
    """A word without case and punctuation."""
    return re.sub(r"[^\w']", "", text.lower())


def edge_words_present(known: KnownWords, finals: Sequence[Utterance]) -> dict[Speaker, dict[str, bool]]:
    """Whether each side's first and last known word stand at the start and the end of its transcript."""
    found = {}
    for speaker in SPEAKERS:
        words = [bare(w) for w in text_of(finals, speaker).split()]
        first, last = bare(known.words[speaker][0].text), bare(known.words[speaker][-1].text)
        found[speaker] = {"first": first in words[:3], "last": last in words[-3:]}
    return found


def swapped_speakers(known: KnownWords, finals: Sequence[Utterance], offset_ms: int) -> int:
    """Finals whose words are rather those of the other side at that time.

    `offset_ms` is where the conversation begins on the call's media clock.
    """
    swapped = 0
    for utterance in finals:
        said = Counter(bare(w) for w in (utterance.spoken_text or utterance.text).split())
        start, end = utterance.start_ms - offset_ms - SWAP_WINDOW_MS, utterance.end_ms - offset_ms + SWAP_WINDOW_MS
        matches: dict[str, int] = {}
        for speaker in SPEAKERS:
            near = Counter(bare(w.text) for w in known.words[speaker] if start <= w.start_ms and w.end_ms <= end)
            matches[speaker] = (said & near).total()
        own = matches.get(utterance.role, 0)
        swapped += utterance.role in SPEAKERS and max(matches.values()) > own
    return swapped


def aligned(first: Sequence[str], second: Sequence[str]) -> dict[int, int]:
    """Indices of equal words in both sequences, in order; of `first` to those of `second`."""
    matcher = SequenceMatcher(None, [bare(w) for w in first], [bare(w) for w in second], autojunk=False)
    return {b.a + i: b.b + i for b in matcher.get_matching_blocks() for i in range(b.size)}
