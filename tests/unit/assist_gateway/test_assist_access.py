from __future__ import annotations

import pytest

from services.assist_gateway.domain.access import Member, Viewer, may_see

ROSTER = {
    "agent-a": Member(monitored_in=frozenset({"sales"})),
    "agent-b": Member(monitored_in=frozenset({"support"})),
    "agent-ab": Member(monitored_in=frozenset({"sales", "support"})),
    "agent-none": Member(),
    "boss-sales": Member(monitoring_in=frozenset({"sales"})),
    "boss-both": Member(monitoring_in=frozenset({"sales", "support"})),
    "lead": Member(monitored_in=frozenset({"sales"}), monitoring_in=frozenset({"support"})),
}
AGENTS = ("agent-a", "agent-b", "agent-ab", "agent-none", "lead", "stranger", "")


@pytest.mark.parametrize(
    ("role", "extension_id", "sees"),
    [
        ("admin", "", set(AGENTS)),
        ("agent", "agent-a", {"agent-a"}),
        ("agent", "stranger", {"stranger"}),
        ("agent", "", set()),
        ("agent", "boss-both", set()),
        ("supervisor", "boss-sales", {"agent-a", "agent-ab", "lead"}),
        ("supervisor", "boss-both", {"agent-a", "agent-b", "agent-ab", "lead"}),
        ("supervisor", "lead", {"agent-b", "agent-ab"}),
        ("supervisor", "agent-a", set()),
        ("supervisor", "not-in-roster", set()),
        ("supervisor", "", set()),
    ],
)
def test_who_sees_whose_calls(role: str, extension_id: str, sees: set[str]) -> None:
    viewer = Viewer(subject="x", role=role, extension_id=extension_id)  # type: ignore[arg-type]
    assert {agent for agent in AGENTS if may_see(viewer, agent, ROSTER)} == sees


def test_being_monitored_is_not_being_a_group_member_alone() -> None:
    roster = {"boss": Member(monitoring_in=frozenset({"g"})), "peer": Member(monitoring_in=frozenset({"g"}))}
    assert not may_see(Viewer(subject="x", role="supervisor", extension_id="boss"), "peer", roster)
