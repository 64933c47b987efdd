"""docs/insights.md: its example is a rules file, its measures are those there are, its settings exist."""

from __future__ import annotations

import re
from pathlib import Path

from services.insights.adapters.rules_file import parse_rules
from services.insights.config import InsightsSettings
from services.insights.domain.rule_reading import MEASURES, RULE_FIELDS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "insights.md").read_text(encoding="utf-8")


def example() -> str:
    return PAGE.partition("```yaml\n")[2].partition("```")[0]


def test_the_example_can_be_used_and_shows_every_field() -> None:
    book = parse_rules(example())
    assert list(book.by_name) == ["cancellation", "souring", "lecturing", "no_greeting", "no_offer"]
    assert [step.name for step in book.steps] == ["greeting", "offer"]
    for field in RULE_FIELDS:
        assert re.search(rf"^\s+{field}:", example(), re.MULTILINE), field
    assert "cancellation" in book.spoken("I am cancelling all my contracts").rules
    assert "cancellation" in book.spoken("it is case number 12").rules
    assert not book.spoken("do not cancel the contract").rules


def test_measures_and_settings_are_those_there_are() -> None:
    for name in MEASURES:
        assert f"`{name}`" in PAGE, name
    known = {str(field.validation_alias) for field in InsightsSettings.model_fields.values()}
    assert set(re.findall(r"INSIGHTS_[A-Z_]+", PAGE)) <= known
