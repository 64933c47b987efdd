"""Reads the knowledge base and the rules from disk, at start. What cannot be read stops the service and says why."""

from __future__ import annotations

from pathlib import Path

import yaml

from services.chassis.errors import SettingError
from services.insights.domain.articles import Passage, read_article
from services.insights.domain.rules import Rule, RuleError, read_rules

PACKAGE = Path(__file__).resolve().parents[1]
SAMPLE_KNOWLEDGE = PACKAGE / "sample_knowledge"
PACKAGED_RULES = PACKAGE / "rules.yaml"


def load_passages(folder: Path) -> tuple[Passage, ...]:
    """The passages of every `*.md` below the folder. Raises SettingError."""
    if not folder.is_dir():
        raise SettingError(f"INSIGHTS_KNOWLEDGE_DIR: {folder} is no folder")
    passages: list[Passage] = []
    for path in sorted(folder.rglob("*.md")):
        name = path.relative_to(folder).as_posix()
        try:
            passages += read_article(name, path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"INSIGHTS_KNOWLEDGE_DIR: {name} cannot be read ({type(error).__name__})") from None
    if not passages:
        raise SettingError(f"INSIGHTS_KNOWLEDGE_DIR: {folder} holds no Markdown article")
    return tuple(passages)


def load_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a YAML file. Raises SettingError."""
    try:
        return read_rules(yaml.safe_load(path.read_text(encoding="utf-8")))
    except RuleError as error:
        raise SettingError(f"INSIGHTS_RULES_FILE: {error}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise SettingError(f"INSIGHTS_RULES_FILE: {path.name} is no YAML{where}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"INSIGHTS_RULES_FILE: {path} cannot be read ({type(error).__name__})") from None
