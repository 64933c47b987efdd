"""Keyword rules, the rules file's errors, how talk is shared, sentiment labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.chassis.errors import SettingError
from services.insights.adapters.files import PACKAGED_RULES, load_passages, load_rules
from services.insights.adapters.lexicon import VaderScorer
from services.insights.domain.dynamics import Dynamics, Span, measure
from services.insights.domain.rules import RuleError, matching, read_rules
from services.insights.domain.sentiment import Mean, label

RULES = load_rules(PACKAGED_RULES)


@pytest.mark.parametrize(
    ("role", "text", "names"),
    [
        ("customer", "I want to cancel my contract.", ["cancellation"]),
        ("customer", "Cancelling all of my contracts today.", ["cancellation"]),
        ("agent", "You can cancel the contract.", []),
        ("customer", "Let me speak with your manager!", ["escalation"]),
        ("customer", "You will hear from my lawyer.", ["legal"]),
        ("customer", "Hello, good morning.", []),
        ("unknown", "I want to cancel my contract.", []),
    ],
)
def test_packaged_rules(role: Any, text: str, names: list[str]) -> None:
    assert [rule.name for rule in matching(RULES, role, text)] == names


def test_a_gap_is_three_words_at_most() -> None:
    rules = read_rules({"rules": {"x": {"category": "c", "phrases": ["cancel * contract"]}}})
    assert matching(rules, "agent", "cancel a b c contract")
    assert not matching(rules, "agent", "cancel a b c d contract")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (None, "rules:"),
        ({"rules": []}, "rules:"),
        ({"rules": {"x": 1}}, "x: wants category"),
        ({"rules": {"x": {"category": "c", "phrases": []}}}, "x: phrases"),
        ({"rules": {"x": {"phrases": ["a"]}}}, "x: category"),
        ({"rules": {"x": {"category": "c", "phrases": ["a"], "role": "boss"}}}, "x: role wants one of agent"),
        ({"rules": {"x": {"category": "c", "phrases": ["a"], "alert": "red"}}}, "x: alert wants one of info"),
        ({"rules": {"x": {"category": "c", "phrases": ["a"], "cool_down_s": -1}}}, "x: cool_down_s"),
        ({"rules": {"x": {"category": "c", "phrases": ["a"], "colour": 1}}}, "x: unknown key colour"),
    ],
)
def test_a_wrong_rules_file_says_where(document: Any, says: str) -> None:
    with pytest.raises(RuleError, match=says):
        read_rules(document)


def test_unreadable_files_name_the_setting(tmp_path: Path) -> None:
    broken = tmp_path / "rules.yaml"
    broken.write_text("rules: [")
    with pytest.raises(SettingError, match=r"INSIGHTS_RULES_FILE: rules.yaml is no YAML at line"):
        load_rules(broken)
    with pytest.raises(SettingError, match="INSIGHTS_RULES_FILE"):
        load_rules(tmp_path / "missing.yaml")
    with pytest.raises(SettingError, match=r"INSIGHTS_KNOWLEDGE_DIR: .* is no folder"):
        load_passages(tmp_path / "missing")
    with pytest.raises(SettingError, match="holds no Markdown"):
        load_passages(tmp_path)


@pytest.mark.parametrize(
    ("agent", "customer", "others", "expected"),
    [
        ([], [], [], Dynamics()),
        ([(0, 1000)], [], [], Dynamics(agent_talk_ms=1000, agent_share=1.0)),
        (
            [(0, 1000)], [(3000, 4000)], [],
            Dynamics(agent_talk_ms=1000, customer_talk_ms=1000, silence_ms=2000, agent_share=0.5),
        ),
        (
            [(0, 3000)], [(2000, 3000), (500, 700)], [],
            Dynamics(agent_talk_ms=3000, customer_talk_ms=1200, overtalk_ms=1200, agent_share=0.714),
        ),
        ([(0, 1000)], [], [(1500, 2000)], Dynamics(agent_talk_ms=1000, silence_ms=500, agent_share=1.0)),
        ([(0, 1000), (500, 1500)], [], [], Dynamics(agent_talk_ms=1500, agent_share=1.0)),
    ],
)  # fmt: skip
def test_how_talk_is_shared(agent: list[Span], customer: list[Span], others: list[Span], expected: Dynamics) -> None:
    assert measure(agent, customer, others) == expected


def test_feelings() -> None:
    scorer = VaderScorer()
    assert label(scorer.score("I am very angry about it.")) == "negative"
    assert label(scorer.score("That is great, thank you!")) == "positive"
    assert label(scorer.score("It is on the table.")) == "neutral"
    assert Mean().add(1.0).add(0.0).value == 0.5
    assert Mean().value == 0
