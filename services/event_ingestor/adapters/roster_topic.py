"""The roster's topic: what it held when the service started, and what is written to it since."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.chassis.clock import Clock, format_utc
from services.chassis.consumer import Incoming
from services.chassis.publisher import Publisher
from services.chassis.records import decode
from services.contracts.records import GroupMembership, RosterEntry
from services.contracts.topics import MONITORING_ROSTER
from services.event_ingestor.domain.roster import Entry, Group


class StoredRoster:
    """The callback of a TopicView: the topic's latest entries, by extension id."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def take(self, message: Incoming) -> None:
        """Take one record or tombstone; raises Poison."""
        if message.value is None:
            self.entries.pop(message.key, None)
            return
        record = decode(MONITORING_ROSTER, message.value)
        self.entries[record.extension_id] = Entry(
            extension_id=record.extension_id,
            extension_number=record.extension_number,
            name=record.name,
            groups=tuple(
                Group(group_id=group.group_id, group_name=group.group_name, permissions=group.permissions)
                for group in record.groups
            ),
        )


def publish_roster(publisher: Publisher, changed: Iterable[Entry], left: Iterable[str], clock: Clock) -> None:
    """Write entries and tombstones; raises Backpressure."""
    at = clock.now()
    for entry in changed:
        event_id = f"{entry.extension_id}@{format_utc(at)}"
        publisher.publish(MONITORING_ROSTER, entry.extension_id, _record(entry, at), event_id=event_id)
    for extension_id in left:
        event_id = f"{extension_id}@{format_utc(at)}"
        publisher.publish_value(MONITORING_ROSTER, extension_id, None, event_id=event_id)


def _record(entry: Entry, at: datetime) -> RosterEntry:
    groups: list[Any] = [
        GroupMembership(group_id=group.group_id, group_name=group.group_name, permissions=group.permissions)
        for group in entry.groups
    ]
    return RosterEntry(
        extension_id=entry.extension_id,
        extension_number=entry.extension_number,
        name=entry.name,
        groups=tuple(groups),
        updated_at=at,
    )
