"""How telephone talk is written, and that writing never shows more, changes what was shown, or loses a time."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.transcriber.domain.formatting.row import Row, written
from services.transcriber.domain.formatting.writing import RULES, write
from services.transcriber.domain.redaction import RedactionStream, SafeText, TimedWord
from tests.support.redaction_set import HELD_OUT, TUNED, load

FOLDER = Path(__file__).resolve().parents[2] / "data" / "formatting"
FLOORS = {("tuned", "en"): 1.0, ("tuned", "fr"): 1.0, ("held_out", "en"): 0.9, ("held_out", "fr"): 0.9}


def _timed(words: list[str], at_ms: int = 0) -> tuple[TimedWord, ...]:
    return tuple(TimedWord(w, at_ms + 200 * i, at_ms + 200 * i + 200, 0.9) for i, w in enumerate(words))


def _words(text: str) -> list[str]:
    return text.split()


def _write(text: str, language: str) -> str:
    return write(SafeText(_timed(text.split())), language, final=True).safe.text


@pytest.mark.parametrize(("part", "language"), FLOORS)
def test_the_labelled_sentences_are_written_as_people_would(part: str, language: str) -> None:
    rows = [r for r in json.loads((FOLDER / f"{part}.json").read_text("utf-8")) if r["language"] == language]
    wrong = [(r["spoken"], got) for r in rows if (got := _write(r["spoken"], language)) != r["written"]]
    assert len(wrong) <= (1 - FLOORS[part, language]) * len(rows), wrong


ENGLISH = _words(
    """one two five six ten eleven nineteen twenty thirty forty-five hundred thousand and zero oh double a o'clock
    half quarter past to at in the morning p.m. dollars cents percent of March may May June first second fifth
    twentieth third A, B. I N-O-V-A-K as Charlie for email john dot com [payment_card] 42 7.30 6 Maple hello, six,
    seven. euros like @ - ... é ² two- may, twenty, million at, 12 nine"""
)
FRENCH = _words(
    """un deux cinq dix onze seize vingt vingt-trois soixante quatre-vingt quatre cent cents mille et zéro heures
    euros centimes pour demie quart à vers mars juin premier D, U. P comme Denis mail jean point arobase fr
    [payment_card] 42 bonjour, six, sept. pourcent"""
)
TALK = st.one_of(
    st.tuples(st.just("en"), st.lists(st.sampled_from(ENGLISH), max_size=25)),
    st.tuples(st.just("fr"), st.lists(st.sampled_from(FRENCH), max_size=25)),
)


@given(TALK)
@settings(max_examples=200, deadline=None)
def test_partials_only_grow_into_the_final(talk: tuple[str, list[str]]) -> None:
    language, words = talk
    shown = [write(SafeText(_timed(words[:n])), language, final=False) for n in range(len(words) + 1)]
    shown.append(write(SafeText(_timed(words)), language, final=True))
    for before, after in pairwise(shown):
        assert after.safe.words[: len(before.safe.words)] == before.safe.words
        assert after.spoken.startswith(before.spoken)
    assert shown[-1].spoken == " ".join(words)


@given(TALK)
@settings(max_examples=200, deadline=None)
def test_every_word_keeps_its_time_and_nothing_is_made_up(talk: tuple[str, list[str]]) -> None:
    language, words = talk
    spoken = _timed(words)
    out = write(SafeText(spoken), language, final=True).safe.words
    assert all(one.end_ms == other.start_ms for one, other in pairwise(out))
    assert [w.text for w in out if "[" in w.text] == [w for w in words if "[" in w]
    if words:
        assert (out[0].start_ms, out[-1].end_ms) == (0, 200 * len(words))


@given(TALK)
@example(("en", ["March", "one", "dollars"]))
@settings(max_examples=200, deadline=None)
def test_what_is_written_stays_as_it_is_when_written_again(talk: tuple[str, list[str]]) -> None:
    language, words = talk
    once = [p.text for _, p in written(Row(words, ended=True), RULES[language])]
    again = [p.text for _, p in written(Row(once, ended=True), RULES[language])]
    assert again == once


@given(sequence=st.sampled_from(load(TUNED + HELD_OUT)), language=st.sampled_from(["en", "fr", "de"]))
@settings(max_examples=200, deadline=None)
def test_marks_stay_and_redactions_still_point_at_them(sequence: object, language: str) -> None:
    stream: RedactionStream[int] = RedactionStream()
    safes = []
    for turn in sequence.turns:  # type: ignore[attr-defined]
        words = [word.text for word in turn.words]
        safes += [(stream.partial(_timed(words[:n])), False) for n in range(1, len(words))]
        safes += [(safe, True) for _, safe in stream.final(0, _timed(words))]
    safes += [(safe, True) for _, safe in stream.flush()]
    for safe, final in safes:
        out = write(safe, language, final=final)
        marks = [out.safe.text[r.start : r.end] for r in out.safe.redactions]
        expected = [safe.text[r.start : r.end] for r in safe.redactions]
        assert marks == expected[: len(marks)]
        assert len(marks) == len(expected) or not final
        assert safe.text.startswith(out.spoken)


def test_a_language_without_rules_is_left_as_it_was_heard() -> None:
    safe = SafeText(_timed(["zwanzig", "Euro"]))
    assert write(safe, "de", final=False).safe == safe
    assert write(safe, "de", final=False).spoken == "zwanzig Euro"


def test_spelling_rules_are_chosen_by_the_primary_language() -> None:
    assert write(SafeText(_timed(["ten", "dollars"])), "en-US", final=True).safe.text == "$10"
