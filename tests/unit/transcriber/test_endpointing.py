"""Where utterances begin and end, on bare probabilities."""

from __future__ import annotations

from services.transcriber.domain.endpointing import (
    FRAME_MS,
    Anchor,
    Boundary,
    Cause,
    Dropped,
    Ended,
    Endpointer,
    EndpointRules,
    Paused,
    Resumed,
    Started,
)

RULES = EndpointRules()


def _feed(endpointer: Endpointer, *stretches: tuple[int, float], at_ms: int = 0) -> list[Boundary]:
    out: list[Boundary] = []
    for frames, probability in stretches:
        for _ in range(frames):
            out += endpointer.feed(at_ms, probability)
            at_ms += FRAME_MS
    return out


def test_speech_starts_a_pre_roll_before_its_onset() -> None:
    (started,) = _feed(Endpointer(RULES), (20, 0.1), (3, 0.9))
    assert started == Started(20 * FRAME_MS - RULES.pre_roll_ms)


def test_a_pause_is_told_and_taken_back() -> None:
    out = _feed(Endpointer(RULES), (10, 0.9), (9, 0.1), (5, 0.9))
    assert [type(boundary) for boundary in out] == [Started, Paused, Resumed]


def test_silence_ends_with_some_of_it_kept() -> None:
    ended = _feed(Endpointer(RULES), (10, 0.9), (17, 0.1))[-1]
    assert isinstance(ended, Ended)
    assert ended.cause is Cause.SILENCE
    assert ended.end_ms == 10 * FRAME_MS + RULES.keep_silence_ms
    assert len(ended.voice) * FRAME_MS == ended.end_ms - ended.start_ms


def test_a_click_is_no_utterance() -> None:
    assert isinstance(_feed(Endpointer(RULES), (1, 0.9), (17, 0.1))[-1], Dropped)


def test_the_pre_roll_never_reaches_into_the_utterance_before() -> None:
    out = _feed(Endpointer(RULES), (10, 0.9), (18, 0.1), (4, 0.9))
    ended, started = (next(b for b in out if isinstance(b, Ended)), out[-1])
    assert isinstance(started, Started)
    assert started.start_ms >= ended.end_ms


def test_listening_from_an_anchor_gives_no_more_pre_roll_than_it_has() -> None:
    endpointer = Endpointer(RULES)
    assert endpointer.restart(Anchor(640, 64)) == []
    assert _feed(endpointer, (2, 0.9), at_ms=640) == [Started(576)]


def test_what_was_split_goes_on_where_it_was_split() -> None:
    endpointer = Endpointer(RULES)
    assert endpointer.restart(Anchor(640, goes_on=True)) == [Started(640)]
    assert endpointer.anchor(960) is None
    assert [type(b) for b in _feed(endpointer, (17, 0.1), at_ms=640)] == [Paused, Dropped]


def test_the_detector_forgets_where_nobody_speaks_unless_a_voice_may_be_coming() -> None:
    endpointer = Endpointer(RULES)
    assert endpointer.anchor(0) == Anchor(0)
    _feed(endpointer, (29, 0.1))
    assert endpointer.anchor(29 * FRAME_MS) is None
    _feed(endpointer, (1, 0.4), at_ms=29 * FRAME_MS)
    assert endpointer.anchor(960) is None
    _feed(endpointer, (8, 0.1), at_ms=960)
    assert endpointer.anchor(960 + 8 * FRAME_MS) == Anchor(960 + 8 * FRAME_MS, 256)


def test_long_speech_is_split_at_its_quietest_place_without_a_hole() -> None:
    out = _feed(Endpointer(RULES), (400, 0.9), (6, 0.4), (60, 0.9))
    ended, started = out[1], out[2]
    assert isinstance(ended, Ended)
    assert ended.then == Anchor(ended.end_ms, goes_on=True)
    assert isinstance(ended, Ended)
    assert ended.cause is Cause.LENGTH
    assert started == Started(ended.end_ms)
    assert 400 * FRAME_MS <= ended.end_ms <= 406 * FRAME_MS


def test_closing_keeps_all_that_was_heard() -> None:
    endpointer = Endpointer(RULES)
    _feed(endpointer, (10, 0.9), (3, 0.1))
    (ended,) = endpointer.close(Cause.LEG_END)
    assert isinstance(ended, Ended)
    assert ended.end_ms == 13 * FRAME_MS
    assert endpointer.close(Cause.LEG_END) == []
