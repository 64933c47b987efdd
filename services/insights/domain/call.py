"""What is kept of a call: its table row. Everything in it is plain data, so that it survives a restart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from services.insights.domain.digest import Digest, Notes
from services.insights.domain.dynamics import Dynamics, Span, Talk, measure
from services.insights.domain.inputs import Direction, Role, UtteranceSpoken
from services.insights.domain.outputs import Kind, Raised, StepState, Suggested, Summary
from services.insights.domain.sentiment import Felt


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A stream of the call. `starts` names its utterances, `spans` are its stretches of speech.

    `expected` is how many utterances there will be, once the transcriber has said so.
    """

    leg_id: str
    role: Role = "unknown"
    starts: tuple[int, ...] = ()
    spans: tuple[Span, ...] = ()
    words: int = 0
    expected: int | None = None
    whole: bool = False

    @property
    def complete(self) -> bool:
        """All its utterances have come."""
        return self.expected is not None and len(self.starts) >= self.expected


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
class Made:
    """A suggestion of this call, and what became of it."""

    suggestion_id: str
    kind: Kind
    source: str
    title: str
    shown: bool = False
    outcome: Literal["", "accepted", "dismissed"] = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold, by the wall clock; it lasts while `to` is None."""

    since: datetime
    to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A negative rule whose time runs. It began at `from_ms`, or at `from_at` where the media clock is not known yet.

    `cause` tells it from the rule's other watches. `due_at` is when it is judged though nobody speaks any more.
    """

    rule: str
    cause: str
    due_at: datetime
    from_at: datetime | None = None
    from_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What a language model is wording, as it is published without it when its time is up."""

    about: str
    until: datetime
    suggested: Suggested | None = None
    summary: Summary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The call's terminal account."""

    at: datetime
    outcome: str
    duration_ms: int
    legs_heard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A call. `looks_at` is when it wants to be looked at though nothing comes: to sum it up, or to forget it."""

    call_id: str
    looks_at: datetime | None = None
    agent_extension_id: str = ""
    direction: Direction = "unknown"
    answered_at: datetime | None = None
    epoch: datetime | None = None
    """Wall clock of the media clock's zero."""
    ended: Ended | None = None
    legs: tuple[Leg, ...] = ()
    holds: tuple[Hold, ...] = ()
    felt: tuple[Felt, ...] = ()
    categories: tuple[str, ...] = ()
    rules_fired: tuple[Fired, ...] = ()
    steps: tuple[StepState, ...] = ()
    """Those that are not open any more."""
    checklist_told: tuple[str, ...] = ()
    """How its steps stood when the checklist was last told."""
    watches: tuple[Watch, ...] = ()
    causes: tuple[str, ...] = ()
    """Of all watches that were ever begun."""
    answers: tuple[Fired, ...] = ()
    """Where the words of negative rules were said."""
    passages_shown: tuple[Shown, ...] = ()
    made: tuple[Made, ...] = ()
    raised: tuple[Raised, ...] = ()
    last_customer: Said | None = None
    last_agent: Said | None = None
    notes: Notes = field(default_factory=Notes)
    digest_told: Digest = field(default_factory=Digest)
    digest_at_ms: int = 0
    dynamics_at_ms: int = 0
    handed_on_from: str = ""
    handed_on: Digest | None = None
    transferred_to: str = ""
    pending: tuple[Pending, ...] = ()
    summed_up: bool = False

    @property
    def due_at(self) -> datetime | None:
        """The first moment at which the row wants to be looked at."""
        moments = [watch.due_at for watch in self.watches] + [pending.until for pending in self.pending]
        return min([*moments, *([self.looks_at] if self.looks_at else [])], default=None)

    @property
    def utterances(self) -> int:
        """Finals taken in."""
        return sum(len(leg.starts) for leg in self.legs)

    @property
    def wholly_transcribed(self) -> bool:
        """Every leg that was heard is there with all its utterances."""
        heard = self.ended.legs_heard if self.ended else 0
        return len(self.legs) >= max(heard, 1) and all(leg.complete for leg in self.legs)

    @property
    def heard_from_ms(self) -> int | None:
        """Where the first word of the call stands."""
        return min((leg.spans[0][0] for leg in self.legs if leg.spans), default=None)

    @property
    def heard_to_ms(self) -> int:
        """Where the last one ends."""
        return max((leg.spans[-1][1] for leg in self.legs if leg.spans), default=0)

    def leg(self, leg_id: str) -> Leg:
        """The leg, a new one if it is not known."""
        return next((leg for leg in self.legs if leg.leg_id == leg_id), Leg(leg_id=leg_id))

    def with_leg(self, changed: Leg) -> CallRow:
        """With the leg put in its place."""
        others = tuple(leg for leg in self.legs if leg.leg_id != changed.leg_id)
        return replace(self, legs=tuple(sorted((*others, changed), key=lambda leg: leg.leg_id)))

    def media_ms(self, at: datetime) -> int | None:
        """A moment on the media clock; without a word heard, the answer is taken for its zero."""
        zero = self.epoch or self.answered_at
        return None if zero is None else max(0, round((at - zero) / timedelta(milliseconds=1)))

    def dynamics(self) -> Dynamics:
        """How the talk is shared so far, each leg by the newest that is known of its speaker."""
        talk = {"agent": Talk(), "customer": Talk()}
        others: list[Span] = []
        for leg in self.legs:
            if leg.role in talk:
                before = talk[leg.role]
                talk[leg.role] = Talk(spans=(*before.spans, *leg.spans), words=before.words + leg.words)
            else:
                others.extend(leg.spans)
        return measure(talk["agent"], talk["customer"], others, self._holds())

    def _holds(self) -> Iterable[Span]:
        for hold in self.holds:
            start = self.media_ms(hold.since)
            end = self.media_ms(hold.to) if hold.to else self.heard_to_ms
            if start is not None and end is not None and end > start:
                yield start, end


def take_in(row: CallRow, said: UtteranceSpoken) -> CallRow:
    """The row with the utterance's place and words; a leg's role turns from unknown to known, never back."""
    leg = row.leg(said.leg_id)
    role = said.role if said.role != "unknown" else leg.role
    spans = said.spans or ((said.from_ms, said.to_ms),)
    leg = replace(
        leg, role=role, starts=(*leg.starts, said.start_ms), spans=tuple(sorted((*leg.spans, *spans))),
        words=leg.words + said.words,
    )  # fmt: skip
    return replace(row.with_leg(leg), epoch=row.epoch or said.epoch)


def quiet(fired: Iterable[Fired], name: str, at_ms: int, cool_down_ms: int) -> bool:
    """Whether `name` has had its say within the cool-down. Symmetric, since two legs come in any order."""
    return any(past.name == name and abs(at_ms - past.at_ms) < cool_down_ms for past in fired)
