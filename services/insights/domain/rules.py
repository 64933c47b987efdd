"""Keyword rules: what is said puts a call into a category, and may call a supervisor.

A phrase matches by its words' stems, in order and next to each other, so that "cancel my contract" is found in
"cancelling my contracts". `*` in a phrase stands for up to three words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from services.insights.domain.inputs import Role
from services.insights.domain.outputs import Severity
from services.insights.domain.text import stem, words

GAP_WORDS = 3
COOL_DOWN_MS = 60_000
_KEYS = {"category", "phrases", "role", "alert", "cool_down_s"}


class RuleError(ValueError):
    """The rules file is wrong; the text names the rule and the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`role` limits who must say it; None is anyone. `phrases` are stems, `*` a gap."""

    name: str
    category: str
    phrases: tuple[tuple[str, ...], ...]
    role: Role | None = None
    alert: Severity | None = None
    cool_down_ms: int = COOL_DOWN_MS


def read_rules(document: Any) -> tuple[Rule, ...]:
    """Rules from a parsed YAML document `{rules: {name: {category, phrases, role?, alert?, cool_down_s?}}}`.

    Raises RuleError.
    """
    entries = document.get("rules") if isinstance(document, Mapping) else None
    if not isinstance(entries, Mapping):
        raise RuleError("wants `rules:` with one entry a rule")
    return tuple(_rule(str(name), entry) for name, entry in entries.items())


def matching(rules: Sequence[Rule], role: Role, text: str) -> tuple[Rule, ...]:
    """Those that an utterance of `role` fulfils, in their order."""
    stems = tuple(stem(word) for word in words(text))
    return tuple(
        rule
        for rule in rules
        if (rule.role is None or rule.role == role) and any(_found(phrase, stems) for phrase in rule.phrases)
    )


def _found(phrase: tuple[str, ...], stems: tuple[str, ...]) -> bool:
    return any(_from(phrase, stems[at:]) for at in range(len(stems)))


def _from(phrase: tuple[str, ...], stems: tuple[str, ...]) -> bool:
    if not phrase:
        return True
    if phrase[0] == "*":
        return any(_from(phrase[1:], stems[skip:]) for skip in range(GAP_WORDS + 1))
    return bool(stems) and stems[0] == phrase[0] and _from(phrase[1:], stems[1:])


def _rule(name: str, entry: Any) -> Rule:
    if not isinstance(entry, Mapping):
        raise RuleError(f"{name}: wants category and phrases")
    if unknown := sorted(str(key) for key in entry.keys() - _KEYS):
        raise RuleError(f"{name}: unknown key {unknown[0]}")
    phrases = entry.get("phrases")
    if not isinstance(phrases, list) or not phrases or not all(isinstance(p, str) and p.strip() for p in phrases):
        raise RuleError(f"{name}: phrases wants a list of texts")
    seconds = entry.get("cool_down_s", COOL_DOWN_MS / 1000)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
        raise RuleError(f"{name}: cool_down_s wants seconds")
    category = entry.get("category")
    if not isinstance(category, str) or not category:
        raise RuleError(f"{name}: category wants a text")
    return Rule(
        name=name,
        category=category,
        phrases=tuple(_phrase(phrase) for phrase in phrases),
        role=cast("Role | None", _one_of(name, "role", entry.get("role"), get_args(Role))),
        alert=cast("Severity | None", _one_of(name, "alert", entry.get("alert"), get_args(Severity))),
        cool_down_ms=round(seconds * 1000),
    )


def _phrase(text: str) -> tuple[str, ...]:
    return tuple(part for piece in text.split() for part in (("*",) if piece == "*" else map(stem, words(piece))))


def _one_of(name: str, key: str, value: Any, allowed: Sequence[str]) -> str | None:
    if value is not None and value not in allowed:
        raise RuleError(f"{name}: {key} wants one of {', '.join(allowed)}")
    return cast("str | None", value)
