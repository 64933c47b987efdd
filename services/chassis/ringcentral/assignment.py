"""Who shall hold what in a monitoring group, and the bulk assignment that gets there. Pure.

A membership is a mapping from extension id to the permissions held: `Monitoring` (may supervise), `Monitored` (may
be supervised) or both. Holding none is the same as being no member.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Permission = Literal["Monitoring", "Monitored"]
Membership = Mapping[str, frozenset[Permission]]

PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
MEMBER_TYPES = frozenset({"User", "DigitalUser", "VirtualUser", "FaxUser", "Limited"})
"""The types of extension that RingCentral takes as members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What one extension shall hold in the group; `permissions` is never empty."""

    extension_id: str
    permissions: frozenset[Permission]

    def body(self) -> dict[str, Any]:
        """RingCentral's words."""
        return {"id": self.extension_id, "permissions": listed(self.permissions)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """A bulk assignment. No extension stands in it twice."""

    added: tuple[Assignment, ...] = ()
    updated: tuple[Assignment, ...] = ()
    removed: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.added) + len(self.updated) + len(self.removed)

    def body(self) -> dict[str, Any]:
        """The request's body; only the lists that hold something."""
        lists = {
            "addedExtensions": [assignment.body() for assignment in self.added],
            "updatedExtensions": [assignment.body() for assignment in self.updated],
            "removedExtensions": [{"id": extension_id} for extension_id in self.removed],
        }
        return {key: entries for key, entries in lists.items() if entries}

    def split(self, most: int) -> Iterator[Changes]:
        """The same in parts of at most `most` extensions; none when there is nothing to do.

        Removals come last, so that being cut off between two parts takes no permission away early.
        """
        for start in range(0, len(self), most):
            end = start + most
            updated_from, removed_from = len(self.added), len(self.added) + len(self.updated)
            yield Changes(
                added=self.added[start:end],
                updated=self.updated[max(0, start - updated_from) : max(0, end - updated_from)],
                removed=self.removed[max(0, start - removed_from) : max(0, end - removed_from)],
            )


def plan_changes(current: Membership, wanted: Membership) -> Changes:
    """What turns `current` into `wanted` for the extensions that `wanted` names; the others stay as they are.

    No permission wanted means removal. Ordered by extension id.
    """
    added, updated, removed = [], [], []
    for extension_id in sorted(wanted):
        held, permissions = current.get(extension_id), wanted[extension_id]
        if not permissions:
            if held is not None:
                removed.append(extension_id)
        elif held is None:
            added.append(Assignment(extension_id=extension_id, permissions=permissions))
        elif held != permissions:
            updated.append(Assignment(extension_id=extension_id, permissions=permissions))
    return Changes(added=tuple(added), updated=tuple(updated), removed=tuple(removed))


def applied(changes: Changes, current: Membership) -> dict[str, frozenset[Permission]]:
    """The membership after the changes."""
    set_anew = {a.extension_id: a.permissions for a in (*changes.added, *changes.updated)}
    return {key: held for key, held in {**current, **set_anew}.items() if key not in changes.removed}


def listed(permissions: frozenset[Permission]) -> list[Permission]:
    """In a fixed order, for bodies and screens."""
    return [permission for permission in PERMISSIONS if permission in permissions]


def read_permissions(values: object) -> frozenset[Permission]:
    """Permissions as RingCentral lists them; words that are none count for nothing."""
    told = {str(value) for value in values} if isinstance(values, list) else set()
    return frozenset(permission for permission in PERMISSIONS if permission in told)
