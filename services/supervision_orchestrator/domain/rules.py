"""Which calls the company wants supervised. An empty set allows all; the monitoring groups hold besides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, tzinfo

from services.supervision_orchestrator.domain.roster import Membership


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """A stretch of local time on some weekdays (0 = Monday); `end` before `start` runs past midnight."""

    days: frozenset[int]
    start: time
    end: time

    def include(self, local: datetime) -> bool:
        """Whether the local time lies in it."""
        moment = local.timetz().replace(tzinfo=None)
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= moment < self.end
        if moment >= self.start:
            return local.weekday() in self.days
        return (local.weekday() - 1) % 7 in self.days and moment < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What the rules look at. `extensions`: every extension that takes part or was dialled."""

    agent_extension_id: str
    memberships: tuple[Membership, ...]
    direction: str
    extensions: frozenset[str]
    queue_call: bool
    answered_at: datetime
    consent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """`queues`: extension ids, one of which must take part; "*" for any queue call. `zone` None: hours are UTC.

    `known_queues`: further extension ids that are queues, whatever is supervised.
    """

    agents: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    known_queues: frozenset[str] = frozenset()
    directions: frozenset[str] = frozenset()
    hours: tuple[Hours, ...] = ()
    zone: tzinfo | None = None
    consent_required: bool = False
    yield_to_human: bool = True

    def objection(self, call: CallFacts) -> str:
        """Why the call is not to be supervised: `consent_missing` or `policy_...`; empty when it is."""
        local = call.answered_at.astimezone(self.zone) if self.zone is not None else call.answered_at
        checks: Iterable[tuple[bool, str]] = (
            (not self.agents or call.agent_extension_id in self.agents, "policy_agent"),
            (
                not self.groups or any(m.monitored and m.group_id in self.groups for m in call.memberships),
                "policy_group",
            ),
            (
                not self.queues or bool(self.queues & call.extensions) or ("*" in self.queues and call.queue_call),
                "policy_queue",
            ),
            (not self.directions or call.direction in self.directions, "policy_direction"),
            (not self.hours or any(hours.include(local) for hours in self.hours), "policy_hours"),
            (not self.consent_required or call.consent == "given", "consent_missing"),
        )
        return next((objection for kept, objection in checks if not kept), "")

    def queue_of(self, extensions: Sequence[str]) -> str:
        """By which queue a call came whose extensions are told in the order they were seen; empty: by none named here.

        RingCentral says that a call came by a queue, not by which; a menu takes part in it just as a queue does.
        """
        named = self.queues | self.known_queues
        return next((extension for extension in reversed(extensions) if extension in named), "")
