"""What is kept of a call: its table row. Everything in it is plain data, so that it survives a restart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.insights.domain.dynamics import Dynamics, Span, measure
from services.insights.domain.inputs import Direction, Role, UtteranceSpoken
from services.insights.domain.outputs import Summary
from services.insights.domain.sentiment import Mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A stream of the call. `spoken` holds (start_ms, from_ms, to_ms) of every utterance; the first names it.

    `expected` is how many there will be, once the transcriber has said so.
    """

    leg_id: str
    role: Role = "unknown"
    spoken: tuple[tuple[int, int, int], ...] = ()
    expected: int | None = None
    whole: bool = False

    @property
    def complete(self) -> bool:
        """All its utterances have come."""
        return self.expected is not None and len(self.spoken) >= self.expected

    def has(self, start_ms: int) -> bool:
        """Whether the utterance was taken in before."""
        return any(start_ms == start for start, _, _ in self.spoken)

    @property
    def spans(self) -> Iterable[Span]:
        """Where someone speaks."""
        return ((start, end) for _, start, end in self.spoken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An utterance that is remembered for what comes after it."""

    utterance_id: str
    from_ms: int
    to_ms: int
    text: str
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that had its say, and when on the media clock."""

    name: str
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A passage that was suggested, when on the media clock, and how surely."""

    source: str
    section: str
    at_ms: int
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The call's terminal account."""

    at: datetime
    outcome: str
    duration_ms: int
    legs_heard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A call. `due_at` is when it wants to be looked at though nothing comes."""

    call_id: str
    due_at: datetime | None = None
    agent_extension_id: str = ""
    direction: Direction = "unknown"
    answered_at: datetime | None = None
    ended: Ended | None = None
    legs: tuple[Leg, ...] = ()
    words: int = 0
    agent_sentiment: Mean = field(default_factory=Mean)
    customer_sentiment: Mean = field(default_factory=Mean)
    categories: tuple[str, ...] = ()
    rules_fired: tuple[Fired, ...] = ()
    passages_shown: tuple[Shown, ...] = ()
    suggestion_ids: tuple[str, ...] = ()
    accepted_ids: tuple[str, ...] = ()
    alerts: int = 0
    last_customer: Said | None = None
    reason: Said | None = None
    offers: tuple[Said, ...] = ()
    dynamics_at_ms: int = 0
    summary: Summary | None = None

    @property
    def utterances(self) -> int:
        """Finals taken in."""
        return sum(len(leg.spoken) for leg in self.legs)

    @property
    def wholly_transcribed(self) -> bool:
        """Every leg that was heard is there with all its utterances."""
        heard = self.ended.legs_heard if self.ended else 0
        return len(self.legs) >= max(heard, 1) and all(leg.complete for leg in self.legs)

    def leg(self, leg_id: str) -> Leg:
        """The leg, a new one if it is not known."""
        return next((leg for leg in self.legs if leg.leg_id == leg_id), Leg(leg_id=leg_id))

    def with_leg(self, changed: Leg) -> CallRow:
        """With the leg put in its place."""
        others = tuple(leg for leg in self.legs if leg.leg_id != changed.leg_id)
        return replace(self, legs=tuple(sorted((*others, changed), key=lambda leg: leg.leg_id)))

    def dynamics(self) -> Dynamics:
        """How the talk is shared so far, each leg by the newest that is known of its speaker."""
        spans: dict[str, list[Span]] = {"agent": [], "customer": []}
        others: list[Span] = []
        for leg in self.legs:
            spans.get(leg.role, others).extend(leg.spans)
        return measure(spans["agent"], spans["customer"], others)


def take_in(row: CallRow, said: UtteranceSpoken) -> CallRow:
    """The row with the utterance's place and words; a leg's role turns from unknown to known, never back."""
    leg = row.leg(said.leg_id)
    role = said.role if said.role != "unknown" else leg.role
    spoken = (*leg.spoken, (said.start_ms, said.from_ms, said.to_ms))
    return replace(row.with_leg(replace(leg, role=role, spoken=spoken)), words=row.words + said.words)


def quiet(fired: Iterable[Fired], name: str, at_ms: int, cool_down_ms: int) -> bool:
    """Whether `name` has had its say within the cool-down. Symmetric, since two legs come in any order."""
    return any(past.name == name and abs(at_ms - past.at_ms) < cool_down_ms for past in fired)
