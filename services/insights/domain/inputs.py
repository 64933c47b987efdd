"""What happens to a call, as insights sees it. Times in ms are on the call's media clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.insights.domain.digest import Digest

Role = Literal["agent", "customer", "mixed", "unknown"]
Direction = Literal["inbound", "outbound", "internal", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceSpoken:
    """A final utterance. `from_ms` to `to_ms` is where its words are, `start_ms` what names it within its leg.

    `spans` are its stretches of speech; `epoch` is the wall clock of the media clock's zero, where that is known.
    """

    leg_id: str
    utterance_id: str
    role: Role
    start_ms: int
    from_ms: int
    to_ms: int
    text: str
    words: int
    published_at: datetime
    spans: tuple[tuple[int, int], ...] = ()
    epoch: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTranscribed:
    """No more finals follow for the leg; `utterances` is how many there are. `whole` when it ended as it should."""

    leg_id: str
    role: Role
    utterances: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNoted:
    """A fact in the call's life before its end. `peer_call_id` is where a transferred call goes on, if elsewhere."""

    agent_extension_id: str
    direction: Direction
    what: Literal["started", "answered", "held", "resumed", "transferred", "conferenced"]
    at: datetime
    peer_call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The terminal account. `legs_heard` is how many streams had audio."""

    agent_extension_id: str
    direction: Direction
    ended_at: datetime
    outcome: str
    duration_ms: int
    legs_heard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackGiven:
    """What became of a suggestion on a screen."""

    suggestion_id: str
    action: Literal["shown", "accepted", "dismissed"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The moment that the row asked for may have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOn:
    """What another call, transferred into this one, hands on."""

    from_call_id: str
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A language model's wording of a suggestion or summary; of no use without `cited`, ids of what it was given."""

    about: str
    text: str
    cited: tuple[str, ...] = ()


Input = (
    UtteranceSpoken | LegTranscribed | CallNoted | CallEnded | FeedbackGiven | TimerDue | HandedOn | Written
)  # fmt: skip
