"""Loops, ghosts, word times, marks: the small rules."""

from __future__ import annotations

import base64
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.transcriber.domain.cues import Asked, Topic
from services.transcriber.domain.endpointing import Anchor
from services.transcriber.domain.guards import (
    before_repeats,
    begins_to_repeat,
    echoes,
    is_ghost,
    loop_start,
    repeats,
    suspicious,
    token_limit,
)
from services.transcriber.domain.partition_marks import NOTE_BYTES, PartitionMarks, read_note
from services.transcriber.domain.recognition import RecognizedWord
from services.transcriber.domain.transcript import Foothold, LegMark
from services.transcriber.domain.word_times import snap_to_voice


def _words(text: str) -> tuple[RecognizedWord, ...]:
    return tuple(RecognizedWord(w, 200 * i, 200 * i + 200, 0.9) for i, w in enumerate(text.split()))


def test_a_loop_is_seen_on_tokens() -> None:
    assert repeats([1, 2, 3, 3, 3, 3, 3, 3])
    assert repeats([9, 1, 2, 1, 2, 1, 2])
    assert not repeats([1, 2, 3, 4, 1, 2, 3, 5])
    assert not repeats([7, 7, 7])


def test_what_is_before_a_loop_is_known() -> None:
    assert before_repeats([7, 8, 9, 1, 2, 1, 2, 1, 2]) == 3
    assert before_repeats([1, 2, 1, 2, 1, 2]) == 0
    assert before_repeats([1, 2, 3, 1, 2, 4]) is None


@given(tokens=st.lists(st.integers(0, 2), max_size=40))
def test_a_loop_is_noticed_with_the_token_that_makes_it_one(tokens: list[int]) -> None:
    noticed = next((n for n in range(len(tokens) + 1) if begins_to_repeat(tokens[:n])), None)
    first = next((n for n in range(len(tokens) + 1) if repeats(tokens[:n])), None)
    assert noticed == first


def test_a_loop_is_cut_after_its_second_round_but_never_a_number() -> None:
    tokens = [5, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2]
    assert loop_start(tokens, digits=set()) == 5
    assert loop_start(tokens, digits={2}) is None
    assert loop_start([1, 2, 3], digits=set()) is None


def test_too_many_too_few_and_unended_tokens_deserve_the_full_window() -> None:
    assert suspicious(list(range(token_limit(1_000) + 1)), 1_000, ended=True)
    assert suspicious([1], 5_000, ended=True)
    assert suspicious([1, 2], 1_000, ended=False)
    assert not suspicious([1, 2, 3], 1_000, ended=True)


def test_thanks_are_a_ghost_only_without_a_voice() -> None:
    def ghost(text: str, no_speech: float, log_probability: float, voiced: float, voiced_ms: int = 800) -> bool:
        return is_ghost(
            text, no_speech=no_speech, mean_log_probability=log_probability, voiced=voiced, voiced_ms=voiced_ms
        )

    assert ghost("Thank you.", 0.9, -0.4, 0.9)
    assert ghost("Thank you.", 0.5, -0.4, 0.5)
    assert not ghost("Thank you.", 0.1, -0.4, 0.9)
    assert not ghost("The parcel is late.", 0.9, -0.4, 0.6)
    assert ghost(" . ", 0.0, 0.0, 1.0)
    # As measured: ring-back, a busy tone, music, a customer's last word before others' voices, faint interjections.
    assert ghost("Beep beep.", 0.54, -1.73, 0.7)
    assert ghost("Oh.", 0.75, -2.89, 0.5, 96)
    assert ghost("I'm sorry.", 0.54, -2.29, 0.76, 128)
    assert not ghost("Bye.", 0.351, -0.68, 0.63, 1184)
    assert not ghost("Okay.", 0.61, -0.77, 0.75, 672)
    assert not ghost("Right.", 0.519, -0.56, 0.87, 576)


def test_an_echo_says_five_tokens_of_before_again() -> None:
    before = [1, 2, 3, 4, 5, 6, 7]
    assert echoes([3, 4, 5, 6, 7], before)
    assert echoes([9, 1, 2, 3, 4, 5, 8], before)
    assert not echoes([1, 2, 3, 4, 9, 5, 6, 7], before)
    assert not echoes([4, 5, 6, 7], before)
    assert not echoes([1, 2, 3, 4, 5], [])


def test_words_shrink_to_where_there_is_a_voice() -> None:
    voice = [0.0] * 8 + [0.9] * 10 + [0.0] * 10
    words = snap_to_voice([RecognizedWord("hello", 0, 896, 0.9)], voice)
    assert (words[0].start_ms, words[0].end_ms) == (256, 576)


def test_word_times_stay_in_order_and_no_word_is_empty() -> None:
    words = snap_to_voice([RecognizedWord("a", 100, 90, 0.9), RecognizedWord("b", 80, 100, 0.9)], [])
    assert [(w.start_ms, w.end_ms) for w in words] == [(100, 140), (140, 180)]


def test_marks_survive_the_commit() -> None:
    marks = PartitionMarks()
    stood = Foothold(anchor=Anchor(640, 224), audio_ms=635, gap_ms=5, gap_since_ms=3)
    mark = LegMark(
        foothold=stood, skew_ms=-7, done_ms=8_000, utterances=2, words=9, unreadable=1, failed=True, language="de"
    )
    split = LegMark(foothold=replace(stood, anchor=Anchor(320, goes_on=True)))
    marks.put("leg-1", mark, 17)
    marks.put("leg-2", LegMark(foothold=stood, ended=True), 12)
    marks.put("leg-3", split, 18)
    marks.put_aside(11)
    marks.put_aside(15)
    again = read_note(marks.note()[0])
    assert (again.get("leg-1"), again.get("leg-3")) == (mark, split)
    assert again.get("leg-2") is not None
    assert [at for at in range(20) if again.is_put_aside(at)] == [11, 15]
    again.forget_before(13)
    assert again.get("leg-2") is None
    assert [at for at in range(20) if again.is_put_aside(at)] == [15]
    again.forget_before(19)
    again.keep(set())
    assert again.note() == ("", 0)


def test_foreign_notes_are_no_marks() -> None:
    foreign = (
        "",
        "{",
        "[1]",
        '{"leg":[1,2]}',
        '{"leg":"x"}',
        base64.b85encode(bytes([1, 0, 0])).decode(),
        base64.b85encode(bytes([2, 0, 0, 9, 9])).decode(),
    )
    assert all(read_note(note).note() == ("", 0) for note in foreign)


def test_a_note_holds_the_legs_seen_last() -> None:
    marks = PartitionMarks()
    for number in range(300):
        stood = Foothold(anchor=Anchor(3_200_000, 256), audio_ms=3_000_000, gap_ms=100_000, gap_since_ms=900)
        done_ms, asked = 3_216_000, Asked(Topic.CARD, age=9)
        mark = LegMark(foothold=stood, done_ms=done_ms, utterances=200, words=4_000, asked=asked)
        marks.put(f"p-a0d7f1c2z19a-2~{number:08x}", mark, 10_000_000 + 10 * number)
    note, left_out = marks.note()
    assert len(note) <= NOTE_BYTES
    assert 300 - left_out >= 100
    again = read_note(note)
    known = [again.get(f"p-a0d7f1c2z19a-2~{number:08x}") is not None for number in range(300)]
    assert known == [number >= left_out for number in range(300)]
