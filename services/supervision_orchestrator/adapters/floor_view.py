"""The floor as the compacted topics tell it: roster and devices, followed by a thread, read from the event loop."""

from __future__ import annotations

import threading
from dataclasses import replace

from services.chassis.consumer import Incoming
from services.contracts import topics
from services.supervision_orchestrator.adapters.incoming import device, memberships
from services.supervision_orchestrator.domain.floor import Device, Floor, Supervisor
from services.supervision_orchestrator.domain.policy import Policy
from services.supervision_orchestrator.domain.roster import Membership, Roster
from services.supervision_orchestrator.domain.rules import Rules

FOLLOWED = (topics.MONITORING_ROSTER, topics.MEDIA_DEVICES)


class FloorView:
    """`take` is a TopicView's callback; `floor` gives a consistent picture at any time, from any thread."""

    def __init__(self, policy: Policy, rules: Rules) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[Membership, ...]] = {}
        self._devices: dict[str, Device] = {}
        self._floor = Floor(policy=policy, rules=rules)
        self._stale = False

    def take(self, message: Incoming) -> None:
        """One record or tombstone. Raises Poison."""
        if message.topic.name == topics.MONITORING_ROSTER.name:
            self._take_entry(message.key, message.value)
        else:
            self._take_device(message.key, message.value)

    def join(self, supervisor: Supervisor) -> None:
        """One more identity to supervise with."""
        with self._lock:
            self._floor = replace(self._floor, supervisors=(*self._floor.supervisors, supervisor))

    def floor(self) -> Floor:
        """The picture now."""
        with self._lock:
            if self._stale:
                self._floor = replace(
                    self._floor, roster=Roster(dict(self._entries)), devices=tuple(self._devices.values())
                )
                self._stale = False
            return self._floor

    def _take_entry(self, extension_id: str, value: bytes | None) -> None:
        entry = memberships(value) if value else None
        with self._lock:
            self._stale = True
            if entry is None:
                self._entries.pop(extension_id, None)
            else:
                self._entries[extension_id] = entry

    def _take_device(self, device_id: str, value: bytes | None) -> None:
        told = device(value) if value else None
        with self._lock:
            self._stale = True
            if told is None:
                self._devices.pop(device_id, None)
            else:
                self._devices[told.device_id] = told
