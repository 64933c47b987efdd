"""Who may see and hear which call.

Agents see calls whose agent they are. Supervisors see calls of agents who are monitored in a group where the
supervisor holds `monitoring`. Admins see all. A call whose agent is not known yet is shown to admins alone.
Supervisors and admins hear live what they may see; agents hear recordings of their own calls, nothing live.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Role = Literal["admin", "supervisor", "agent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Whom a token names. `extension_id` is empty for admins that have none."""

    subject: str
    role: Role
    extension_id: str = ""

    @property
    def may_listen(self) -> bool:
        """Whether live audio is for this role at all."""
        return self.role != "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An extension's groups, by what it may do or have done to it there, and how people call it."""

    monitored_in: frozenset[str] = frozenset()
    monitoring_in: frozenset[str] = frozenset()
    name: str = ""
    extension_number: str = ""


Roster = Mapping[str, Member]
NOBODY = Member()


def may_see(viewer: Viewer, agent_extension_id: str, roster: Roster) -> bool:
    """Whether the viewer may see a call of this agent (empty: not known)."""
    if viewer.role == "admin":
        return True
    if not agent_extension_id or not viewer.extension_id:
        return False
    if viewer.role == "agent":
        return viewer.extension_id == agent_extension_id
    watched = roster.get(viewer.extension_id, NOBODY).monitoring_in
    return not watched.isdisjoint(roster.get(agent_extension_id, NOBODY).monitored_in)


def may_hear(viewer: Viewer, agent_extension_id: str, roster: Roster) -> bool:
    """Whether the viewer may hear a live call of this agent."""
    return viewer.may_listen and may_see(viewer, agent_extension_id, roster)
