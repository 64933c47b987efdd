"""All secrets in a row of words, and from where on the words at its end must be kept back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.transcriber.domain.cues import Ask, Asked, Cue, carried, governing
from services.transcriber.domain.dates import find_dates
from services.transcriber.domain.emails import find_emails
from services.transcriber.domain.ibans import find_ibans
from services.transcriber.domain.numbers import find_numbers
from services.transcriber.domain.secret import Span, Speech, Tail, speech

ASKED_LATELY = 8
"""So many words after a question may still be part of it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """``hold_first`` is the first word that no partial may show yet (but for the mark of a span).

    ``wait_first`` is the first word that a final waits for.
    """

    spans: tuple[Span, ...]
    hold_first: int | None
    wait_first: int | None
    tails: tuple[Tail, ...]
    speech: Speech

    def needed_from(self, stop: int) -> int:
        """Where the words before ``stop`` begin that what follows may be one with."""
        across = [first for first, last in self.speech.units if first < stop < last]
        return min([stop, *across, *(tail.first for tail in self.tails)])

    def asked_after(self, stop: int) -> Asked | None:
        """The topic that is still open after the words before ``stop``."""
        return carried(self.speech.plain, self.speech.cues_at(stop), stop)

    def asks_for(self, first: int) -> Cue | None:
        """What the words from ``first`` on ask somebody else for."""
        size = self.speech.size
        cue = governing(self.speech.cues_at(size), size)
        if cue is None or cue.other or cue.follows_number or cue.stop <= first or size - cue.stop > ASKED_LATELY:
            return None
        return cue


def find(
    words: Sequence[str],
    asked: Asked | None = None,
    before: Sequence[str] = (),
    *,
    asides: Sequence[tuple[int, Ask]] = (),
    ended: bool = False,
    language: str = "en",
) -> Findings:
    """Look through the words of one leg that are not published yet.

    ``asked`` is the topic open before them, ``before`` the last words published, ``asides`` what other legs asked for,
    each before a word. With ``ended`` nothing follows, and what is unfinished is judged as it stands.
    """
    heard = speech(words, asked, before, asides=asides, ended=ended, language=language)
    spans: list[Span] = []
    tails: list[Tail] = []
    for detect in (find_emails, find_ibans, find_dates, find_numbers):
        some, open_ends = detect(heard)
        spans.extend(some)
        tails.extend(open_ends)
    spans.sort(key=lambda span: span.first)
    tails = [] if ended else tails
    firm = [tail for tail in tails if tail.firm]
    return Findings(
        spans=tuple(_apart(spans)),
        hold_first=min((tail.first for tail in tails), default=None),
        wait_first=min((tail.first for tail in firm), default=None),
        tails=tuple(tails),
        speech=heard,
    )


def _apart(spans: Sequence[Span]) -> list[Span]:
    """Overlapping spans as one of the first's kind."""
    out: list[Span] = []
    for span in spans:
        if out and span.first < out[-1].stop:
            last = out[-1]
            out[-1] = Span(last.first, max(last.stop, span.stop), last.secret, last.digits)
        else:
            out.append(span)
    return out
