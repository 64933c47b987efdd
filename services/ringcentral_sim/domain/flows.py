"""Call flows as data: who takes part and which party changes status when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["pstn", "agent", "colleague", "menu"]
Side = Literal["agent", "customer", "none"]


@dataclass(frozen=True, slots=True)
class Role:
    """A part to play: what it is, the side of the recording it speaks, and its from/to roles."""

    key: str
    kind: Kind
    side: Side
    direction: Literal["Inbound", "Outbound"]
    origin: str
    target: str


@dataclass(frozen=True, slots=True)
class Step:
    """At `at_ms` the role's party takes this status; a role's first step creates its party."""

    at_ms: int
    role: str
    code: str
    reason: str | None = None
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """`opening` counts from the start of the call, `during` from the request's `flow_at_ms` in the audio."""

    name: str
    roles: tuple[Role, ...]
    opening: tuple[Step, ...]
    during: tuple[Step, ...] = ()
    plays: bool = True
    closing: tuple[str, ...] = ("agent", "customer")

    def role(self, key: str) -> Role:
        """The role by key; KeyError when the flow has none."""
        return {r.key: r for r in self.roles}[key]


_CALLER = Role("customer", "pstn", "customer", "Outbound", "customer", "agent")
_AGENT = Role("agent", "agent", "agent", "Inbound", "customer", "agent")
_DIRECT = (
    Step(0, "customer", "Setup"),
    Step(40, "agent", "Setup"),
    Step(80, "customer", "Answered"),
    Step(140, "agent", "Proceeding"),
    Step(900, "agent", "Answered"),
)

_ALL = (
    Flow("inbound", (_CALLER, _AGENT), _DIRECT),
    Flow(
        "ivr",
        (_CALLER, Role("menu", "menu", "none", "Inbound", "customer", "menu"), _AGENT),
        (
            Step(0, "customer", "Setup"),
            Step(40, "menu", "Setup"),
            Step(80, "customer", "Answered"),
            Step(1500, "menu", "Disconnected"),
            Step(1540, "agent", "Setup"),
            Step(1640, "agent", "Proceeding"),
            Step(2400, "agent", "Answered"),
        ),
    ),
    Flow(
        "outbound",
        (
            Role("agent", "agent", "agent", "Outbound", "agent", "customer"),
            Role("customer", "pstn", "customer", "Inbound", "agent", "customer"),
        ),
        (
            Step(0, "agent", "Setup"),
            Step(60, "customer", "Proceeding"),
            Step(120, "agent", "Proceeding"),
            Step(1200, "customer", "Answered"),
            Step(1240, "agent", "Answered"),
        ),
    ),
    Flow(
        "internal",
        (Role("customer", "colleague", "customer", "Outbound", "customer", "agent"), _AGENT),
        (
            Step(0, "customer", "Setup"),
            Step(40, "agent", "Setup"),
            Step(80, "customer", "Answered"),
            Step(140, "agent", "Proceeding"),
            Step(900, "agent", "Answered"),
        ),
        closing=("customer", "agent"),
    ),
    Flow(
        "conference",
        (_CALLER, _AGENT, Role("third", "colleague", "none", "Inbound", "agent", "third")),
        _DIRECT,
        (
            Step(0, "third", "Setup"),
            Step(100, "third", "Proceeding"),
            Step(900, "third", "Answered"),
        ),
        closing=("third", "agent", "customer"),
    ),
    Flow(
        "blind_transfer",
        (_CALLER, _AGENT, Role("second", "colleague", "agent", "Inbound", "customer", "second")),
        _DIRECT,
        (
            Step(0, "agent", "Disconnected", "BlindTransfer"),
            Step(40, "second", "Setup"),
            Step(140, "second", "Proceeding"),
            Step(900, "second", "Answered"),
        ),
        closing=("second", "customer"),
    ),
    Flow(
        "missed",
        (_CALLER, _AGENT),
        (
            Step(0, "customer", "Setup"),
            Step(40, "agent", "Setup"),
            Step(80, "customer", "Answered"),
            Step(140, "agent", "Proceeding"),
            Step(2000, "agent", "Disconnected", "NoAnswer", missed=True),
            Step(2040, "customer", "Disconnected"),
        ),
        plays=False,
    ),
)

FLOWS: Mapping[str, Flow] = {flow.name: flow for flow in _ALL}


def hold_steps(holds: tuple[tuple[int, int], ...]) -> tuple[Step, ...]:
    """The agent's party on Hold and Answered again, at ms of the recording."""
    return tuple(
        step for start, end in holds for step in (Step(start, "agent", "Hold"), Step(end, "agent", "Answered"))
    )


def talk_steps(flow: Flow, holds: tuple[tuple[int, int], ...], flow_at_ms: int) -> tuple[Step, ...]:
    """Everything that happens while the recording plays, in time order, at ms of the recording."""
    shifted = tuple(Step(s.at_ms + flow_at_ms, s.role, s.code, s.reason, s.missed) for s in flow.during)
    return tuple(sorted((*shifted, *hold_steps(holds)), key=lambda s: s.at_ms))
