"""How the talk is shared: who spoke how long, both at once, nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Span = tuple[int, int]
"""From and to, in ms on the call's media clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dynamics:
    """Talk of both sides; `agent_share` is 0 to 1 of all attributed talk."""

    agent_talk_ms: int = 0
    customer_talk_ms: int = 0
    overtalk_ms: int = 0
    silence_ms: int = 0
    agent_share: float = 0.0


def measure(agent: Iterable[Span], customer: Iterable[Span], others: Iterable[Span] = ()) -> Dynamics:
    """From the spans of both sides; `others` (mixed or unknown speakers) only break the silence.

    Silence counts from the first word of the call to the last, holds included.
    """
    mine, theirs = merge(agent), merge(customer)
    agent_ms, customer_ms = _length(mine), _length(theirs)
    everyone = merge([*mine, *theirs, *others])
    talk_ms = agent_ms + customer_ms
    return Dynamics(
        agent_talk_ms=agent_ms,
        customer_talk_ms=customer_ms,
        overtalk_ms=talk_ms - _length(merge([*mine, *theirs])),
        silence_ms=everyone[-1][1] - everyone[0][0] - _length(everyone) if everyone else 0,
        agent_share=round(agent_ms / talk_ms, 3) if talk_ms else 0.0,
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


def _length(merged: Sequence[Span]) -> int:
    return sum(end - start for start, end in merged)
