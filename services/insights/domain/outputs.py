"""What insights says of a call. Ids derive from the call, the utterance and the rule or article behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.insights.domain.dynamics import Dynamics
from services.insights.domain.inputs import Direction, Role

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """A passage for the agent, with where it stands written."""

    suggestion_id: str
    title: str
    text: str
    confidence: float
    source: str
    passage: str
    url: str
    utterance_ids: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    latency_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """An insight: a sentiment, a category, or how the talk is shared."""

    insight_id: str
    kind: Literal["sentiment", "category", "dynamics"]
    at: datetime
    utterance_id: str
    role: Role
    sentiment: float = 0.0
    label: str = ""
    rule: str = ""
    dynamics: Dynamics | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerted:
    """Something for a supervisor."""

    alert_id: str
    severity: Severity
    rule: str
    category: str
    role: Role
    utterance_id: str
    agent_extension_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The row of the call."""

    at: datetime
    agent_extension_id: str
    direction: Direction
    started_at: datetime | None
    ended_at: datetime | None
    duration_ms: int
    outcome: str
    reason_for_call: str
    summary: str
    categories: tuple[str, ...]
    agent_sentiment: float
    customer_sentiment: float
    dynamics: Dynamics
    utterances: int
    words: int
    suggestions: int
    suggestions_accepted: int
    alerts: int
    transcript_complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """All that one input brought forth."""

    suggested: tuple[Suggested, ...] = ()
    learned: tuple[Learned, ...] = ()
    alerted: tuple[Alerted, ...] = ()
    summary: Summary | None = None

    def __bool__(self) -> bool:
        return bool(self.suggested or self.learned or self.alerted or self.summary)


NOTHING = Outputs()
