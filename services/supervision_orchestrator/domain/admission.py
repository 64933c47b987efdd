"""Which call may be asked for by which supervisor on which device: `choose`, a pure function of the floor.

A call is let in when one identity may supervise its agent, has the Light requests that the call needs (a reading and a
request a leg), and has a device with that many free slots. Else it waits, and calls that have waited longer go first.
`another_group`: what stands of the call is with a supervisor who may not listen to the agent it has come to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.supervision_orchestrator.domain.floor import Device, Floor

WhyNot = Literal["not_permitted", "another_group", "no_device_online", "no_capacity", "rate_limited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanting:
    """A call that wants to be heard. `since` is its age; `supervisor`, `device_id`: it has legs there already;
    `prefer`: whom it had last; `avoid`: who must be silent now.
    """

    call_id: str
    since: datetime
    agent_extension_id: str
    legs: int
    requests: int
    supervisor: str = ""
    device_id: str = ""
    prefer: str = ""
    avoid: frozenset[str] = frozenset()

    def turn(self) -> tuple[datetime, str]:
        """Its place in the queue."""
        return (self.since, self.call_id)


@dataclass(frozen=True, slots=True)
class Booking:
    """The call's one supervisor and one device."""

    supervisor: str
    device_id: str


def choose(floor: Floor, wanting: Wanting) -> Booking | WhyNot:
    """A booking for the call, after all that have waited longer have had their turn; or why there is none."""
    supply = _Supply(floor)
    for older in floor.queue:
        if older.turn() >= wanting.turn() or supply.spent():
            break
        if older.call_id != wanting.call_id:
            supply.take(older)
    return supply.take(wanting)


def admissible(floor: Floor) -> list[str]:
    """The waiting calls that can be let in now, oldest first."""
    supply = _Supply(floor)
    found = []
    for wanting in floor.queue:
        if supply.spent():
            break
        if isinstance(supply.take(wanting), Booking):
            found.append(wanting.call_id)
    return found


def reader(floor: Floor, preferred: str, avoid: frozenset[str]) -> str:
    """The identity that reads a session: the call's own, else whoever has most requests left; empty: nobody may now."""
    able = [
        s
        for s in floor.supervisors
        if s.requests >= 1 and s.extension_id not in avoid and preferred in {"", s.extension_id}
    ]
    return max(able, key=lambda s: (s.requests, s.extension_id)).extension_id if able else ""


class _Supply:
    """What is left while bookings are tried in turn."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._requests = {s.extension_id: s.requests for s in floor.supervisors}
        self._slots = {d.device_id: d.free_slots for d in floor.devices}

    def spent(self) -> bool:
        """Whether nothing at all is left."""
        return max(self._requests.values(), default=0) < 2 or max(self._slots.values(), default=0) < 1

    def take(self, wanting: Wanting) -> Booking | WhyNot:
        floor = self._floor
        allowed = [
            s for s in floor.supervisors if floor.roster.may_supervise(s.extension_id, wanting.agent_extension_id)
        ]
        if not allowed:
            return "not_permitted"
        able = [s for s in allowed if wanting.supervisor in {"", s.extension_id}]
        if wanting.supervisor and not floor.roster.may_supervise(wanting.supervisor, wanting.agent_extension_id):
            return "another_group"
        phones = [
            (s.extension_id, d)
            for s in able
            for d in floor.devices_of(s)
            if d.online and wanting.device_id in {"", d.device_id}
        ]
        if not phones:
            return "no_device_online"
        roomy = [(s, d) for s, d in phones if self._slots[d.device_id] >= wanting.legs]
        if not roomy:
            return "no_capacity"
        ready = [
            (s, d) for s, d in roomy if s not in wanting.avoid and self._requests[s] >= wanting.requests
        ]  # fmt: skip
        if not ready:
            return "rate_limited"
        return self._book(ready, wanting)

    def _book(self, ready: Sequence[tuple[str, Device]], wanting: Wanting) -> Booking:
        supervisor, device = min(
            ready,
            key=lambda pair: (
                pair[0] != wanting.prefer,
                -self._requests[pair[0]],
                -self._slots[pair[1].device_id],
                pair[1].device_id,
            ),
        )
        self._requests[supervisor] -= wanting.requests
        self._slots[device.device_id] -= wanting.legs
        return Booking(supervisor, device.device_id)


def in_turn(waiting: Iterable[Wanting]) -> tuple[Wanting, ...]:
    """The queue: oldest call first."""
    return tuple(sorted(waiting, key=Wanting.turn))
