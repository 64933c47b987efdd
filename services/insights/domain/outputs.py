"""What insights says of a call. Ids derive from the call, the utterance and the rule or article behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.insights.domain.digest import Digest, Result
from services.insights.domain.dynamics import Dynamics
from services.insights.domain.inputs import Direction, Role
from services.insights.domain.sentiment import Point

Severity = Literal["info", "warning", "critical"]
Kind = Literal["knowledge", "rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A passage of an article, or a rule's own text."""

    source: str
    title: str
    section: str
    passage: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """Help for the agent, with where it stands written. `source` is the article or rule that it is counted under."""

    suggestion_id: str
    kind: Kind
    source: str
    title: str
    text: str
    confidence: float
    cited: tuple[Cited, ...]
    utterance_ids: tuple[str, ...]
    at_ms: int
    created_at: datetime
    expires_at: datetime
    published_at: datetime
    """When the utterance that prompted it was published: what the latency is counted from."""
    by_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """A step of the checklist as it stands."""

    name: str
    title: str
    status: Literal["open", "done", "missed"] = "open"
    at: datetime | None = None
    at_ms: int | None = None
    utterance_id: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """An insight: a sentiment, a category, how the talk is shared, the checklist, or the call so far."""

    insight_id: str
    kind: Literal["sentiment", "category", "dynamics", "checklist", "summary"]
    at: datetime
    utterance_id: str = ""
    role: Role = "unknown"
    start_ms: int = 0
    end_ms: int = 0
    sentiment: float = 0.0
    running: float = 0.0
    label: str = ""
    rule: str = ""
    dynamics: Dynamics | None = None
    checklist: tuple[StepState, ...] = ()
    digest: Digest | None = None
    handed_on_from: str = ""
    for_transfer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerted:
    """Something for a supervisor."""

    alert_id: str
    severity: Severity
    rule: str
    title: str
    category: str
    role: Role
    utterance_id: str
    agent_extension_id: str
    reason: Literal["said", "not_said", "sentiment", "dynamics"]
    at_ms: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What became of the suggestions of one article or rule."""

    kind: Kind
    source: str
    title: str
    made: int
    shown: int
    accepted: int
    dismissed: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """An alert of the call, for its row."""

    rule: str
    category: str
    severity: Severity
    at_ms: int


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
    digest: Digest
    categories: tuple[str, ...]
    agent_sentiment: float
    customer_sentiment: float
    customer_opening: float
    customer_closing: float
    course: tuple[Point, ...]
    dynamics: Dynamics
    utterances: int
    words: int
    checklist: tuple[StepState, ...]
    acceptance: tuple[Acceptance, ...]
    raised: tuple[Raised, ...]
    transferred_from: str
    transferred_to: str
    transcript_complete: bool

    @property
    def result(self) -> Result:
        """How it stands at the end."""
        return self.digest.result


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOn:
    """The call so far, for the call that it goes on in."""

    to_call_id: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRequest:
    """What a language model is asked to word. `material` is (id, text); the reply must cite some of these ids."""

    about: str
    kind: Literal["suggestion", "summary"]
    question: str
    material: tuple[tuple[str, str], ...]
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """All that one input brought forth."""

    suggested: tuple[Suggested, ...] = ()
    learned: tuple[Learned, ...] = ()
    alerted: tuple[Alerted, ...] = ()
    summary: Summary | None = None
    handed_on: tuple[HandOn, ...] = ()
    asked: tuple[WriteRequest, ...] = ()
    feedback: tuple[tuple[Kind, str, str], ...] = ()
    """Feedback that counts: kind, article or rule, action."""

    @property
    def must_arrive(self) -> bool:
        """Something in it must be acknowledged before the row that says so is stored."""
        return bool(self.suggested or self.alerted or self.summary or self.handed_on)

    def __bool__(self) -> bool:
        return bool(self.must_arrive or self.learned or self.asked or self.feedback)

    def and_(self, more: Outputs) -> Outputs:
        """Both."""
        return Outputs(
            suggested=(*self.suggested, *more.suggested),
            learned=(*self.learned, *more.learned),
            alerted=(*self.alerted, *more.alerted),
            summary=more.summary or self.summary,
            handed_on=(*self.handed_on, *more.handed_on),
            asked=(*self.asked, *more.asked),
            feedback=(*self.feedback, *more.feedback),
        )


NOTHING = Outputs()
