"""Nothing private is published: a leg's words go through here, partials included.

A final whose last words may be the beginning of something private is held until the leg's next words have settled it,
or until it is known that they come more than ``hold_ms`` later: what goes on after such a pause is not one with what
was before. A partial ends before such words. So of what is hidden later no part is ever seen, also where it is read
out over several utterances; the exception is a number that begins without anything announcing it, and goes on only
after a pause longer than ``hold_ms``.

What is hidden depends on the words of the finals, on their times and on what other legs asked for before each of
them; when all that became known makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from services.transcriber.domain.cues import PHRASE_WORDS, Ask, Asked, Topic, begun
from services.transcriber.domain.digits import MARKS, plain_word
from services.transcriber.domain.finding import Findings, find
from services.transcriber.domain.policy import Policy
from services.transcriber.domain.secret import Secret, Span

T = TypeVar("T")

ANSWER_LEAD_MS = 500
"""So long before the end of a question its answer may begin, and so far may the times of words of two legs be off."""
CONNECTED_MS = 60_000
"""Whatever has been going on for longer is let go of where words are published, but for its topic."""
KEPT_WORDS = 60


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
    """What is spoken: number words are heard in it. May change with each final."""
    asks: Asked | None = None
    """The topic open after the last published final. Where ``clean``, a successor needs no more to ``go_on``."""
    question: Ask | None = None
    """What the last final taken asks the other legs of the call for."""
    _asked: Asked | None = None
    _before: tuple[str, ...] = ()
    _kept: tuple[TimedWord, ...] = ()
    _held: list[Held[T]] = field(default_factory=list)
    _asides: list[tuple[int, Ask]] = field(default_factory=list)
    _since_ms: int = 0
    _until_ms: int = 0

    @property
    def holding(self) -> bool:
        """Whether finals wait."""
        return bool(self._held)

    @property
    def clean(self) -> bool:
        """Whether no published word matters any more to those that follow, but for the topic."""
        return not self._kept and not self._before

    def go_on(self, asked: Asked | None) -> None:
        """Take up from where another worker was ``clean``."""
        self._asked = self.asks = asked

    def answer(self, ask: Ask) -> None:
        """What follows may answer this. Only where the stream is ``clean`` and holds nothing."""
        self._asked = self.asks = _answered(self._asked, ask)

    def partial(
        self, words: Sequence[TimedWord], asks: Sequence[Ask] = (), *, wary_ms: int | None = None, language: str = ""
    ) -> SafeText:
        """What may be shown of an utterance that is still being spoken.

        ``asks`` may be for it. Others may come of which only is known that they were not said before ``wary_ms``.
        """
        context = self._context()
        language = language or self.language
        asked, asides = self._placed(asks, words)
        stop = len(words)
        # The last word may yet be heard otherwise, so it settles nothing.
        found = _found([*context, *words[:-1]], asked, self._before, asides, language)
        if found.hold_first is None:
            found = _found([*context, *words], asked, self._before, asides, language)
        if found.hold_first is not None:
            hold = found.hold_first
            # A span's mark may stand while more of it is to come.
            hold = next((s.stop for s in self._hidden(found) if s.first <= hold < s.stop and s.telling), hold)
            stop = max(0, hold - len(context))
        if wary_ms is not None:
            first = _index(words, wary_ms)
            private = _private_if_asked([*context, *words], asked, self._before, asides, len(context) + first, language)
            stop = min(stop, max(0, private - len(context)))
        return self._hide(words[:stop], found, len(context), final=False)

    def final(
        self, subject: T, words: Sequence[TimedWord], asks: Sequence[Ask] = (), *, language: str = ""
    ) -> list[tuple[T, SafeText]]:
        """Take a final, in the order of speech; what may be published now comes back, oldest first.

        ``asks`` are what other legs have asked for since the one before, as far as this one may answer it.
        """
        out = self.settle(words[0].start_ms) if words else []
        self.language = language or self.language
        self._asked, self._asides = self._placed(asks, words)
        if not self._context():
            self.asks = self._asked
        self._held.append(Held(subject, tuple(words)))
        context = self._context()
        found = self._find(context)
        cue = found.asks_for(len(context) - len(words))
        self.question = Ask(cue.topic, cue.strong, context[cue.stop - 1].end_ms) if cue is not None else None
        return out + self._release(found)

    def settle(self, until_ms: int) -> list[tuple[T, SafeText]]:
        """Let go of what the words to come do not belong to: they begin no earlier than ``until_ms``."""
        last_ms = next((held.words[-1].end_ms for held in reversed(self._held) if held.words), self._until_ms)
        nothing = not self._held and self.clean
        return [] if nothing or until_ms - last_ms < self.hold_ms else self.flush()

    def flush(self) -> list[tuple[T, SafeText]]:
        """Nothing follows, or nothing that belongs to what was before: let go of everything but the topic."""
        out = self._release(self._find(self._context(), ended=True)) if self._held else []
        self._forget()
        return out

    def _context(self) -> list[TimedWord]:
        return [*self._kept, *(word for held in self._held for word in held.words)]

    def _placed(self, asks: Sequence[Ask], words: Sequence[TimedWord]) -> tuple[Asked | None, list[tuple[int, Ask]]]:
        """The topic before the context, and what was asked for within it and the words that follow on it."""
        size = len(self._context())
        asked, asides = self._asked, list(self._asides)
        for ask in asks:
            index = size + _index(words, ask.at_ms)
            if index:
                asides.append((index, ask))
            else:
                asked = _answered(asked, ask)
        return asked, sorted(asides, key=lambda aside: aside[0])

    def _find(self, words: Sequence[TimedWord], *, ended: bool = False) -> Findings:
        return _found(words, self._asked, self._before, self._asides, self.language, ended=ended)

    def _release(self, found: Findings) -> list[tuple[T, SafeText]]:
        """The finals that end before the first word that is waited for."""
        out: list[tuple[T, SafeText]] = []
        context = self._context()
        at = len(self._kept)
        while self._held and (found.wait_first is None or at + len(self._held[0].words) <= found.wait_first):
            held = self._held.pop(0)
            out.append((held.subject, self._hide(held.words, found, at, final=True)))
            at += len(held.words)
        if out and at:
            self._until_ms = context[at - 1].end_ms
            if self.clean:
                self._since_ms = context[0].start_ms
            needed = max(found.needed_from(at), at - KEPT_WORDS)
            self._asked, self.asks = found.asked_after(needed), found.asked_after(at)
            before = [*self._before, *found.speech.raw[:needed]][-PHRASE_WORDS:]
            self._before = tuple(before[len(before) - begun([plain_word(word) for word in before]) :])
            self._kept = tuple(context[needed:at])
            self._asides = [(index - needed, ask) for index, ask in self._asides if index > needed]
            if self._until_ms - self._since_ms > CONNECTED_MS:
                self._forget()
        return out

    def _forget(self) -> None:
        kept = len(self._kept)
        self._asides = [(index - kept, ask) for index, ask in self._asides if index > kept]
        self._asked, self._kept, self._before = self.asks, (), ()

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
                end_mark = last.text[-1] if last.text[-1:] in MARKS else ""
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


def _found(
    words: Sequence[TimedWord],
    asked: Asked | None,
    before: Sequence[str],
    asides: Sequence[tuple[int, Ask]],
    language: str,
    *,
    ended: bool = False,
) -> Findings:
    return find([word.text for word in words], asked, before, asides=asides, ended=ended, language=language)


def _answered(asked: Asked | None, ask: Ask) -> Asked:
    """The topic after another leg's question. A mention there takes nothing from what was announced here."""
    if asked is not None and asked.strong and not ask.strong:
        return asked
    return Asked(ask.topic, ask.strong)


def _index(words: Sequence[TimedWord], asked_ms: int) -> int:
    """The first word that may answer what was asked for at a time."""
    return next((i for i, word in enumerate(words) if word.start_ms >= asked_ms - ANSWER_LEAD_MS), len(words))


def _private_if_asked(
    words: Sequence[TimedWord],
    asked: Asked | None,
    before: Sequence[str],
    asides: Sequence[tuple[int, Ask]],
    first: int,
    language: str,
) -> int:
    """The first word that may be hidden, should anything be asked for before any of the words from ``first`` on."""
    private = len(words)
    for topic in (Topic.CARD, Topic.BIRTH, Topic.IBAN, Topic.EMAIL):
        # An address begins behind its question, whatever is asked for within it.
        places = range(first, first + 1 if topic is Topic.EMAIL else len(words))
        supposed = sorted([*asides, *((at, Ask(topic, True, 0)) for at in places)], key=lambda aside: aside[0])
        found = _found(words, asked, before, supposed, language)
        firsts = [span.first for span in found.spans if span.stop > first]
        private = min([private, *firsts, *([found.hold_first] if found.hold_first is not None else [])])
    return private
