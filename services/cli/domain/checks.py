"""What `earshot doctor` finds out: each check has a name, a verdict and, when it failed, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding. `remedy` is empty when all is well."""

    name: str
    well: bool
    found: str
    remedy: str = ""


def check_group_members(members: Iterable[dict[str, Any]], own_extension_id: str) -> list[Check]:
    """Whether somebody is monitored, and whether the caller may monitor; members may hold both permissions."""
    held = [(str(m["id"]), set(m.get("permissions", ()))) for m in members]
    monitored = {extension for extension, permissions in held if "Monitored" in permissions}
    monitoring = {extension for extension, permissions in held if "Monitoring" in permissions}
    return [
        Check(
            name="monitored agents",
            well=bool(monitored),
            found=f"{len(monitored)} extensions are monitored",
            remedy="" if monitored else "add agents with permission Monitored to a call monitoring group",
        ),
        Check(
            name="supervisor's permission",
            well=own_extension_id in monitoring,
            found=f"extension {own_extension_id} {'may' if own_extension_id in monitoring else 'may not'} monitor",
            remedy=""
            if own_extension_id in monitoring
            else "give the JWT's extension Monitoring in the agents' groups",
        ),
    ]


def check_devices(devices: Iterable[dict[str, Any]]) -> list[Check]:
    """Whether the supervisor has a device of the type that supervision needs, and whether it is Online."""
    usable = [device for device in devices if device.get("type") == "OtherPhone"]
    online = [device for device in usable if device.get("status") == "Online"]
    return [
        Check(
            name="device type",
            well=bool(usable),
            found=f"{len(usable)} devices of type OtherPhone (Existing Phone in the portal)",
            remedy="" if usable else "add an Existing Phone to the supervisor's extension; SoftPhone does not serve",
        ),
        Check(
            name="device Online",
            well=bool(online),
            found=f"{len(online)} of {len(usable)} Online",
            remedy="" if online else "start the media gateway, which registers the device, then look again",
        ),
    ]


def check_topics(existing: Iterable[str], wanted: Iterable[str]) -> Check:
    """Whether every topic is there."""
    missing = sorted(set(wanted) - set(existing))
    return Check(
        name="topics",
        well=not missing,
        found="all there" if not missing else f"{len(missing)} missing, such as {missing[0]}",
        remedy="" if not missing else "run `earshot topics`",
    )
