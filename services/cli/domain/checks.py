"""What `earshot doctor` finds out: each check has a name, a verdict and, when it failed, what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.chassis.ringcentral.detection import Mode
from services.chassis.ringcentral.groups import Group, Member

SCOPES = ("CallControl", "ReadAccounts", "ReadCallLog")
MODE_SCOPES: Mapping[Mode, tuple[str, ...]] = {
    "websocket": ("WebSocketsSubscription",),
    "webhook": ("SubscriptionWebhook",),
    "presence": ("WebSocketsSubscription", "ReadPresence"),
}
ALSO_CALLED = {"WebSocketsSubscription": frozenset({"WebSocket", "SubscriptionWebSocket"})}
"""Names that other documents of RingCentral use for the same permission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding. `remedy` is empty when all is well."""

    name: str
    well: bool
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """A supervisor identity as RingCentral knows it; `devices` are its extension's, `chosen` those it is to use."""

    extension_id: str
    devices: tuple[Mapping[str, Any], ...]
    chosen: tuple[str, ...] = ()

    def usable(self) -> list[Mapping[str, Any]]:
        """Devices that supervision can use: Existing Phone in the portal, OtherPhone in the API."""
        return [
            device
            for device in self.devices
            if device.get("type") == "OtherPhone" and (not self.chosen or str(device.get("id")) in self.chosen)
        ]

    def online(self) -> list[Mapping[str, Any]]:
        """Of these the ones that are Online."""
        return [device for device in self.usable() if device.get("status") == "Online"]


def verdict(name: str, found: str, *, well: bool, remedy: str) -> Check:
    """A check whose remedy counts only when it failed."""
    return Check(name=name, well=well, found=found, remedy="" if well else remedy)


def check_permissions(scopes: Collection[str], mode: Mode) -> Check:
    """Whether the app may do what detection and supervision need."""
    wanted = (*SCOPES, *MODE_SCOPES[mode])
    if not scopes:
        return Check(name="app permissions", well=True, found="the login does not name them")
    missing = [name for name in wanted if name not in scopes and not ALSO_CALLED.get(name, frozenset()) & set(scopes)]
    return verdict(
        "app permissions",
        f"{', '.join(missing)} missing" if missing else f"all {len(wanted)} there for mode {mode}",
        well=not missing,
        remedy=f"add {', '.join(missing)} to the app in the developer console; a new login brings them",
    )


def check_groups(
    groups: Sequence[tuple[Group, Sequence[Member]]], supervisors: Sequence[Supervisor]
) -> Iterator[Check]:
    """Whether somebody is monitored, every supervisor may monitor, and each agent has one who may."""
    own = {supervisor.extension_id for supervisor in supervisors}
    monitored = {m.extension_id for _, members in groups for m in members if "Monitored" in m.permissions}
    heard, busy = set(), set()
    for _, members in groups:
        monitoring = {m.extension_id for m in members if "Monitoring" in m.permissions} & own
        agents = {m.extension_id for m in members if "Monitored" in m.permissions}
        if monitoring and agents:
            heard |= agents
            busy |= monitoring
    yield verdict(
        "monitored agents",
        f"{len(monitored)} extensions are monitored in {len(groups)} groups",
        well=bool(monitored),
        remedy="add agents with permission Monitored to a call monitoring group: `earshot groups bootstrap`",
    )
    idle = sorted(own - busy)
    yield verdict(
        "supervisors' permission",
        f"extension {idle[0]} may monitor nobody" if idle else f"{len(own)} may monitor",
        well=not idle,
        remedy=f"give {', '.join(idle)} Monitoring in the agents' groups: `earshot groups assign`",
    )
    alone = sorted(monitored - heard)
    if monitored:
        yield verdict(
            "agents with a supervisor",
            f"{len(monitored) - len(alone)} of {len(monitored)}",
            well=not alone,
            remedy=f"no supervisor of ours may monitor {_some(alone)}: give one Monitoring in their groups, or add one "
            "to RINGCENTRAL_JWTS",
        )


def check_devices(supervisor: Supervisor) -> Iterator[Check]:
    """Whether the supervisor has a device of the type that supervision needs, and whether it is Online."""
    usable, online = supervisor.usable(), supervisor.online()
    types = sorted({str(device.get("type")) for device in supervisor.devices})
    strange = sorted(set(supervisor.chosen) - {str(device.get("id")) for device in usable})
    if strange:
        why = (
            f"RINGCENTRAL_JWTS names {_some(strange)}: no Existing Phone of extension {supervisor.extension_id} has it"
        )
    else:
        why = f"add an Existing Phone to extension {supervisor.extension_id}; a SoftPhone (the app) does not serve"
    yield verdict(
        f"device type of {supervisor.extension_id}",
        f"{len(usable)} of type OtherPhone (Existing Phone in the portal)"
        + (f"; it has {', '.join(types)}" if types and not usable else ""),
        well=bool(usable) and not strange,
        remedy=why,
    )
    offline = [str(device.get("id")) for device in usable if device not in online]
    yield verdict(
        f"device Online of {supervisor.extension_id}",
        f"{len(online)} of {len(usable)} Online",
        well=bool(online) and not offline,
        remedy=f"not registered: {_some(offline) or 'any'}; start the media gateway, which registers devices, let SIP "
        "over TLS out (port 5096), and look again",
    )


def check_topics(existing: Iterable[str], wanted: Iterable[str]) -> Check:
    """Whether every topic is there."""
    missing = sorted(set(wanted) - set(existing))
    return verdict(
        "topics",
        "all there" if not missing else f"{len(missing)} missing, such as {missing[0]}",
        well=not missing,
        remedy="run `earshot topics`",
    )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")
