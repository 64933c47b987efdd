"""What of a leg must not be heard in the recording: the transcript says what it hid, and when it was spoken.

A leg whose transcript is whole is muted where something was hidden. Where it is not (no transcriber, a leg that
failed), nobody knows what was said outside the finals that came, so all of that is muted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, get_args

Kind = Literal[
    "payment_card",
    "bank_account",
    "iban",
    "social_security",
    "tax_number",
    "phone",
    "email",
    "date_of_birth",
    "other",
    "untranscribed",
]
UNTRANSCRIBED: Final[Kind] = "untranscribed"
KINDS: frozenset[Kind] = frozenset(get_args(Kind)) - {UNTRANSCRIBED}


@dataclass(frozen=True, slots=True)
class Muted:
    """A stretch of the call's media clock, and what was said in it."""

    kind: Kind
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class SpokenFinal:
    """A finished utterance: when it was spoken and what was hidden in it."""

    start_ms: int
    end_ms: int
    hidden: tuple[Muted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTranscript:
    """What is known of one leg's words. ``utterances`` is how many finals there are, known at the leg's end."""

    finals: Mapping[str, SpokenFinal] = field(default_factory=dict)
    utterances: int | None = None
    complete: bool = False

    @property
    def ended(self) -> bool:
        """Whether all its finals are here and no more will come, however the leg ended."""
        return self.utterances is not None and len(self.finals) >= self.utterances

    def with_final(self, utterance_id: str, final: SpokenFinal) -> LegTranscript:
        """Take a final; one that comes again changes nothing."""
        return replace(self, finals={**self.finals, utterance_id: final})

    def with_end(self, utterances: int, *, complete: bool) -> LegTranscript:
        """Take the leg's end, which may be read before its last finals."""
        return replace(self, utterances=utterances, complete=complete)


def to_mute(
    transcript: LegTranscript, span_ms: tuple[int, int], *, kinds: frozenset[Kind], margin_ms: int
) -> tuple[Muted, ...]:
    """What to mute of a leg that lies at ``span_ms``, in order, without overlaps.

    Words' times are about a tenth of a second true, so ``margin_ms`` more goes on either side.
    """
    start, end = span_ms
    spans = [
        Muted(hidden.kind, hidden.start_ms - margin_ms, hidden.end_ms + margin_ms)
        for final in transcript.finals.values()
        for hidden in final.hidden
        if hidden.kind in kinds
    ]
    if kinds and not (transcript.complete and transcript.ended):
        spans += _uncovered(transcript.finals.values(), start, end)
    return _apart([Muted(s.kind, max(s.start_ms, start), min(s.end_ms, end)) for s in spans])


def read_kinds(text: str) -> frozenset[Kind]:
    """The kinds that a setting names: ``all``, ``none`` or some of them. Raises ValueError for others."""
    names = {name.strip() for name in text.split(",")} - {""}
    if names == {"all"}:
        return KINDS
    if names == {"none"}:
        return frozenset()
    if not names or names - KINDS:
        raise ValueError(f"must be all, none or some of {', '.join(sorted(KINDS))}")
    return frozenset(kind for kind in KINDS if kind in names)


def _uncovered(finals: Iterable[SpokenFinal], start_ms: int, end_ms: int) -> list[Muted]:
    out: list[Muted] = []
    for final in sorted(finals, key=lambda final: final.start_ms):
        if final.start_ms > start_ms:
            out.append(Muted(UNTRANSCRIBED, start_ms, final.start_ms))
        start_ms = max(start_ms, final.end_ms)
    return [*out, Muted(UNTRANSCRIBED, start_ms, end_ms)] if start_ms < end_ms else out


def _apart(spans: Sequence[Muted]) -> tuple[Muted, ...]:
    out: list[Muted] = []
    for span in sorted((s for s in spans if s.start_ms < s.end_ms), key=lambda s: (s.start_ms, s.end_ms)):
        if out and span.start_ms <= out[-1].end_ms:
            out[-1] = replace(out[-1], end_ms=max(out[-1].end_ms, span.end_ms))
        else:
            out.append(span)
    return tuple(out)
