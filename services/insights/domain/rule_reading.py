"""A rules file's tree to rules, with every mistake told by line, rule and field.

The tree is what the YAML adapter makes of the file: values that know their line. Reading goes on after a mistake, so
that one look shows them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, TypeVar, cast, get_args

import re2

from services.insights.domain.dynamics import Dynamics
from services.insights.domain.inputs import Role
from services.insights.domain.outputs import Severity
from services.insights.domain.phrases import Phrase, read_phrase
from services.insights.domain.rules import (
    ANCHORS,
    COOL_DOWN_MS,
    Advice,
    Bounds,
    Feeling,
    Measure,
    NotSaid,
    Rule,
    RuleBook,
    Step,
    Words,
)

ValueT = TypeVar("ValueT")
RULE_FIELDS = (
    "title", "category", "role", "groups", "alert", "checklist", "cool_down_s", "phrases", "patterns", "unless",
    "near_misses", "sentiment", "dynamics", "after_s", "not_said", "suggest",
)  # fmt: skip
STEP_FIELDS = ("title", "groups", "after")
MEASURES: dict[str, tuple[str, float]] = {
    (name.removesuffix("_ms") + "_s" if name.endswith("_ms") else name): (name, 0.001 if name.endswith("_ms") else 1.0)
    for name in (each.name for each in fields(Dynamics))
    if name != "timeline"
}
"""What a rule may ask of the dynamics, by its name in the file: field and scale."""


class RuleError(ValueError):
    """The rules file is wrong; one line a mistake."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file: text, number, truth, None, list of nodes, or mapping of text to node, and its line."""

    value: Any
    line: int


class _Reader:
    """Collects mistakes. `where` is what the value belongs to, such as `rule cancellation`."""

    def __init__(self) -> None:
        self.mistakes: list[tuple[int, str]] = []

    def wrong(self, line: int, where: str, wants: str) -> None:
        self.mistakes.append((line, f"line {line}: {where}: {wants}"))

    def mapping(self, node: Node, where: str, known: Sequence[str] | None, wants: str) -> Mapping[str, Node]:
        if not isinstance(node.value, dict):
            self.wrong(node.line, where, f"wants {wants}")
            return {}
        for name, inner in node.value.items():
            if known is not None and name not in known:
                meant = get_close_matches(name, known, 1)
                hint = f" (did you mean {meant[0]}?)" if meant else f"; known are {', '.join(known)}"
                self.wrong(inner.line, where, f"unknown field {name}{hint}")
        return node.value

    def text(self, node: Node | None, where: str, default: str = "") -> str:
        if node is None:
            return default
        if not isinstance(node.value, str) or not node.value.strip():
            self.wrong(node.line, where, "wants a text")
            return default
        return node.value.strip()

    def number(self, node: Node | None, where: str, default: float, lowest: float, highest: float) -> float:
        if node is None:
            return default
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not lowest <= value <= highest:
            limits = f"from {lowest:g} to {highest:g}" if highest < 1e9 else f"of at least {lowest:g}"
            self.wrong(node.line, where, f"wants a number {limits}, not {_shown(value)}")
            return default
        return float(value)

    def truth(self, node: Node | None, where: str, default: bool) -> bool:
        if node is None:
            return default
        if not isinstance(node.value, bool):
            self.wrong(node.line, where, f"wants true or false, not {_shown(node.value)}")
            return default
        return node.value

    def one_of(self, node: Node | None, where: str, allowed: Sequence[str]) -> str | None:
        if node is None:
            return None
        if node.value not in allowed:
            self.wrong(node.line, where, f"wants one of {', '.join(allowed)}, not {_shown(node.value)}")
            return None
        return str(node.value)

    def texts(self, node: Node | None, where: str, read: Callable[[str], ValueT]) -> tuple[ValueT, ...]:
        """Each text of a list, or the one text, through `read`, whose ValueError is a mistake."""
        if node is None:
            return ()
        items = node.value if isinstance(node.value, list) else [node]
        if not items:
            self.wrong(node.line, where, "wants at least one text")
        found = []
        for item in items:
            if not isinstance(item.value, str) or not item.value.strip():
                self.wrong(item.line, where, f"wants texts, not {_shown(item.value)}")
                continue
            try:
                found.append(read(item.value))
            except ValueError as error:
                self.wrong(item.line, where, f"{_shown(item.value)} {error}")
        return tuple(found)


def read_rules(root: Node) -> RuleBook:
    """The rule book. Raises RuleError with every mistake, in the file's order."""
    reader = _Reader()
    top = reader.mapping(root, "the file", ("rules", "checklist"), "`rules:` with one entry a rule")
    steps = tuple(
        _step(reader, name, node)
        for name, node in _entries(reader, top.get("checklist"), "checklist", "one entry a step")
    )
    entries = _entries(reader, top.get("rules"), "rules", "one entry a rule")
    rules = tuple(_rule(reader, name, node) for name, node in entries)
    if not entries and not reader.mistakes:
        reader.wrong(root.line, "the file", "wants `rules:` with one entry a rule")
    _tie(reader, top, rules, steps)
    if reader.mistakes:
        raise RuleError("\n".join(text for _, text in sorted(reader.mistakes)))
    return RuleBook(rules, steps)


def _entries(reader: _Reader, node: Node | None, where: str, wants: str) -> list[tuple[str, Node]]:
    return list(reader.mapping(node, where, None, wants).items()) if node is not None else []


def _step(reader: _Reader, name: str, node: Node) -> Step:
    where = f"checklist {name}"
    if isinstance(node.value, str):
        return Step(name=name, title=node.value)
    given = reader.mapping(node, where, STEP_FIELDS, f"a title, or {', '.join(STEP_FIELDS)}")
    return Step(
        name=name,
        title=reader.text(given.get("title"), f"{where}: title", name),
        groups=frozenset(reader.texts(given.get("groups"), f"{where}: groups", str.strip)),
        after=reader.text(given.get("after"), f"{where}: after"),
    )


def _rule(reader: _Reader, name: str, node: Node) -> Rule:
    where = f"rule {name}"
    given = reader.mapping(node, where, RULE_FIELDS, "phrases or another condition, and what follows from it")

    def at(field: str) -> str:
        return f"{where}: {field}"

    words = _words(reader, given, at)
    not_said = None
    if (denied := given.get("not_said")) is not None:
        inner = reader.mapping(
            denied, at("not_said"), ("phrases", "patterns", "unless", "within_s", "of"), "phrases and within_s"
        )
        if words is not None:
            reader.wrong(denied.line, at("not_said"), "takes the phrases itself; the rule must have none beside it")
        words = _words(reader, inner, lambda field: at(f"not_said: {field}"))
        if words is None:
            reader.wrong(denied.line, at("not_said"), "wants phrases or patterns")
        if "within_s" not in inner:
            reader.wrong(denied.line, at("not_said"), "wants within_s")
        within_s = reader.number(inner.get("within_s"), at("not_said: within_s"), 30, 1, 86_400)
        not_said = NotSaid(
            within_ms=round(within_s * 1000), of=reader.text(inner.get("of"), at("not_said: of"), "answer")
        )
    cool_down_s = reader.number(given.get("cool_down_s"), at("cool_down_s"), COOL_DOWN_MS / 1000, 0, 86_400)
    rule = Rule(
        name=name,
        title=reader.text(given.get("title"), at("title")),
        category=reader.text(given.get("category"), at("category")),
        role=cast("Role | None", reader.one_of(given.get("role"), at("role"), get_args(Role))),
        groups=frozenset(reader.texts(given.get("groups"), at("groups"), str.strip)),
        alert=cast("Severity | None", reader.one_of(given.get("alert"), at("alert"), get_args(Severity))),
        step=reader.text(given.get("checklist"), at("checklist")),
        cool_down_ms=round(1000 * cool_down_s),
        words=words,
        feeling=_feeling(reader, given.get("sentiment"), at("sentiment")),
        measures=_measures(reader, given.get("dynamics"), at("dynamics")),
        after_ms=round(1000 * reader.number(given.get("after_s"), at("after_s"), 0, 0, 86_400)),
        not_said=not_said,
        advice=_advice(reader, given.get("suggest"), at("suggest")),
    )  # fmt: skip
    if given:
        _whole(reader, rule, node.line, where)
    return rule


def _whole(reader: _Reader, rule: Rule, line: int, where: str) -> None:
    if rule.words is None and rule.feeling is None and not rule.measures:
        reader.wrong(line, where, "wants a condition: phrases, patterns, sentiment, dynamics or not_said")
    if not (rule.category or rule.alert or rule.step or rule.advice):
        reader.wrong(line, where, "wants what follows: category, alert, checklist or suggest")
    if rule.not_said is not None and (rule.feeling or rule.measures):
        reader.wrong(line, where, "not_said cannot be combined with sentiment or dynamics")
    if rule.not_said is not None and rule.not_said.of == rule.name:
        reader.wrong(line, where, "not_said: of: cannot be the rule itself")


def _words(reader: _Reader, given: Mapping[str, Node], at: Callable[[str], str]) -> Words | None:
    if "phrases" not in given and "patterns" not in given:
        return None
    return Words(
        phrases=reader.texts(given.get("phrases"), at("phrases"), read_phrase),
        patterns=reader.texts(given.get("patterns"), at("patterns"), _pattern),
        unless=reader.texts(given.get("unless"), at("unless"), read_phrase),
        near_misses=reader.truth(given.get("near_misses"), at("near_misses"), True),
    )


def _pattern(text: str) -> Any:
    """Compiled by RE2, whose time grows with the text alone: no expression can hold up the calls."""
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error.args[0])
        raise ValueError(f"is no regular expression of RE2 ({reason})") from None


def _bounds(reader: _Reader, given: Mapping[str, Node], line: int, where: str, lowest: float, highest: float) -> Bounds:
    if "above" not in given and "below" not in given:
        reader.wrong(line, where, "wants above or below")

    def limit(name: str) -> float | None:
        node = given.get(name)
        return None if node is None else reader.number(node, f"{where}: {name}", lowest, lowest, highest)

    return Bounds(above=limit("above"), below=limit("below"))


def _feeling(reader: _Reader, node: Node | None, where: str) -> Feeling | None:
    if node is None:
        return None
    given = reader.mapping(node, where, ("above", "below", "over"), "above or below, and over")
    over = reader.number(given.get("over"), f"{where}: over", 1, 1, 20)
    return Feeling(bounds=_bounds(reader, given, node.line, where, -1, 1), over=int(over))


def _measures(reader: _Reader, node: Node | None, where: str) -> tuple[Measure, ...]:
    if node is None:
        return ()
    found = []
    for name, limits in reader.mapping(
        node, where, tuple(MEASURES), "measures such as `agent_share: {above: 0.8}`"
    ).items():
        if name in MEASURES:
            field, scale = MEASURES[name]
            given = reader.mapping(limits, f"{where}: {name}", ("above", "below"), "above or below")
            bounds = _bounds(reader, given, limits.line, f"{where}: {name}", 0, 1e9)
            found.append(Measure(name=name, field=field, scale=scale, bounds=bounds))
    return tuple(found)


def _advice(reader: _Reader, node: Node | None, where: str) -> Advice | None:
    if node is None:
        return None
    given = reader.mapping(node, where, ("title", "text", "url"), "title and text")
    for name in ("title", "text"):
        if name not in given:
            reader.wrong(node.line, where, f"wants {name}")
    return Advice(
        title=reader.text(given.get("title"), f"{where}: title"),
        text=reader.text(given.get("text"), f"{where}: text"),
        url=reader.text(given.get("url"), f"{where}: url"),
    )


def _tie(reader: _Reader, top: Mapping[str, Node], rules: Iterable[Rule], steps: Iterable[Step]) -> None:
    """What names another entry must name one that is there."""
    known_steps, known_rules = {step.name for step in steps}, {rule.name for rule in rules}

    def line(section: str, name: str, *path: str) -> int:
        node = top[section].value[name]
        for part in path:
            node = node.value[part]
        return int(node.line)

    for rule in rules:
        if rule.step and rule.step not in known_steps:
            reader.wrong(
                line("rules", rule.name, "checklist"), f"rule {rule.name}: checklist", f"there is no step {rule.step}"
            )
        if rule.not_said and rule.not_said.of not in known_rules | set(ANCHORS):
            reader.wrong(
                line("rules", rule.name, "not_said", "of"), f"rule {rule.name}: not_said: of",
                f"wants {' or '.join(ANCHORS)} or the name of a rule, not {rule.not_said.of}",
            )  # fmt: skip
    for step in steps:
        if step.after and step.after not in known_rules:
            reader.wrong(
                line("checklist", step.name, "after"), f"checklist {step.name}: after", f"there is no rule {step.after}"
            )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else f"{value!r}"[:60]


__all__ = ["MEASURES", "Node", "Phrase", "RuleError", "read_rules"]
