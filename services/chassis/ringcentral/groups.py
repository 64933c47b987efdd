"""Call monitoring groups over REST: who may supervise whom. Source: RingCentral's Call Monitoring Groups API.

Rate-limit groups: everything Medium, the bulk assignment Heavy. Reading needs the app permission ReadAccounts,
changing EditExtensions and the user permission Groups. Ids are text throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from services.chassis.ringcentral.assignment import Changes, Permission, read_permissions

GROUPS = "/restapi/v1.0/account/~/call-monitoring-groups"
MOST_PER_PAGE = 1000
"""What RingCentral gives at most; more is cut to it without a word."""


class GroupsRest(Protocol):
    """What is used of REST; `RingCentralClient` and `PatientRest` have it. All raise RingCentralRefused."""

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Create or command."""
        ...

    def put(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Replace."""
        ...

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Remove."""
        ...

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """The records of a list."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A monitoring group; `site_id` is "" where RingCentral tells none."""

    group_id: str
    name: str
    site_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A membership; both permissions may sit on one."""

    extension_id: str
    extension_number: str
    permissions: frozenset[Permission]


class MonitoringGroups:
    """The company's groups; thread-safe as far as `rest` is. Every method raises RingCentralRefused."""

    def __init__(self, rest: GroupsRest, *, per_page: int = MOST_PER_PAGE) -> None:
        self._rest = rest
        self._per_page = str(per_page)

    def find(self, *, member_id: str = "", site_id: str = "") -> list[Group]:
        """All groups, or those with this member, of this site."""
        query = {"perPage": self._per_page, "memberExtensionId": member_id, "siteId": site_id}
        records = self._rest.pages(GROUPS, {key: value for key, value in query.items() if value})
        return [_group(record) for record in records if record.get("id")]

    def members(self, group_id: str) -> list[Member]:
        """The group's members, in RingCentral's order."""
        records = self._rest.pages(f"{_path(group_id)}/members", {"perPage": self._per_page})
        return [_member(record) for record in records if record.get("id")]

    def create(self, name: str, *, site_id: str = "") -> Group:
        """A new group without members; the name must be one that no other group has."""
        body = {"name": name} | ({"site": {"id": site_id}} if site_id else {})
        made = _group(self._rest.post(GROUPS, body))
        return Group(group_id=made.group_id, name=made.name, site_id=made.site_id or site_id)

    def rename(self, group: Group, name: str) -> Group:
        """The group under its new name."""
        self._rest.put(_path(group.group_id), {"name": name})
        return Group(group_id=group.group_id, name=name, site_id=group.site_id)

    def delete(self, group_id: str) -> None:
        """Remove the group: none of its supervisors may supervise through it any more."""
        self._rest.delete(_path(group_id))

    def assign(self, group_id: str, parts: Iterable[Changes]) -> int:
        """Send the parts in order, one request each; returns how many were sent."""
        sent = 0
        for part in parts:
            self._rest.post(f"{_path(group_id)}/bulk-assign", part.body())
            sent += 1
        return sent


def _path(group_id: str) -> str:
    return f"{GROUPS}/{quote(group_id, safe='')}"


def _group(record: Mapping[str, Any]) -> Group:
    site = record.get("site") or {}
    return Group(
        group_id=str(record.get("id", "")), name=str(record.get("name") or ""), site_id=str(site.get("id") or "")
    )


def _member(record: Mapping[str, Any]) -> Member:
    return Member(
        extension_id=str(record["id"]),
        extension_number=str(record.get("extensionNumber") or ""),
        permissions=read_permissions(record.get("permissions")),
    )
