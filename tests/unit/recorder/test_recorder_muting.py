from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recorder.domain.muting import KINDS, LegTranscript, Muted, SpokenFinal, read_kinds, to_mute

SPANS = st.tuples(st.integers(0, 5_000), st.integers(1, 800)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.lists(SPANS, max_size=8), st.lists(SPANS, max_size=8), st.booleans(), st.integers(0, 300))
def test_every_hidden_span_is_muted_and_nothing_that_is_known_to_be_fit(
    finals: list[tuple[int, int]], hidden: list[tuple[int, int]], complete: bool, margin_ms: int
) -> None:
    leg = LegTranscript()
    for index, span in enumerate(finals):
        leg = leg.with_final(str(index), SpokenFinal(*span))
    leg = leg.with_final("h", SpokenFinal(0, 1, tuple(Muted("phone", *span) for span in hidden)))
    leg = leg.with_end(len(finals) + 1, complete=complete)
    muted = to_mute(leg, (100, 5_000), kinds=KINDS, margin_ms=margin_ms)
    silent = {ms for span in muted for ms in range(span.start_ms, span.end_ms)}
    inside = set(range(100, 5_000))
    private = {ms for a, b in hidden for ms in range(a - margin_ms, b + margin_ms)} & inside
    unknown = set() if complete else inside - {ms for a, b in [*finals, (0, 1)] for ms in range(a, b)}
    assert silent == private | unknown
    assert all(a.end_ms < b.start_ms for a, b in pairwise(muted))


def test_a_final_that_comes_again_counts_once() -> None:
    leg = LegTranscript().with_end(2, complete=True)
    once = leg.with_final("a", SpokenFinal(0, 1)).with_final("a", SpokenFinal(0, 1))
    assert not once.ended
    assert once.with_final("b", SpokenFinal(1, 2)).ended


def test_kinds_are_read_from_the_setting() -> None:
    assert read_kinds("all") == KINDS
    assert read_kinds("none") == frozenset()
    assert read_kinds("phone, email") == {"phone", "email"}
    for wrong in ("", "phones", "all,phone"):
        with pytest.raises(ValueError, match="must be all"):
            read_kinds(wrong)
