"""Nothing private is published: a leg's words go through here, partials included.

A final whose last words may be the beginning of a card is held until the leg's next words, or ``hold_ms`` without
digits, have settled it. A partial ends before such words. So at most ``numbers.SHOWN_DIGITS`` leading digits of a
number that is hidden later are ever seen, also where it is read out over several utterances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from services.transcriber.domain.digits import hear
from services.transcriber.domain.numbers import Numbers, Secret, Span, find

T = TypeVar("T")

MARKS = {Secret.PAYMENT_CARD: "[payment card]", Secret.OTHER: "[number]"}
CONTEXT_WORDS = 60
LIKELY_TO_CHANGE = 2
_TRAILING = ".,;:!?"


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word on the call's media clock."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Redaction:
    """Characters ``start`` to ``end`` of the text stand for something hidden that was spoken in between the times."""

    secret: Secret
    start: int
    end: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SafeText:
    """Words fit to be shown, and what was hidden in them."""

    words: tuple[TimedWord, ...] = ()
    redactions: tuple[Redaction, ...] = ()

    @property
    def text(self) -> str:
        """The words joined by single spaces; redactions count characters of it."""
        return " ".join(word.text for word in self.words)

    @property
    def confidence(self) -> float:
        """Mean of the words' confidence; 0 without words."""
        return sum(word.confidence for word in self.words) / len(self.words) if self.words else 0.0


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """A final that waits for what follows."""

    subject: T
    words: tuple[TimedWord, ...]
    end_ms: int


@dataclass(slots=True)
class RedactionStream(Generic[T]):
    """One leg's redaction. ``T`` is what the caller wants back with the words, an utterance for instance."""

    hold_ms: int = 4_000
    _before: tuple[TimedWord, ...] = ()
    _held: list[Held[T]] = field(default_factory=list)
    _upcoming: tuple[TimedWord, ...] | None = None

    @property
    def holding(self) -> bool:
        """Whether finals wait."""
        return bool(self._held)

    def partial(self, words: Sequence[TimedWord]) -> SafeText:
        """What may be shown of an utterance that is still being spoken."""
        context = self._context()
        self._upcoming = tuple(words)
        numbers = find([word.text for word in (*context, *words)])
        stop = len(words)
        if numbers.hold_first is not None:
            stop = max(0, numbers.hold_first - len(context))
        return _hide(words[:stop], numbers.spans, len(context))

    def final(self, subject: T, words: Sequence[TimedWord], end_ms: int) -> list[tuple[T, SafeText]]:
        """Take a final, in the order of speech; what may be published now comes back, oldest first."""
        self._held.append(Held(subject, tuple(words), end_ms))
        self._upcoming = None
        numbers = self._find()
        if numbers.hold_first is not None:
            return []
        return self._release(numbers)

    def settle(self, now_ms: int, *, speaking: bool) -> list[tuple[T, SafeText]]:
        """Let go of what can be: the number was not gone on with, or not for long enough.

        ``now_ms`` is the media time heard so far; ``speaking`` whether an utterance is open, whose newest partial
        tells if it goes on with digits.
        """
        if not self._held:
            return []
        context, numbers = self._context(), self._find()
        waited_ms = now_ms - context[numbers.open_stop - 1].end_ms
        if not speaking:
            return self._release(numbers) if waited_ms >= self.hold_ms else []
        if self._upcoming is None:
            return []
        # The last words of a partial may still change.
        likely = find([word.text for word in (*context, *self._upcoming[:-LIKELY_TO_CHANGE])])
        followed = likely.hold_first is None
        unrelated = waited_ms >= self.hold_ms and not any(h.digits for h in hear([w.text for w in self._upcoming]))
        # What follows may have made a card of it; where the number began is for the held words to say.
        return self._release(replace(numbers, spans=likely.spans)) if followed or unrelated else []

    def flush(self) -> list[tuple[T, SafeText]]:
        """Nothing follows: let go of everything."""
        return self._release(self._find()) if self._held else []

    def _context(self) -> list[TimedWord]:
        return [*self._before, *(word for held in self._held for word in held.words)]

    def _find(self) -> Numbers:
        return find([word.text for word in self._context()])

    def _release(self, numbers: Numbers) -> list[tuple[T, SafeText]]:
        context = self._context()
        out: list[tuple[T, SafeText]] = []
        at = len(self._before)
        for held in self._held:
            out.append((held.subject, _hide(held.words, numbers.spans, at)))
            at += len(held.words)
        self._held.clear()
        self._before = ()
        if numbers.open_first is not None:
            self._before = tuple(context[numbers.open_first :][-CONTEXT_WORDS:])
        return out


def _hide(words: Sequence[TimedWord], spans: Sequence[Span], offset: int) -> SafeText:
    """The words with each span's replaced by its mark; ``offset`` is the place of the first in the spans' row."""
    out: list[TimedWord] = []
    redactions: list[Redaction] = []
    length = 0
    index = 0
    while index < len(words):
        span = next((s for s in spans if s.first <= index + offset < s.stop), None)
        if span is None:
            word = words[index]
            index += 1
        else:
            stop = min(span.stop - offset, len(words))
            last = words[stop - 1]
            mark = MARKS[span.secret]
            redactions.append(Redaction(span.secret, length, length + len(mark), words[index].start_ms, last.end_ms))
            confidence = min(word.confidence for word in words[index:stop])
            end_mark = last.text[-1] if last.text[-1:] in _TRAILING else ""
            word = TimedWord(mark + end_mark, words[index].start_ms, last.end_ms, confidence)
            index = stop
        out.append(word)
        length += len(word.text) + 1
    return SafeText(tuple(out), tuple(redactions))
