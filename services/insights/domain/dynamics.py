"""How the talk is shared: who spoke how long and how fast, both at once, nobody, who broke in, and holds.

Everything is measured on the call's media clock, from stretches of speech (words less than 0.7 s apart) and holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Span = tuple[int, int]
"""From and to, in ms on the call's media clock."""
BREAKS_IN_AFTER_MS = 300
"""Who begins sooner than that after the other has merely begun at the same time."""
BREAKS_IN_FOR_MS = 600
"""Both speak for so long at least: less is a "yes" or "mhm" that leaves the turn where it is."""
TURN_MS = 1_000
"""Talk of that length breaks the other's monologue."""
LONG_OVERTALK_MS, LONG_SILENCE_MS = 1_000, 5_000
"""From there on they stand on the timeline."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the timeline."""

    kind: Literal["hold", "overtalk", "silence"]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamics:
    """Talk of both sides. Shares are 0 to 1 of all attributed talk; silence and monologues leave holds out."""

    agent_talk_ms: int = 0
    customer_talk_ms: int = 0
    overtalk_ms: int = 0
    silence_ms: int = 0
    agent_share: float = 0.0
    customer_share: float = 0.0
    agent_interruptions: int = 0
    customer_interruptions: int = 0
    longest_silence_ms: int = 0
    holds: int = 0
    hold_ms: int = 0
    agent_words_per_minute: int = 0
    customer_words_per_minute: int = 0
    agent_longest_monologue_ms: int = 0
    customer_longest_monologue_ms: int = 0
    timeline: tuple[Stretch, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One side's stretches of speech, and its words."""

    spans: Sequence[Span] = ()
    words: int = 0


def measure(agent: Talk, customer: Talk, others: Iterable[Span] = (), holds: Iterable[Span] = ()) -> Dynamics:
    """From both sides' talk; `others` (mixed or unknown speakers) only break the silence.

    Silence counts from the first word of the call to the last.
    """
    mine, theirs, held = merge(agent.spans), merge(customer.spans), merge(holds)
    agent_ms, customer_ms = length(mine), length(theirs)
    both = _overlap(mine, theirs)
    everyone = merge([*mine, *theirs, *others])
    quiet = _between(everyone, held)
    talk_ms = agent_ms + customer_ms
    timeline = [
        *(Stretch("hold", start, end) for start, end in held),
        *(Stretch("overtalk", start, end) for start, end in both if end - start >= LONG_OVERTALK_MS),
        *(Stretch("silence", start, end) for start, end in quiet if end - start >= LONG_SILENCE_MS),
    ]
    return Dynamics(
        agent_talk_ms=agent_ms,
        customer_talk_ms=customer_ms,
        overtalk_ms=length(both),
        silence_ms=length(quiet),
        agent_share=round(agent_ms / talk_ms, 3) if talk_ms else 0.0,
        customer_share=round(customer_ms / talk_ms, 3) if talk_ms else 0.0,
        agent_interruptions=_breaks_in(mine, theirs),
        customer_interruptions=_breaks_in(theirs, mine),
        longest_silence_ms=max((end - start for start, end in quiet), default=0),
        holds=len(held),
        hold_ms=length(held),
        agent_words_per_minute=_pace(agent.words, agent_ms),
        customer_words_per_minute=_pace(customer.words, customer_ms),
        agent_longest_monologue_ms=_monologue(mine, theirs),
        customer_longest_monologue_ms=_monologue(theirs, mine),
        timeline=tuple(sorted(timeline, key=lambda stretch: (stretch.start_ms, stretch.kind))),
    )


def merge(spans: Iterable[Span]) -> list[Span]:
    """The spans in order, those that touch made one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif end > start:
            merged.append((start, end))
    return merged


def length(merged: Iterable[Span]) -> int:
    """Of spans that do not overlap, together."""
    return sum(end - start for start, end in merged)


def _overlap(first: Sequence[Span], second: Sequence[Span]) -> list[Span]:
    found = []
    at = 0
    for start, end in first:
        while at < len(second) and second[at][1] <= start:
            at += 1
        for other_start, other_end in second[at:]:
            if other_start >= end:
                break
            found.append((max(start, other_start), min(end, other_end)))
    return found


def _between(talk: Sequence[Span], held: Sequence[Span]) -> list[Span]:
    """Where neither talk nor hold is, between the first word and the last."""
    if not talk:
        return []
    filled = merge([*talk, *held])
    first, last = talk[0][0], talk[-1][1]
    gaps = ((a[1], b[0]) for a, b in itertools.pairwise(filled))
    return [(max(start, first), min(end, last)) for start, end in gaps if start < last and end > first]


def _breaks_in(one: Sequence[Span], other: Sequence[Span]) -> int:
    count = 0
    at = 0
    for start, end in one:
        while at < len(other) and other[at][1] <= start:
            at += 1
        if at < len(other):
            other_start, other_end = other[at]
            count += other_start + BREAKS_IN_AFTER_MS <= start and min(end, other_end) - start >= BREAKS_IN_FOR_MS
    return count


def _monologue(one: Sequence[Span], other: Sequence[Span]) -> int:
    """The most talk of one side between two turns of the other."""
    turns = [span for span in other if span[1] - span[0] >= TURN_MS]
    longest = talk_ms = 0
    at = 0
    for start, end in one:
        before = at
        while at < len(turns) and turns[at][0] < start:
            at += 1
        talk_ms = end - start if at != before else talk_ms + end - start
        longest = max(longest, talk_ms)
    return longest


def _pace(words: int, talk_ms: int) -> int:
    return round(words * 60_000 / talk_ms) if talk_ms >= TURN_MS else 0
