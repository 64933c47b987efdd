"""A call of four hours is as good at its end as at its start, and costs no more memory."""

from __future__ import annotations

import pickle
from dataclasses import replace

from services.transcriber.domain.transcript import Transcript
from tests.unit.transcriber.scripted_speech import Script, ScriptedEngine, Session, chunks_of

HOURS = 4
ROUND_MS = 96_000
CHUNK_MS = 480
ROUND = (
    Script()
    .pause(1_000)
    .say("good morning how can i help you")
    .pause(1_500)
    .say("i would like to know where my order is and when it will be here", word_ms=240)
    .pause(160)
    .say("because i have been waiting for it")
    .pause(30_000)
    .say("one long sentence that goes on and on without any end or pause to take a breath " * 4, word_ms=230)
)
ROUND.pause(ROUND_MS - ROUND.at_ms)


def test_four_hours_are_heard_alike_from_first_to_last() -> None:
    session = Session(ScriptedEngine(ROUND.words))
    one_round = chunks_of(ROUND.pcm16(), [CHUNK_MS], end=False)
    rounds = HOURS * 3_600_000 // ROUND_MS
    held_ms: list[int] = []
    sizes: list[int] = []
    heard: list[list[Transcript]] = []
    for number in range(rounds):
        known = len(session.out)
        for chunk in one_round:
            later = replace(
                chunk,
                media_time_ms=chunk.media_time_ms + number * ROUND_MS,
                captured_ms=chunk.captured_ms + number * ROUND_MS,
                offset=chunk.offset + number * len(one_round),
                end=number == rounds - 1 and chunk is one_round[-1],
            )
            session.hear([later])
            held_ms.append(session.leg.held_audio_ms)
        needed = session.leg.needed_offset
        assert session.leg.finished or (needed is not None and later.offset - needed <= 4)
        heard.append([t for t in session.out[known:] if isinstance(t, Transcript)])
        sizes.append(len(pickle.dumps(session.leg)))
    assert max(held_ms) <= 14_016 + 2 * CHUNK_MS
    # The first round begins with nothing behind it, the last one is over.
    assert max(sizes[1:-1]) <= min(sizes[1:-1]) + 256
    assert _spoken(heard[-1], rounds - 1) == _spoken(heard[1], 1)
    assert " ".join(text for text, *_ in _spoken(heard[-1], rounds - 1)).split() == ROUND.words
    assert session.finished[0].audio_ms == HOURS * 3_600_000


def _spoken(transcripts: list[Transcript], number: int) -> list[tuple[object, ...]]:
    """The finals of a round, their times counted from its beginning."""
    begin_ms = number * ROUND_MS
    return [
        (
            t.safe.text,
            t.start_ms - begin_ms,
            t.end_ms - begin_ms,
            t.end_of_turn,
            t.decoded_wall_ms - t.audio_end_wall_ms,
            tuple((w.start_ms - begin_ms, w.end_ms - begin_ms) for w in t.safe.words),
        )
        for t in transcripts
        if t.is_final
    ]
