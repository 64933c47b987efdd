"""A day on the floor, planned from a seed: who calls when, in which flow, and for how long.

Times are simulated. The same options give the same plan, whatever the machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.ringcentral_sim.domain.flow_table import FLOWS
from services.ringcentral_sim.domain.flows import Flow

DEFAULT_MIX: Mapping[str, float] = {
    "inbound": 30, "ivr": 16, "queue_simulring": 12, "outbound": 12, "internal": 6, "mute": 3, "conference": 3,
    "third_party": 3, "blind_transfer": 4, "attended_transfer": 3, "park": 2, "missed": 3, "abandoned": 2,
    "voicemail": 1,
}  # fmt: skip
# Calls come in two humps, before and after lunch: (centre, width) as shares of the day.
HUMPS = ((0.3, 0.13), (0.7, 0.15))
FLAT_SHARE = 0.25
HOLD_SHARE = 0.25
MIN_TALK_FOR_HOLD_MS = 40_000
# After a call an agent has this long before the next one.
WRAP_UP_MS = 5_000
# Ringing, menus and the closing of a call, beyond its talk.
MARGIN_MS = 8_000


class Dice(Protocol):
    """The part of `random.Random` that is used."""

    def random(self) -> float:
        """Uniform in [0, 1)."""

    def gauss(self, mu: float, sigma: float) -> float:
        """Normally distributed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayOptions:
    """`mix` weighs the flows by name; talk times are log-normal with this median and sigma, within the bounds."""

    calls: int = 2000
    hours: float = 8.0
    mix: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_MIX))
    talk_median_s: float = 150.0
    talk_sigma: float = 0.8
    talk_min_s: float = 4.0
    talk_max_s: float = 1500.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call of the day; `at_ms` counts from the start of the day, holds and `flow_at_ms` from the answer."""

    number: int
    at_ms: int
    flow: str
    agent_id: str
    colleague_ids: tuple[str, ...]
    customer_number: str
    talk_ms: int
    holds: tuple[tuple[int, int], ...] = ()
    flow_at_ms: int = 0


def plan_day(options: DayOptions, agents: Sequence[str], dice: Dice) -> tuple[PlannedCall, ...]:
    """The calls in order of arrival. ValueError for an unknown flow, an empty mix or too few agents.

    An agent is in one call at a time: a call for which nobody is free comes as soon as somebody is.
    """
    unknown = set(options.mix) - set(FLOWS)
    if unknown:
        raise ValueError(f"mix: unknown flow {', '.join(sorted(unknown))}; known: {', '.join(FLOWS)}")
    if sum(options.mix.values()) <= 0 or min(options.mix.values()) < 0:
        raise ValueError("mix: weights must not be negative, and one must be above 0")
    wanted = sorted(_arrival_ms(options, dice) for _ in range(options.calls))
    free_at = dict.fromkeys(agents, 0)
    made: list[PlannedCall] = []
    for number, asked_ms in enumerate(wanted, 1):
        flow = FLOWS[_weighted(options.mix, dice)]
        talk_ms = _talk_ms(options, dice)
        if flow.during:
            talk_ms = max(talk_ms, flow.during_ms + 10_000)
        people = _people_needed(flow)
        if len(agents) < people:
            raise ValueError(f"agents: flow {flow.name} needs {people}")
        at_ms = max(asked_ms, sorted(free_at.values())[people - 1])
        team = _pick(sorted(a for a, free in free_at.items() if free <= at_ms), people, dice)
        free_at.update(dict.fromkeys(team, at_ms + talk_ms + MARGIN_MS + WRAP_UP_MS))
        flow_at_ms = round((talk_ms - flow.during_ms) * (0.2 + 0.5 * dice.random())) if flow.during else 0
        made.append(
            PlannedCall(
                number=number,
                at_ms=at_ms,
                flow=flow.name,
                agent_id=team[0],
                colleague_ids=tuple(team[1:]),
                customer_number=f"+1555{number % 10**7:07d}",
                talk_ms=talk_ms,
                holds=_holds(flow, talk_ms, flow_at_ms, dice),
                flow_at_ms=flow_at_ms,
            )
        )
    return tuple(sorted(made, key=lambda call: (call.at_ms, call.number)))


def _people_needed(flow: Flow) -> int:
    return sum(role.kind in ("agent", "colleague") for role in flow.persons)


def _arrival_ms(options: DayOptions, dice: Dice) -> int:
    share = dice.random()
    if dice.random() >= FLAT_SHARE:
        centre, width = HUMPS[int(dice.random() * len(HUMPS))]
        drawn = dice.gauss(centre, width)
        share = drawn if 0.0 <= drawn < 1.0 else share
    return round(share * options.hours * 3_600_000)


def _talk_ms(options: DayOptions, dice: Dice) -> int:
    drawn = options.talk_median_s * math.exp(options.talk_sigma * dice.gauss(0.0, 1.0))
    return round(min(max(drawn, options.talk_min_s), options.talk_max_s) * 1000)


def _weighted(mix: Mapping[str, float], dice: Dice) -> str:
    names = sorted(mix)
    left = dice.random() * sum(mix.values())
    for name in names:
        left -= mix[name]
        if left < 0:
            return name
    return names[-1]


def _pick(free: list[str], count: int, dice: Dice) -> list[str]:
    return [free.pop(int(dice.random() * len(free))) for _ in range(count)]


def _holds(flow: Flow, talk_ms: int, flow_at_ms: int, dice: Dice) -> tuple[tuple[int, int], ...]:
    """At most one, and over before the flow's own happenings."""
    until_ms = flow_at_ms if flow.during else talk_ms
    if dice.random() >= HOLD_SHARE or until_ms < MIN_TALK_FOR_HOLD_MS or not flow.plays:
        return ()
    start = 10_000 + round(dice.random() * (until_ms - 30_000))
    return ((start, start + 2_000 + round(dice.random() * 15_000)),)
