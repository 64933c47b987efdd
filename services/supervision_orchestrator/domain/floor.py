"""What decisions need to know besides the call: who may be monitored by whom, and which devices can take legs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from services.supervision_orchestrator.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One extension's place in one monitoring group; both permissions may sit on it."""

    group_id: str
    monitored: bool
    monitoring: bool


@dataclass(frozen=True, slots=True)
class Roster:
    """Memberships by extension id."""

    entries: Mapping[str, tuple[Membership, ...]] = field(default_factory=dict)

    def is_monitored(self, extension_id: str) -> bool:
        """Whether any group lets the extension be monitored."""
        return any(member.monitored for member in self.entries.get(extension_id, ()))

    def may_supervise(self, supervisor_extension_id: str, agent_extension_id: str) -> bool:
        """Whether a group gives the supervisor Monitoring over the agent."""
        supervised = {m.group_id for m in self.entries.get(supervisor_extension_id, ()) if m.monitoring}
        return any(m.monitored and m.group_id in supervised for m in self.entries.get(agent_extension_id, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A soft phone of the media gateway; `free_slots` is what it said last."""

    device_id: str
    supervisor_extension_id: str = ""
    online: bool = False
    free_slots: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A consistent picture at one moment. One supervisor identity today; a pool would add to `devices` and here."""

    roster: Roster = field(default_factory=Roster)
    devices: tuple[Device, ...] = ()
    supervisor_extension_id: str = ""
    policy: Policy = field(default_factory=Policy)

    def is_supervisor(self, extension_id: str) -> bool:
        """Whether the extension is one of ours, whose parties are never calls to monitor."""
        if not extension_id:
            return False
        owners = {device.supervisor_extension_id for device in self.devices}
        return extension_id == self.supervisor_extension_id or extension_id in owners

    def reserve(self, reserved: Mapping[str, int]) -> Floor:
        """The floor as seen by a call while others hold `reserved` legs a device that are asked for but not up yet."""
        devices = (replace(d, free_slots=max(d.free_slots - reserved.get(d.device_id, 0), 0)) for d in self.devices)
        return replace(self, devices=tuple(devices))

    def choose_device(self, legs: int, *, bound_to: str = "") -> tuple[Device | None, str]:
        """A device for so many more legs, the emptiest first; else None and why: `no_device_online`, `no_capacity`.

        `bound_to` is the device that already holds legs of the call: RingCentral takes one device a supervised call.
        """
        usable = [
            d
            for d in self.devices
            if d.online
            and d.supervisor_extension_id in {"", self.supervisor_extension_id}
            and (not bound_to or d.device_id == bound_to)
        ]
        if not usable:
            return None, "no_device_online"
        roomy = [d for d in usable if d.free_slots >= legs]
        if not roomy:
            return None, "no_capacity"
        return min(roomy, key=lambda d: (-d.free_slots, d.device_id)), ""
