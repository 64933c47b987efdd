"""Latency, changes and errors of what was shown, by hand."""

from __future__ import annotations

from services.cli.domain.conversation import SpokenWord
from tests.bench.asr.feed import Playing
from tests.bench.asr.figures import Sight, error_rate
from tests.bench.asr.material import Leg
from tests.bench.asr.screen import Shown

WORDS = ("my", "router", "does", "not", "work")
LEG = Leg(
    name="x", role="agent", pcm16=b"", text=" ".join(WORDS),
    words=tuple(SpokenWord(text=w, start_ms=400 * i, end_ms=400 * i + 400) for i, w in enumerate(WORDS)),
)  # fmt: skip


def _sight(*shown: Shown) -> Sight:
    out = Sight()
    out.add(Playing("leg", LEG, 1_000), shown, from_ms=0, until_ms=10_000)
    return out


def test_a_word_is_seen_where_first_it_stands_and_final_once() -> None:
    sight = _sight(
        Shown(2_000, "a", False, ("My", "root")),
        Shown(2_500, "a", False, ("My", "router", "does")),
        Shown(3_900, "a", True, ("My", "router", "does", "not", "work.")),
    )
    assert sight.partial_ms == [600, 700, 300, 1_300, 900]
    assert sight.final_ms == [2_500, 2_100, 1_700, 1_300, 900]
    assert (sight.changed, sight.final_words, sight.spoken) == (1, 5, 5)


def test_words_that_a_final_of_another_utterance_takes_over_have_not_changed() -> None:
    sight = _sight(
        Shown(2_500, "a", False, ("my", "router", "does")),
        Shown(2_600, "a", True, ("my", "router")),
        Shown(2_600, "b", False, ("does",)),
        Shown(3_500, "b", True, ("does", "not", "work")),
    )
    assert sight.partial_ms == [1_100, 700, 300, 900, 500]
    assert sight.changed == 1  # for a moment it was gone


def test_errors_are_counted_over_all_pairs() -> None:
    figures = error_rate([("my router does not work", "my router does work"), ("okay", "okay")])
    assert (figures["wer_percent"], figures["deletions"], figures["words"]) == (16.67, 1, 6)
