"""Monitoring groups of the agents, from `monitoring.roster`: rules may be for some groups alone."""

from __future__ import annotations

from services.chassis.consumer import Incoming
from services.chassis.records import decode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_view import TopicView
from services.contracts import topics


class RosterGroups:
    """Implements Groups. Written by the view's thread; a set is replaced whole, never changed."""

    def __init__(self) -> None:
        self._groups: dict[str, frozenset[str]] = {}

    def of(self, extension_id: str) -> frozenset[str]:
        """Ids and names of the groups in which the extension is monitored."""
        return self._groups.get(extension_id, frozenset())

    def follow(self, settings: KafkaSettings) -> TopicView:
        """A view, not started yet, that keeps this up to date."""
        return TopicView(settings, topics=[topics.MONITORING_ROSTER], on_record=self._take, name="insights-roster")

    def _take(self, incoming: Incoming) -> None:
        extension_id = incoming.key
        if not incoming.value:
            self._groups.pop(extension_id, None)
            return
        entry = decode(topics.MONITORING_ROSTER, incoming.value)
        memberships = [group for group in entry.groups if "monitored" in group.permissions]
        names = {name for group in memberships for name in (group.group_id, group.group_name) if name}
        self._groups[entry.extension_id] = frozenset(names)
