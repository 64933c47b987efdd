"""The floor as the compacted topics tell it: roster and devices, followed by a thread, read from the event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.chassis.consumer import Incoming
from services.contracts import topics
from services.supervision_orchestrator.adapters.incoming import device, memberships
from services.supervision_orchestrator.domain.floor import Device, Floor, Membership, Roster
from services.supervision_orchestrator.domain.policy import Policy

FOLLOWED = (topics.MONITORING_ROSTER, topics.MEDIA_DEVICES)


class FloorView:
    """`take` is a TopicView's callback; `floor` gives a consistent picture at any time, from any thread.

    `on_device` is called, on the view's thread, when a device has come online or has room that it had not.
    """

    def __init__(self, supervisor_extension_id: str, policy: Policy, on_device: Callable[[], object]) -> None:
        self._lock = threading.Lock()
        self._entries: dict[str, tuple[Membership, ...]] = {}
        self._devices: dict[str, Device] = {}
        self._supervisor_extension_id = supervisor_extension_id
        self._policy = policy
        self._on_device = on_device

    def take(self, message: Incoming) -> None:
        """One record or tombstone. Raises Poison."""
        if message.topic.name == topics.MONITORING_ROSTER.name:
            self._take_entry(message.key, message.value)
        else:
            self._take_device(message.key, message.value)

    def floor(self) -> Floor:
        """The picture now."""
        with self._lock:
            return Floor(
                roster=Roster(dict(self._entries)),
                devices=tuple(self._devices.values()),
                supervisor_extension_id=self._supervisor_extension_id,
                policy=self._policy,
            )

    def _take_entry(self, extension_id: str, value: bytes | None) -> None:
        entry = memberships(value) if value else None
        with self._lock:
            if entry is None:
                self._entries.pop(extension_id, None)
            else:
                self._entries[extension_id] = entry

    def _take_device(self, device_id: str, value: bytes | None) -> None:
        told = device(value) if value else None
        with self._lock:
            before = self._devices.get(device_id)
            if told is None:
                self._devices.pop(device_id, None)
            else:
                self._devices[told.device_id] = told
        roomier = told is not None and told.online and told.free_slots > 0
        if roomier and (before is None or not before.online or before.free_slots < told.free_slots):  # type: ignore[union-attr]
            self._on_device()
