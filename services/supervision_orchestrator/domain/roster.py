"""Who may be monitored by whom, as RingCentral's call monitoring groups say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One extension's place in one monitoring group; both permissions may sit on it."""

    group_id: str
    monitored: bool
    monitoring: bool


@dataclass(frozen=True, slots=True)
class Roster:
    """Memberships by extension id."""

    entries: Mapping[str, tuple[Membership, ...]] = field(default_factory=dict)

    def is_monitored(self, extension_id: str) -> bool:
        """Whether any group lets the extension be monitored."""
        return any(member.monitored for member in self.entries.get(extension_id, ()))

    def may_supervise(self, supervisor_extension_id: str, agent_extension_id: str) -> bool:
        """Whether a group gives the supervisor Monitoring over the agent."""
        supervised = {m.group_id for m in self.entries.get(supervisor_extension_id, ()) if m.monitoring}
        return any(m.monitored and m.group_id in supervised for m in self.entries.get(agent_extension_id, ()))
