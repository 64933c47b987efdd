"""One decision in the making: the state so far and the effects so far. Lives within one call of `decide`."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from services.supervision_orchestrator.domain.call import CallState, Failure, Party, Penalty, Spent, Target
from services.supervision_orchestrator.domain.effects import Effect, PublishStep, StepType
from services.supervision_orchestrator.domain.floor import Floor
from services.supervision_orchestrator.domain.policy import Policy, after


class Turn:
    """Mutable, but never leaves `decide`."""

    def __init__(self, state: CallState, now: datetime, floor: Floor) -> None:
        self.state = state
        self.now = now
        self.floor = floor
        self.effects: list[Effect] = []

    @property
    def policy(self) -> Policy:
        """The waits in force."""
        return self.floor.policy

    def in_ms(self, ms: int) -> datetime:
        """The moment so many milliseconds from now."""
        return after(self.now, ms)

    def set(self, **changes: Any) -> None:
        """Change fields of the state."""
        self.state = replace(self.state, **changes)

    def put_party(self, party: Party) -> None:
        """Add or replace a party."""
        others = tuple(p for p in self.state.parties if p.party_id != party.party_id)
        self.set(parties=(*others, party))

    def put_target(self, target: Target) -> None:
        """Add or replace a target."""
        others = tuple(t for t in self.state.targets if t.party_id != target.party_id)
        self.set(targets=(*others, target))

    def answered(self, supervisor: str, at: datetime, *, retry_after_ms: int = 0) -> None:
        """Keep that a request of the supervisor's was answered or given up, and with which penalty."""
        known = after(self.now, -self.policy.rate_window_ms)
        spent = (*(s for s in self.state.spent if s.at > known), Spent(supervisor=supervisor, at=at))
        penalties = tuple(p for p in self.state.penalties if p.until > self.now)
        if retry_after_ms:
            penalties = (*penalties, Penalty(supervisor=supervisor, until=after(at, retry_after_ms)))
        self.set(spent=spent, penalties=penalties)

    def penalized(self) -> frozenset[str]:
        """Identities that have to be silent now, as far as this call knows."""
        return frozenset(p.supervisor for p in self.state.penalties if p.until > self.now)

    def fail(self, reason: str, detail: str = "") -> None:
        """Remember why there is no audio."""
        self.set(failure=Failure(reason=reason, detail=detail))

    def step(
        self, type_: StepType, target: Target, *, at: datetime | None = None, cause: str = "", leg_id: str = "",
        reason: str = "", waited_ms: int | None = None,
    ) -> None:  # fmt: skip
        """Publish a supervision step of a target."""
        self.effects.append(
            PublishStep(
                type=type_,
                at=at or self.now,
                mode="party" if target.party_id else "session",
                party_id=target.party_id,
                role=target.role,
                attempt=target.attempt,
                cause=cause,
                device_id=target.device_id,
                supervisor_party_id=target.supervisor_party_id,
                leg_id=leg_id,
                reason=reason,
                queue_id=self.floor.rules.queue_of(self.state.extensions),
                waited_ms=waited_ms,
            )
        )
