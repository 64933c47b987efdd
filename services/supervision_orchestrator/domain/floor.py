"""What decisions need to know besides the call: supervisors, devices, groups, rules, and the calls that wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from services.supervision_orchestrator.domain.policy import Policy
from services.supervision_orchestrator.domain.roster import Roster
from services.supervision_orchestrator.domain.rules import Rules

if TYPE_CHECKING:
    from services.supervision_orchestrator.domain.admission import Wanting

PLENTY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A soft phone of the media gateway; `free_slots` is what it said last, `slots` its size (0: not told)."""

    device_id: str
    supervisor_extension_id: str = ""
    online: bool = False
    free_slots: int = 0
    slots: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """One of our identities: how many Light requests it may send now; `device_ids` empty: all of its devices."""

    extension_id: str
    device_ids: tuple[str, ...] = ()
    requests: int = PLENTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What calls hold that the floor does not show yet.

    `asked`: legs asked for whose INVITE has not come, `held`: all legs asked for or standing, both by device;
    `requests`: of calls that are let in and still to be asked for, by supervisor.
    """

    asked: Mapping[str, int] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)
    requests: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A consistent picture at one moment. `queue`: calls that wait to be let in, oldest first."""

    roster: Roster = field(default_factory=Roster)
    devices: tuple[Device, ...] = ()
    supervisors: tuple[Supervisor, ...] = ()
    policy: Policy = field(default_factory=Policy)
    rules: Rules = field(default_factory=Rules)
    queue: tuple[Wanting, ...] = ()

    def is_supervisor(self, extension_id: str) -> bool:
        """Whether the extension is one of ours, whose parties are never calls to monitor."""
        if not extension_id:
            return False
        return any(extension_id == s.extension_id for s in self.supervisors) or any(
            extension_id == d.supervisor_extension_id for d in self.devices
        )

    def devices_of(self, supervisor: Supervisor) -> tuple[Device, ...]:
        """The supervisor's own; a device that names no owner is that of the only supervisor."""
        alone = len(self.supervisors) == 1
        return tuple(
            d
            for d in self.devices
            if (d.supervisor_extension_id == supervisor.extension_id or (alone and not d.supervisor_extension_id))
            and (not supervisor.device_ids or d.device_id in supervisor.device_ids)
        )

    def less(self, reserved: Reserved) -> Floor:
        """The floor as it is for a call while the others hold what they hold."""
        devices = tuple(replace(d, free_slots=_left(d, reserved)) for d in self.devices)
        supervisors = tuple(
            replace(s, requests=max(s.requests - reserved.requests.get(s.extension_id, 0), 0)) for s in self.supervisors
        )
        return replace(self, devices=devices, supervisors=supervisors)


def _left(device: Device, reserved: Reserved) -> int:
    """Less what is asked for; and never more than its size less what our calls hold, whatever it said last."""
    left = device.free_slots - reserved.asked.get(device.device_id, 0)
    if device.slots:
        left = min(left, device.slots - reserved.held.get(device.device_id, 0))
    return max(left, 0)
