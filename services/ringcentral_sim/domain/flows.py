"""Call flows as data: who takes part and which party changes status when. The flows are in `flow_table`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["pstn", "agent", "colleague", "menu"]
Side = Literal["agent", "customer", "none"]
# A second session that the agent, or a colleague, opens beside the call: a consultation or a pick-up.
Line = Literal["main", "second"]


@dataclass(frozen=True, slots=True)
class Role:
    """A party to play: what it is, the side of the recording it speaks, and whose endpoints its from and to are.

    `person` is set on the further parties of someone who has one already; `line` is the session it belongs to.
    """

    key: str
    kind: Kind
    side: Side
    direction: Literal["Inbound", "Outbound"]
    origin: str
    target: str
    person: str = ""
    line: Line = "main"
    queue: bool = False

    @property
    def who(self) -> str:
        """The key of the person."""
        return self.person or self.key


@dataclass(frozen=True, slots=True)
class Step:
    """At `at_ms` the role's party takes this status; a role's first step creates its party.

    `peer` is the role whose party in the other session a `Gone` one went on as; `muted` None changes nothing.
    """

    at_ms: int
    role: str
    code: str
    reason: str | None = None
    missed: bool = False
    muted: bool | None = None
    park: str | None = None
    peer: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """`opening` counts from the start of the call, `during` from the request's `flow_at_ms` in the audio.

    `holder` is the role whose party shows a hold. `during_ms` is how long `during` lasts.
    """

    name: str
    roles: tuple[Role, ...]
    opening: tuple[Step, ...]
    during: tuple[Step, ...] = ()
    plays: bool = True
    closing: tuple[str, ...] = ("agent", "customer")
    holder: str = "agent"

    def role(self, key: str) -> Role:
        """The role by key; KeyError when the flow has none."""
        return {r.key: r for r in self.roles}[key]

    @property
    def persons(self) -> tuple[Role, ...]:
        """The first role of each person."""
        return tuple(r for r in self.roles if not r.person)

    @property
    def during_ms(self) -> int:
        """How long the flow's own happenings take."""
        return self.during[-1].at_ms if self.during else 0


def hold_steps(holds: tuple[tuple[int, int], ...], holder: str = "agent") -> tuple[Step, ...]:
    """The holder's party on Hold and Answered again, at ms of the recording."""
    return tuple(step for start, end in holds for step in (Step(start, holder, "Hold"), Step(end, holder, "Answered")))


def talk_steps(flow: Flow, holds: tuple[tuple[int, int], ...], flow_at_ms: int) -> tuple[Step, ...]:
    """Everything that happens while the recording plays, in time order, at ms of the recording."""
    shifted = tuple(
        Step(s.at_ms + flow_at_ms, s.role, s.code, s.reason, s.missed, s.muted, s.park, s.peer) for s in flow.during
    )
    return tuple(sorted((*shifted, *hold_steps(holds, flow.holder)), key=lambda s: s.at_ms))
