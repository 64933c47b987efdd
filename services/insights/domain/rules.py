"""What the rules file says, and which rules an utterance fulfils.

A rule fires when everything that it names holds: its words were said (any phrase or pattern, and none of `unless`), its
speaker's sentiment and the call's dynamics are as it wants. A negative rule fires when its words were *not* said in
time; `domain/watches.py` keeps the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from services.insights.domain.inputs import Role
from services.insights.domain.outputs import Severity
from services.insights.domain.phrases import Heard, Phrase, PhraseSet

COOL_DOWN_MS = 60_000
Anchor = Literal["answer", "hold_end"]
ANCHORS: tuple[Anchor, ...] = ("answer", "hold_end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Any of the phrases or patterns, and none of `unless`. `patterns` are compiled regular expressions."""

    phrases: tuple[Phrase, ...] = ()
    patterns: tuple[Any, ...] = ()
    unless: tuple[Phrase, ...] = ()
    near_misses: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A number that must lie strictly above or below."""

    above: float | None = None
    below: float | None = None

    def hold(self, value: float) -> bool:
        """Whether it does."""
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeling:
    """The mean sentiment of the speaker's last `over` utterances."""

    bounds: Bounds
    over: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One of the call's dynamics; `scale` turns it into the file's unit."""

    name: str
    field: str
    scale: float
    bounds: Bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSaid:
    """The words that must come within `within_ms` of the answer, of the end of a hold, or of another rule's firing."""

    within_ms: int
    of: str = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What the agent is shown when the rule fires."""

    title: str
    text: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`role` limits who must say it, `groups` whose calls it is for (names or ids); None and empty are anyone's."""

    name: str
    title: str = ""
    category: str = ""
    role: Role | None = None
    groups: frozenset[str] = frozenset()
    alert: Severity | None = None
    step: str = ""
    cool_down_ms: int = COOL_DOWN_MS
    words: Words | None = None
    feeling: Feeling | None = None
    measures: tuple[Measure, ...] = ()
    after_ms: int = 0
    not_said: NotSaid | None = None
    advice: Advice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of the checklist. `after` is the rule that makes it apply (empty: it always does)."""

    name: str
    title: str
    groups: frozenset[str] = frozenset()
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """Which rules' words an utterance holds, by name: positive rules and negative ones."""

    rules: frozenset[str]
    negative: frozenset[str]


@dataclass(frozen=True)
class RuleBook:
    """The rules file, ready to be applied."""

    rules: tuple[Rule, ...] = ()
    steps: tuple[Step, ...] = ()
    by_name: dict[str, Rule] = field(init=False, repr=False)
    _phrases: PhraseSet = field(init=False, repr=False)
    _unless: PhraseSet = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {rule.name: rule for rule in self.rules})
        object.__setattr__(self, "_phrases", PhraseSet(_all_phrases(self.rules)))
        object.__setattr__(self, "_unless", PhraseSet(_all_unless(self.rules)))

    def spoken(self, text: str) -> Spoken:
        """The rules whose words are in the text, whoever says it."""
        heard = Heard.of(text)
        found = {hit.owner for hit in self._phrases.find(heard)}
        for at, rule in enumerate(self.rules):
            if rule.words and at not in found and any(pattern.search(text) for pattern in rule.words.patterns):
                found.add(at)
        if found:
            found -= {hit.owner for hit in self._unless.find(heard)}
        rules = [self.rules[at] for at in found]
        return Spoken(
            rules=frozenset(rule.name for rule in rules if rule.not_said is None),
            negative=frozenset(rule.name for rule in rules if rule.not_said is not None),
        )

    def negative(self, of: str) -> Iterable[Rule]:
        """The negative rules whose time begins with `of`."""
        return (rule for rule in self.rules if rule.not_said is not None and rule.not_said.of == of)


def applies(limits: frozenset[str], groups: frozenset[str]) -> bool:
    """Whether a rule or step limited to groups is for an agent of these."""
    return not limits or bool(limits & groups)


def _all_phrases(rules: Sequence[Rule]) -> Iterable[tuple[int, Phrase, bool]]:
    return ((at, p, r.words.near_misses) for at, r in enumerate(rules) if r.words for p in r.words.phrases)


def _all_unless(rules: Sequence[Rule]) -> Iterable[tuple[int, Phrase, bool]]:
    return ((at, phrase, False) for at, rule in enumerate(rules) if rule.words for phrase in rule.words.unless)
