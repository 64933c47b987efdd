"""Nothing private is published: a leg's words go through here, partials included.

A final whose last words may be the beginning of something private is held until the leg's next words, or ``hold_ms``
without any, have settled it. A partial ends before such words. So of what is hidden later no part is ever seen, also
where it is read out over several utterances; the exception is a number that begins without anything announcing it,
and goes on only after a pause longer than ``hold_ms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.transcriber.domain.cues import Asked
from services.transcriber.domain.finding import Findings, find
from services.transcriber.domain.policy import Policy
from services.transcriber.domain.secret import Secret, Span, speech

T = TypeVar("T")

LIKELY_TO_CHANGE = 2
"""Words at a partial's end that the next one may hear otherwise."""
ASKED_LATELY = 8
"""So many words after a question may still be part of it."""
PHRASE_WORDS = 4
KEPT_WORDS = 60
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


@dataclass(slots=True)
class RedactionStream(Generic[T]):
    """One leg's redaction. ``T`` is what the caller wants back with the words, an utterance for instance."""

    hold_ms: int = 4_000
    policy: Policy = field(default_factory=Policy)
    language: str = "en"
    """What is spoken: number words are heard in it. May change as the leg's language gets known."""
    asks: Asked | None = None
    """The topic open after the last published final: for the other leg to ``answer``, for a successor to ``go_on``."""
    _asked: Asked | None = None
    _before: tuple[str, ...] = ()
    _kept: tuple[TimedWord, ...] = ()
    _held: list[Held[T]] = field(default_factory=list)
    _upcoming: tuple[TimedWord, ...] | None = None

    @property
    def holding(self) -> bool:
        """Whether finals wait."""
        return bool(self._held)

    def go_on(self, asked: Asked | None) -> None:
        """Take up from where another worker stopped."""
        self._asked = self.asks = asked

    def answer(self, asked: Asked | None) -> None:
        """What follows may answer this, which the other leg asked for; None where it asked for nothing."""
        if asked is None or asked.age > ASKED_LATELY or asked.follows_number:
            return
        # A mention there ("your account") takes nothing from what was announced here.
        if asked.strong or self.asks is None or not self.asks.strong:
            self._asked = self.asks = Asked(asked.topic, asked.strong)

    def partial(self, words: Sequence[TimedWord]) -> SafeText:
        """What may be shown of an utterance that is still being spoken."""
        context = self._context()
        self._upcoming = tuple(words)
        stop = len(words)
        # The last word may yet be heard otherwise, so it settles nothing.
        found = self._find([*context, *words[:-1]])
        if found.hold_first is None:
            found = self._find([*context, *words])
        if found.hold_first is not None:
            hold = found.hold_first
            # A span's mark may stand while more of it is to come.
            hold = next((s.stop for s in self._hidden(found) if s.first <= hold < s.stop and s.telling), hold)
            stop = max(0, hold - len(context))
        return self._hide(words[:stop], found, len(context), final=False)

    def final(self, subject: T, words: Sequence[TimedWord]) -> list[tuple[T, SafeText]]:
        """Take a final, in the order of speech; what may be published now comes back, oldest first."""
        self._held.append(Held(subject, tuple(words)))
        self._upcoming = None
        return self._release(self._find(self._context()))

    def settle(self, now_ms: int, *, speaking: bool) -> list[tuple[T, SafeText]]:
        """Let go of what can be: it was not gone on with, or not for long enough.

        ``now_ms`` is the media time heard so far; ``speaking`` whether an utterance is open, whose newest partial
        tells if it goes on.
        """
        if not self._held:
            return []
        context = self._context()
        found = self._find(context)
        waited = found.open_stop == 0 or now_ms - context[found.open_stop - 1].end_ms >= self.hold_ms
        if not speaking:
            return self._release(self._find(context, ended=True)) if waited else []
        if self._upcoming is None:
            return []
        out = self._release(self._find([*context, *self._upcoming[:-LIKELY_TO_CHANGE]]))
        if self._held and waited and self._no_digits(self._upcoming):
            out += self.flush()
        return out

    def flush(self) -> list[tuple[T, SafeText]]:
        """Nothing follows: let go of everything."""
        return self._release(self._find(self._context(), ended=True)) if self._held else []

    def _context(self) -> list[TimedWord]:
        return [*self._kept, *(word for held in self._held for word in held.words)]

    def _find(self, words: Sequence[TimedWord], *, ended: bool = False) -> Findings:
        texts = [word.text for word in words]
        return find(texts, self._asked, self._before, ended=ended, language=self.language)

    def _no_digits(self, words: Sequence[TimedWord]) -> bool:
        heard = speech([word.text for word in words], None, (), ended=False, language=self.language).heard
        return not any(word.digits for word in heard)

    def _release(self, found: Findings) -> list[tuple[T, SafeText]]:
        """The finals that end before the first word that is waited for."""
        out: list[tuple[T, SafeText]] = []
        context = self._context()
        at = len(self._kept)
        while self._held and (found.wait_first is None or at + len(self._held[0].words) <= found.wait_first):
            held = self._held.pop(0)
            out.append((held.subject, self._hide(held.words, found, at, final=True)))
            at += len(held.words)
        if out:
            needed = max(found.needed_from(at), at - KEPT_WORDS)
            self._asked, self.asks = found.asked_after(needed), found.asked_after(at)
            self._before = (*self._before, *found.speech.raw[:needed])[-PHRASE_WORDS:]
            self._kept = tuple(context[needed:at])
        return out

    def _hidden(self, found: Findings) -> list[Span]:
        return [span for span in found.spans if self.policy.hides(span.secret)]

    def _hide(self, words: Sequence[TimedWord], found: Findings, offset: int, *, final: bool) -> SafeText:
        """The words with each span's replaced by its mark; ``offset`` is the first's place in what was searched."""
        pieces = {first: (stop, span) for first, stop, span in _pieces(found, self._hidden(found), offset, len(words))}
        out: list[TimedWord] = []
        redactions: list[Redaction] = []
        length = index = 0
        while index < len(words):
            word = words[index]
            stop, span = pieces.get(index, (index + 1, None))
            if span is not None:
                # A partial's number may not be whole yet, so that its last digits would be its first.
                whole = final and span.stop - offset <= len(words)
                mark = self.policy.mark(span.secret, span.digits if whole else "")
                last = words[stop - 1]
                redactions.append(Redaction(span.secret, length, length + len(mark), word.start_ms, last.end_ms))
                confidence = min(w.confidence for w in words[index:stop])
                end_mark = last.text[-1] if last.text[-1:] in _TRAILING else ""
                word = TimedWord(mark + end_mark, word.start_ms, last.end_ms, confidence)
            index = stop
            out.append(word)
            length += len(word.text) + 1
        return SafeText(tuple(out), tuple(redactions))


def _pieces(found: Findings, spans: Sequence[Span], offset: int, size: int) -> list[tuple[int, int, Span]]:
    """Each span's part in the words from ``offset``, without the fillers ("okay") where it is cut off."""
    out: list[tuple[int, int, Span]] = []
    for span in spans:
        first, stop = max(span.first, offset), min(span.stop, offset + size)
        while span.digits.isdecimal() and first < stop and found.speech.mere_filler(first):
            first += 1
        while span.digits.isdecimal() and first < stop and found.speech.mere_filler(stop - 1):
            stop -= 1
        if first < stop:
            out.append((first - offset, stop - offset, span))
    return out
