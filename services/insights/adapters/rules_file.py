"""The rules file: YAML to values that know their line, and those to rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from services.chassis.errors import SettingError
from services.insights.domain.rule_reading import Node, RuleError, read_rules
from services.insights.domain.rules import RuleBook

PACKAGED_RULES = Path(__file__).resolve().parents[1] / "rules.yaml"


def load_rules(path: Path) -> RuleBook:
    """The rule book. Raises SettingError whose lines name the file's line, the rule and the field."""
    try:
        return parse_rules(path.read_text(encoding="utf-8"))
    except RuleError as error:
        told = "\n".join(f"  {path.name} {line}" for line in str(error).splitlines())
        raise SettingError(f"INSIGHTS_RULES_FILE: {path} cannot be used\n{told}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"INSIGHTS_RULES_FILE: {path} cannot be read ({type(error).__name__})") from None


def parse_rules(text: str) -> RuleBook:
    """The rules of a YAML text. Raises RuleError."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise RuleError(f"{where}the file: is no YAML ({getattr(error, 'problem', None) or 'unreadable'})") from None
    if root is None:
        raise RuleError("line 1: the file: is empty; wants `rules:` with one entry a rule")
    return read_rules(_node(root))


def _node(node: yaml.Node) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                raise RuleError(
                    f"line {key.start_mark.line + 1}: {name}: is there twice (first in line {found[name].line})"
                )
            inner = _node(value)
            found[name] = Node(inner.value, key.start_mark.line + 1)
        return Node(found, line)
    if isinstance(node, yaml.SequenceNode):
        return Node([_node(item) for item in node.value], line)
    return Node(_scalar(node), line)


def _scalar(node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except yaml.YAMLError:
        raise RuleError(f"line {node.start_mark.line + 1}: {node.value}: cannot be read") from None
    finally:
        loader.dispose()
