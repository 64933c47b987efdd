"""The rules file: what its phrases match, what its mistakes are called, that a bad edit changes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from services.chassis.errors import SettingError
from services.insights import check
from services.insights.adapters.lexicon import VaderScorer
from services.insights.adapters.reload import Files
from services.insights.adapters.rules_file import PACKAGED_RULES, load_rules, parse_rules
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.phrases import Heard, PhraseSet, near, read_phrase
from services.insights.domain.rule_reading import RuleError
from services.insights.domain.rules import RuleBook
from tests.support.insights_knowledge import encoder

PACKAGED = load_rules(PACKAGED_RULES)


HEAD = "rules:\n  x:\n    category: c\n"


def one_rule(fields: str) -> RuleBook:
    return parse_rules(HEAD + "".join(f"    {line}\n" for line in fields.splitlines()))


def matches(book: RuleBook, text: str) -> bool:
    return "x" in book.spoken(text).rules


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I want to cancel my contract.", {"cancellation"}),
        ("Cancelling all of my contracts today.", {"cancellation"}),
        ("I want to cancle my contract", {"cancellation"}),
        ("let me speak with your manger", {"escalation"}),
        ("get me your super visor", {"escalation"}),
        ("You will hear from my lawyer.", {"legal"}),
        ("I am changing the card", {"payment"}),
        ("Hello, there is no hurry.", set()),
    ],
)
def test_packaged_rules_hear_inflections_and_near_misses(text: str, names: set[str]) -> None:
    assert PACKAGED.spoken(text).rules == names


def test_a_gap_is_three_words_at_most() -> None:
    book = one_rule("phrases: [cancel * contract]")
    assert matches(book, "cancel a b c contract")
    assert not matches(book, "cancel a b c d contract")


@pytest.mark.parametrize(
    ("word", "heard", "is_near"),
    [
        ("manager", "manger", True), ("supervisor", "superviser", True), ("supervisor", "suprvisur", True),
        ("refund", "refunt", True), ("bill", "pill", False), ("cancel", "council", False), ("charge", "barge", False),
    ],
)  # fmt: skip
def test_what_a_near_miss_is(word: str, heard: str, is_near: bool) -> None:
    assert near(word, heard) is is_near


def test_words_of_the_rules_are_never_taken_for_one_another() -> None:
    book = parse_rules(
        "rules:\n  x: {category: c, phrases: [charge the card]}\n  y: {category: d, phrases: [change the card]}\n"
    )
    assert book.spoken("please change the card").rules == {"y"}
    assert book.spoken("please charged the card").rules == {"x"}


def test_near_misses_can_be_turned_off_and_patterns_and_exceptions_be_added() -> None:
    exact = one_rule("phrases: [speak to * manager]\nnear_misses: false")
    assert not matches(exact, "let me speak to your manger")
    book = one_rule("patterns: ['\\bcase (no\\.?|number) ?\\d+']\nphrases: [cancel it]\nunless: [not cancel]")
    assert matches(book, "It is Case number 771")
    assert matches(book, "please cancel it")
    assert not matches(book, "please do not cancel it")


def test_a_slow_expression_cannot_hold_up_the_calls() -> None:
    book = one_rule("patterns: ['(a+)+$']")
    assert not matches(book, "a" * 20_000 + "b")


def test_all_phrases_of_a_set_are_found_at_once() -> None:
    phrases = PhraseSet(
        (at, read_phrase(text), True) for at, text in enumerate(["late fee", "credit card", "fee", "x y"])
    )
    found = phrases.find(Heard.of("a late fee on my credit cards"))
    assert [hit.owner for hit in found] == [0, 1, 2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1: the file: is empty"),
        ("[]", "line 1: the file: wants `rules:`"),
        ("rules: [", "line 1: the file: is no YAML"),
        ("rules:\n  x: 1\n", "line 2: rule x: wants phrases"),
        (HEAD, "line 2: rule x: wants a condition"),
        ("rules:\n  x:\n    phrases: [a]\n", "line 2: rule x: wants what follows"),
        (HEAD + "    phrases: []\n", "line 4: rule x: phrases: wants at least one"),
        (HEAD + "    phrases: ['!']\n", "line 4: rule x: phrases: '!' has no word"),
        (HEAD + "    phrases:\n      - ok\n      - 7\n", "line 6: rule x: phrases: wants texts, not 7"),
        (HEAD + "    phrases: [a]\n    role: boss\n", "line 5: rule x: role: wants one of agent"),
        (HEAD + "    phrases: [a]\n    alert: red\n", "line 5: rule x: alert: wants one of info"),
        (HEAD + "    phrases: [a]\n    cool_down_s: soon\n",
         "line 5: rule x: cool_down_s: wants a number from 0 to 86400, not 'soon'"),
        (HEAD + "    phrases: [a]\n    cooldown_s: 3\n",
         "line 5: rule x: unknown field cooldown_s (did you mean cool_down_s?)"),
        (HEAD + "    patterns: ['(']\n", "line 4: rule x: patterns: '(' is no regular expression of RE2"),
        (HEAD + "    sentiment: {below: -3}\n",
         "line 4: rule x: sentiment: below: wants a number from -1 to 1, not -3"),
        (HEAD + "    dynamics:\n      agent_talk: {above: 1}\n",
         "line 5: rule x: dynamics: unknown field agent_talk (did you mean agent_talk_s?)"),
        (HEAD + "    dynamics:\n      hold_s: {}\n", "line 5: rule x: dynamics: hold_s: wants above or below"),
        (HEAD + "    not_said:\n      phrases: [a]\n", "line 4: rule x: not_said: wants within_s"),
        (HEAD + "    not_said: {phrases: [a], within_s: 3, of: lunch}\n",
         "line 4: rule x: not_said: of: wants answer or hold_end or the name of a rule, not lunch"),
        ("rules:\n  x:\n    phrases: [a]\n    checklist: hello\n", "line 4: rule x: checklist: there is no step hello"),
        ("rules:\n  x:\n    phrases: [a]\n    suggest: {text: t}\n", "line 4: rule x: suggest: wants title"),
        ("rules:\n  x: {category: c, phrases: [a]}\n  x: {category: c, phrases: [a]}\n",
         "line 3: x: is there twice (first in line 2)"),
        ("checklist:\n  s: {title: T, after: y}\nrules:\n  x: {category: c, phrases: [a]}\n",
         "line 2: checklist s: after: there is no rule y"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_line_rule_and_field(text: str, says: str) -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules(text)
    assert says in str(caught.value)


def test_all_mistakes_are_told_at_once_in_order() -> None:
    with pytest.raises(RuleError) as caught:
        parse_rules("rules:\n  x: {phrases: [a], alert: red}\n  y: {phrases: 3, category: c, colour: 1}\n")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == ["line 2", "line 2", "line 3", "line 3"]


def files(tmp_path: Path) -> tuple[Files, Knowledge]:
    rules, articles = tmp_path / "rules.yaml", tmp_path / "articles"
    rules.write_text("rules:\n  x: {category: c, phrases: [hello there]}\n")
    articles.mkdir()
    (articles / "a.md").write_text("# A\n## B\nText of B.")
    found = Files(knowledge_dir=articles, knowledge_url="", rules_file=rules, embedder=encoder())
    return found, found.read(lambda index: Knowledge(retriever=index, scorer=VaderScorer()))


def edit(path: Path, text: str) -> None:
    path.write_text(text)
    state = path.stat()
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000))


def test_a_changed_file_is_taken_and_a_bad_edit_keeps_the_old_state(tmp_path: Path) -> None:
    watched, knowledge = files(tmp_path)
    assert watched.changed(knowledge) is None
    edit(tmp_path / "rules.yaml", "rules:\n  y: {category: c, phrases: [good night]}\n")
    changed = watched.changed(knowledge)
    assert changed is not None
    assert list(changed.book.by_name) == ["y"]
    edit(tmp_path / "rules.yaml", "rules:\n  y: {category: c, phrase: [good night]}\n")
    assert watched.changed(changed) is None
    edit(tmp_path / "articles" / "a.md", "# A\n## B\nText of B.\n## C\nText of C.")
    grown = watched.changed(changed)
    assert grown is not None
    retriever: Any = grown.retriever
    assert (len(retriever), list(grown.book.by_name)) == (2, ["y"])
    edit(tmp_path / "articles" / "a.md", "---\n[\n---\n")
    assert watched.changed(grown) is None


def test_unreadable_files_name_the_setting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "rules.yaml"
    broken.write_text("rules:\n  x: {category: c, phrases: [a], alert: red}\n")
    with pytest.raises(
        SettingError, match=r"INSIGHTS_RULES_FILE: .*rules.yaml cannot be used\n  rules.yaml line 2: rule x"
    ):
        load_rules(broken)
    with pytest.raises(SettingError, match="INSIGHTS_RULES_FILE"):
        load_rules(tmp_path / "missing.yaml")
    assert check.main([str(broken)]) == 1
    assert "rules.yaml line 2: rule x: alert: wants one of" in capsys.readouterr().err
    assert check.main([]) == 0
