"""The roster: every extension of the monitoring groups, what it may do there, and what changed since last time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Permission = Literal["monitored", "monitoring"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A membership as RingCentral lists it: both permissions may sit on one."""

    group_id: str
    group_name: str
    extension_id: str
    extension_number: str
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One of an entry's memberships."""

    group_id: str
    group_name: str
    permissions: tuple[Permission, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An extension with all its memberships, ordered by group."""

    extension_id: str
    extension_number: str
    name: str
    groups: tuple[Group, ...]

    @property
    def monitored(self) -> bool:
        """Whether any group allows it to be monitored."""
        return any("monitored" in group.permissions for group in self.groups)


Roster = Mapping[str, Entry]


def assemble(members: Iterable[Member], names: Mapping[str, str]) -> dict[str, Entry]:
    """One entry an extension; memberships without a permission do not count."""
    by_extension: dict[str, list[Member]] = {}
    for member in members:
        if member.permissions:
            by_extension.setdefault(member.extension_id, []).append(member)
    roster = {}
    for extension_id, memberships in by_extension.items():
        roster[extension_id] = Entry(
            extension_id=extension_id,
            extension_number=next((m.extension_number for m in memberships if m.extension_number), ""),
            name=names.get(extension_id, ""),
            groups=tuple(
                Group(group_id=m.group_id, group_name=m.group_name, permissions=m.permissions)
                for m in sorted(memberships, key=lambda m: m.group_id)
            ),
        )
    return roster


def held_permissions(told: Collection[str]) -> tuple[Permission, ...]:
    """RingCentral's `Monitoring` and `Monitored` in our words and order; anything else is no permission."""
    found: list[Permission] = []
    if "Monitored" in told:
        found.append("monitored")
    if "Monitoring" in told:
        found.append("monitoring")
    return tuple(found)


def diff(before: Roster, after: Roster) -> tuple[list[Entry], list[str]]:
    """What to publish: entries that are new or changed, and extensions that left (tombstones)."""
    changed = [entry for extension_id, entry in sorted(after.items()) if before.get(extension_id) != entry]
    return changed, sorted(before.keys() - after.keys())


def monitored(roster: Roster) -> frozenset[str]:
    """The extensions whose calls are watched."""
    return frozenset(extension_id for extension_id, entry in roster.items() if entry.monitored)
