"""The monitoring groups and their members, read by REST. Blocking; called from one thread at a time."""

from __future__ import annotations

from typing import Any

import structlog

from services.chassis.clock import Clock
from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.chassis.ringcentral.extensions import EXTENSIONS
from services.chassis.ringcentral.groups import Group, MonitoringGroups
from services.event_ingestor.domain.roster import Entry, Member, assemble, held_permissions

log = structlog.get_logger()
PAGE = {"perPage": "1000"}
NAMES_FOR_S = 3600.0


class RosterSource:
    """Reads the roster; `requests` is what the latest reading took, all of RingCentral's medium group."""

    def __init__(self, client: RingCentralClient, clock: Clock) -> None:
        self._client = client
        self._groups = MonitoringGroups(client)
        self._clock = clock
        self._names: dict[str, str] = {}
        self._names_until_s = -1.0
        self.requests = 0

    def read(self) -> dict[str, Entry]:
        """Every member of every group, by extension id. Raises RingCentralRefused."""
        self.requests = 1
        members: list[Member] = []
        for group in self._groups.find():
            members += self._members(group)
        return assemble(members, self._named({member.extension_id for member in members}))

    def _members(self, group: Group) -> list[Member]:
        self.requests += 1
        try:
            found = self._groups.members(group.group_id)
        except RingCentralRefused as refusal:
            if refusal.status == 404:  # deleted since the list was read
                return []
            raise
        return [
            Member(
                group_id=group.group_id,
                group_name=group.name,
                extension_id=member.extension_id,
                extension_number=member.extension_number,
                permissions=held_permissions(member.permissions),
            )
            for member in found
        ]

    def _named(self, wanted: set[str]) -> dict[str, str]:
        """Display names; read when someone is new, and once an hour. A roster without names is better than none."""
        now = self._clock.monotonic_s()
        if wanted <= self._names.keys() and now < self._names_until_s:
            return self._names
        try:
            self.requests += 1
            found = {str(record["id"]): _name(record) for record in self._client.pages(EXTENSIONS, PAGE)}
        except RingCentralRefused as refusal:
            log.warning("extension_names_unknown", status=refusal.status, error_code=refusal.error_code)
            found = {}
        self._names = dict.fromkeys(wanted, "") | self._names | found
        self._names_until_s = now + NAMES_FOR_S
        return self._names


def _name(record: dict[str, Any]) -> str:
    return str(record.get("name") or "")
