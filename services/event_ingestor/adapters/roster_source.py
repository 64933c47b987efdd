"""The monitoring groups and their members, read by REST. Blocking; called from one thread at a time."""

from __future__ import annotations

from typing import Any

import structlog

from services.chassis.clock import Clock
from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.event_ingestor.domain.roster import Entry, Member, assemble, read_permissions

log = structlog.get_logger()
GROUPS = "/restapi/v1.0/account/~/call-monitoring-groups"
EXTENSIONS = "/restapi/v1.0/account/~/extension"
PAGE = {"perPage": "1000"}
NAMES_FOR_S = 3600.0


class RosterSource:
    """Reads the roster; `requests` is what the latest reading took, all of RingCentral's medium group."""

    def __init__(self, client: RingCentralClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._names: dict[str, str] = {}
        self._names_until_s = -1.0
        self.requests = 0

    def read(self) -> dict[str, Entry]:
        """Every member of every group, by extension id. Raises RingCentralRefused."""
        self.requests = 1
        members: list[Member] = []
        for group in self._client.pages(GROUPS, PAGE):
            members += self._members(str(group.get("id", "")), str(group.get("name") or ""))
        return assemble(members, self._named({member.extension_id for member in members}))

    def _members(self, group_id: str, group_name: str) -> list[Member]:
        self.requests += 1
        try:
            records = list(self._client.pages(f"{GROUPS}/{group_id}/members", PAGE))
        except RingCentralRefused as refusal:
            if refusal.status == 404:  # deleted since the list was read
                return []
            raise
        return [
            Member(
                group_id=group_id,
                group_name=group_name,
                extension_id=str(record["id"]),
                extension_number=str(record.get("extensionNumber") or ""),
                permissions=read_permissions(record.get("permissions")),
            )
            for record in records
            if record.get("id")
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
