"""What one leg knows of the others' questions."""

from __future__ import annotations

from services.transcriber.domain.cues import Ask, Topic
from services.transcriber.domain.questions import ASKS_KEPT, Questions

CARD, BIRTH = Ask(Topic.CARD, strong=True, at_ms=1_000), Ask(Topic.BIRTH, strong=True, at_ms=3_000)


def _asked() -> Questions:
    """One question known, one closed but not judged, one still being said."""
    questions = Questions()
    for number, heard_ms in ((1, 1_600), (2, 3_600), (3, None)):
        questions.open(f"u{number}", number * 1_000)
        if heard_ms is not None:
            questions.close(f"u{number}", number * 1_000, heard_ms)
    questions.judge("u1", CARD)
    return questions


def test_only_what_closed_before_is_waited_for() -> None:
    questions = _asked()
    assert [questions.awaited(heard_ms) for heard_ms in (1_600, 3_600, 3_601)] == [False, False, True]
    questions.judge("u2", BIRTH)
    assert not questions.awaited(99_000)
    assert questions.wary_ms == 3_000


def test_each_is_taken_once_and_kept_for_a_successor_until_it_is_not_needed() -> None:
    questions = _asked()
    assert questions.take("here", 1_600) == []
    assert questions.take("here", 1_700) == [CARD]
    assert questions.take("there", 1_800) == []
    questions.forget(["here"])
    assert questions.asks == ((1_600, CARD),)
    assert Questions.marked(questions.asks).take("here", 1_700) == [CARD]
    questions.forget([])
    assert questions.asks == ()


def test_the_first_comes_out_early_only_where_it_is_known_and_was_before() -> None:
    questions = _asked()
    assert questions.next_before(999, 9_000) is None
    assert questions.next_before(1_000, 1_599) is None
    assert questions.next_before(1_000, 1_600) == CARD
    assert questions.next_before(99_000, 9_000) is None
    questions.judge("u2", None)
    questions.judge("u3", None)
    assert questions.wary_ms is None


def test_of_many_the_last_are_kept() -> None:
    questions = Questions()
    for number in range(3 * ASKS_KEPT):
        questions.close(f"u{number}", number, number)
        questions.judge(f"u{number}", Ask(Topic.CARD, strong=True, at_ms=number))
    assert [ask.at_ms for _, ask in questions.asks] == list(range(2 * ASKS_KEPT, 3 * ASKS_KEPT))
