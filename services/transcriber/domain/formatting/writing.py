"""A revision's words as they are written, each still with its time, and its redactions moved along."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

from services.transcriber.domain.formatting.english import ENGLISH
from services.transcriber.domain.formatting.french import FRENCH
from services.transcriber.domain.formatting.row import Row, Rule, written
from services.transcriber.domain.redaction import SafeText, TimedWord

RULES: dict[str, tuple[Rule, ...]] = {"en": ENGLISH, "fr": FRENCH}


@dataclass(frozen=True, slots=True)
class Written:
    """What is published: ``spoken`` is the text before the rules, as far as it is shown."""

    safe: SafeText
    spoken: str


def write(safe: SafeText, language: str, *, final: bool) -> Written:
    """Write words in a language's manner; in another language they stay as they are.

    A partial may end earlier than its words do, never differently: what it shows, later revisions of the same words
    show too.
    """
    rules = RULES.get(language.split("-")[0])
    if rules is None:
        return Written(safe, safe.text)
    pieces = written(Row([word.text for word in safe.words], ended=final), rules)
    stop = pieces[-1][1].stop if pieces else 0
    words = tuple(_word(safe.words[first : piece.stop], piece.text) for first, piece in pieces)
    starts = _starts(safe.words)
    new_starts = {starts[first]: new for (first, _), new in zip(pieces, _starts(words), strict=True)}
    redactions = tuple(
        replace(hidden, start=new_starts[hidden.start], end=new_starts[hidden.start] + hidden.end - hidden.start)
        for hidden in safe.redactions
        if hidden.start in new_starts
    )
    return Written(SafeText(words, redactions), " ".join(word.text for word in safe.words[:stop]))


def _word(words: tuple[TimedWord, ...], text: str) -> TimedWord:
    return TimedWord(text, words[0].start_ms, words[-1].end_ms, min(word.confidence for word in words))


def _starts(words: tuple[TimedWord, ...]) -> list[int]:
    """Where each word begins in the text."""
    return [0, *accumulate(len(word.text) + 1 for word in words)][: len(words)]
