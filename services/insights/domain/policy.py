"""The numbers that decisions turn on; settings fill them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Times in ms; those of the call itself run on its media clock."""

    min_confidence: float = 0.5
    """Below it nothing is suggested."""
    passage_cool_down_ms: int = 300_000
    """The same passage is not shown again within it."""
    article_cool_down_ms: int = 15_000
    """Nor another passage of the same article, unless it is clearly surer."""
    suggestion_life_ms: int = 120_000
    """After it a suggestion is of no use."""
    context_within_ms: int = 6_000
    """What the customer said so shortly before belongs to the question."""
    dynamics_every_ms: int = 10_000
    """Least time between two accounts of how the talk is shared."""
    digest_every_ms: int = 15_000
    """Least time between two accounts of the call so far."""
    not_said_lag_ms: int = 8_000
    """How long after a negative rule's time the transcript of that time is waited for."""
    heard_within_ms: int = 10_000
    """A call first heard later than that after a negative rule's time began is not judged by it."""
    summary_grace_ms: int = 20_000
    """How long after the end of a call its transcript is waited for."""
    keep_closed_ms: int = 3_600_000
    """How long a summed-up call is remembered, so that a late record does not begin it anew."""
    keep_open_ms: int = 86_400_000
    """How long a call of which nothing is heard any more is remembered."""
    model_suggestion_ms: int = 0
    """How long a language model may take to word a suggestion; 0: none is asked."""
    model_summary_ms: int = 0
    """The same for a summary."""
