"""How many calls supervisors and devices are good for, and whether an expected rate fits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from services.cli.domain.checks import Check, verdict

MOST_BLOCKED = 0.01
REQUESTS_A_CALL = 3
"""Light requests: the session is read, and each of two parties is asked for."""
PRESENCE_READINGS = 3
"""Light requests more a call in mode presence: it rings, is answered, ends."""
SPARE = 5
"""Light requests a minute that each identity leaves to others, as the orchestrator does by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is expected at the busiest time; `calls_per_minute` None: nothing was said."""

    calls_per_minute: float | None = None
    call_minutes: float = 5.0

    @property
    def erlangs(self) -> float:
        """Calls at a time, on average."""
        return (self.calls_per_minute or 0.0) * self.call_minutes


def blocked(lines: int, erlangs: float) -> float:
    """The share of calls that find all lines busy (Erlang B)."""
    share = 1.0
    for line in range(1, lines + 1):
        share = erlangs * share / (line + erlangs * share)
    return share


def lines_for(erlangs: float) -> int:
    """The fewest lines with which at most one call in a hundred finds none."""
    lines, share = 0, 1.0
    while share > MOST_BLOCKED:
        lines += 1
        share = erlangs * share / (lines + erlangs * share)
    return lines


def check_capacity(
    demand: Demand, *, supervisors: int, light_limit: int, devices_online: int, calls_per_device: int, presence: bool
) -> Iterator[Check]:
    """Requests and devices, each against the demand; without one, what they are good for."""
    supply = supervisors * max(0, light_limit - SPARE)
    each = REQUESTS_A_CALL + (PRESENCE_READINGS if presence else 0)
    most, lines = supply / each, devices_online * calls_per_device
    by_requests = f"{supervisors} supervisors may begin {most:.0f} calls a minute ({each} Light requests each)"
    by_devices = f"{devices_online} devices Online carry {lines} calls at a time"
    if demand.calls_per_minute is None:
        yield Check(name="capacity", well=True, found=f"{by_requests}; {by_devices}")
        return
    rate = demand.calls_per_minute
    short = -(-rate * each // max(1, light_limit - SPARE)) - supervisors
    yield verdict(
        "capacity of requests",
        f"{by_requests}; {rate:g} are expected",
        well=most >= rate,
        remedy=f"add {max(1, int(short))} to the supervisors of RINGCENTRAL_JWTS, with Monitoring in the agents' "
        "groups, or ask RingCentral for a higher limit",
    )
    wanted = lines_for(demand.erlangs)
    share = blocked(lines, demand.erlangs)
    more = -(-(wanted - lines) // calls_per_device)
    yield verdict(
        "capacity of devices",
        f"{by_devices}; {rate:g} calls a minute of {demand.call_minutes:g} minutes are {demand.erlangs:g} at a time, "
        f"{share:.1%} of them would find no device",
        well=share <= MOST_BLOCKED,
        remedy=f"have {max(1, more)} more devices Online, {wanted} calls at a time in all",
    )
