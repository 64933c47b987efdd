"""What happens to a call, as insights sees it. Times in ms are on the call's media clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Role = Literal["agent", "customer", "mixed", "unknown"]
Direction = Literal["inbound", "outbound", "internal", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UtteranceSpoken:
    """A final utterance. `from_ms` to `to_ms` is where its words are, `start_ms` what names it within its leg."""

    leg_id: str
    utterance_id: str
    role: Role
    start_ms: int
    from_ms: int
    to_ms: int
    text: str
    words: int
    published_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LegTranscribed:
    """No more finals follow for the leg; `utterances` is how many there are. `whole` when it ended as it should."""

    leg_id: str
    role: Role
    utterances: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNoted:
    """A fact in the call's life before its end."""

    agent_extension_id: str
    direction: Direction
    answered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The terminal account. `legs_heard` is how many streams had audio."""

    agent_extension_id: str
    direction: Direction
    ended_at: datetime
    outcome: str
    duration_ms: int
    legs_heard: int


@dataclass(frozen=True, slots=True)
class SuggestionAccepted:
    """An agent took a suggestion."""

    suggestion_id: str


@dataclass(frozen=True, slots=True)
class TimerDue:
    """The moment that the row asked for may have come."""


Input = UtteranceSpoken | LegTranscribed | CallNoted | CallEnded | SuggestionAccepted | TimerDue
