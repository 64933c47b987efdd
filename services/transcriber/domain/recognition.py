"""The engine port: what is asked of a speech recognizer and what it answers.

An engine is given one stretch of one leg's audio and knows nothing of calls, clocks or revisions. All times
it answers are milliseconds from the first sample it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable


class Quality(StrEnum):
    """How much care a decode is worth: a partial is soon replaced, a final is kept, one in doubt is heard again."""

    PARTIAL = "partial"
    FINAL = "final"
    AGAIN = "again"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecognitionRequest:
    """One decode. ``pcm16`` is little-endian signed 16-bit mono at ``rate_hz``.

    ``language`` is the leg's where it is known (ISO 639-1), empty where the engine is to find out; then ``languages``
    are those it may be, none where the engine's own are meant. ``hot_words`` are names and terms to expect, None where
    the engine's own are meant. ``before`` is what the same speaker said before, utterance by utterance, the oldest
    first: an engine that hears this one ``AGAIN`` may listen to it. ``draft`` is an earlier answer's ``trace`` for less
    of the same speech: it may make this one cheaper, and of a final changes nothing.
    """

    pcm16: bytes
    rate_hz: int
    quality: Quality
    language: str = ""
    languages: tuple[str, ...] = ()
    hot_words: str | None = None
    draft: object = None
    before: tuple[bytes, ...] = ()

    @property
    def duration_ms(self) -> int:
        """Length of the audio."""
        return len(self.pcm16) // 2 * 1000 // self.rate_hz

    def words_to_expect(self, set_for_all: str) -> str:
        """The request's names and terms, or the engine's where it says none."""
        return set_for_all if self.hot_words is None else self.hot_words


@dataclass(frozen=True, slots=True)
class RecognizedWord:
    """One written word with its times from the start of the request's audio, and its probability (0 to 1)."""

    text: str
    start_ms: int
    end_ms: int
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """What was heard. ``no_speech`` is the model's probability that nobody spoke.

    Where a final is ``doubtful``, the engine is to be asked ``AGAIN``. The word times of a partial and of what is in
    doubt are estimates; those of a final come from the model. ``language`` is the one decoded in,
    ``language_probability`` what the engine gave it, 0 where it was told. ``trace`` is the engine's own: what helps
    it to hear more of the same speech.
    """

    words: tuple[RecognizedWord, ...] = ()
    no_speech: float = 0.0
    mean_log_probability: float = 0.0
    doubtful: bool = False
    second_look: bool = False
    full_window: bool = False
    language: str = "en"
    language_probability: float = 0.0
    trace: object = field(default=None, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The words joined by single spaces."""
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """Which engine and weights made a transcript, and by which version of what; travels on every utterance."""

    name: str
    model: str
    version: str


def nothing() -> None:
    """There is nothing else to do."""


class Recognizer(Protocol):
    """Speech to words. ``recognize`` may be called from several threads at once.

    Raises ``Transient`` when the same request may succeed later, ``Fatal`` when the process cannot go on.
    """

    @property
    def identity(self) -> EngineIdentity:
        """Name, model and version of what decodes."""
        ...

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        """Decode one stretch of speech. ``between`` is called now and then where that takes long; may raise."""
        ...


@runtime_checkable
class BatchRecognizer(Recognizer, Protocol):
    """A ``Recognizer`` for which several decodes at once are cheaper than one after the other.

    What is answered to a request of quality ``final`` does not depend on what it shares a batch with.
    """

    def batch_key(self, request: RecognitionRequest) -> Hashable | None:
        """Requests with equal keys may share a batch, those with None do not."""
        ...

    def recognize_batch(self, requests: Sequence[RecognitionRequest]) -> list[Recognition]:
        """Decode all, and answer in their order."""
        ...
