"""The state machine of one leg, on scripted speech."""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.errors import Transient
from services.transcriber.domain.chunks import LegChunk, Role
from services.transcriber.domain.endpointing import Anchor
from services.transcriber.domain.leg_speech import LegSpeech
from services.transcriber.domain.partition_marks import PartitionMarks, read_note
from services.transcriber.domain.queues import Speech
from services.transcriber.domain.recognition import Quality, Recognition, RecognitionRequest, nothing
from services.transcriber.domain.said_before import REACH_MS, Said, SaidBefore
from services.transcriber.domain.scheduling import DecodeJob, Kind
from services.transcriber.domain.transcript import Foothold, LegMark, LegStatus, Transcript
from tests.unit.transcriber.scripted_speech import (
    IDENTITY,
    RememberingDetector,
    Script,
    ScriptedEngine,
    Session,
    chunks_of,
)

TALK = (
    Script()
    .pause(1_000)
    .say("hello this is anna speaking")
    .pause(900)
    .say("no")
    .pause(700)
    .say("how can i help you today my friend")
    .pause(400)
    .say("with something")
    .pause(1_500)
)


def _play(script: Script, sizes_ms: list[int]) -> Session:
    return Session(ScriptedEngine(script.words)).hear(chunks_of(script.pcm16(), sizes_ms))


def test_utterances_end_in_silence_and_come_in_order() -> None:
    session = _play(TALK, [200])
    assert session.said == ["hello this is anna speaking", "no", "how can i help you today my friend", "with something"]
    ends = [(t.start_ms, t.end_ms) for t in session.finals]
    assert ends == sorted(ends)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(ends))


def test_ids_come_from_leg_and_start_and_revisions_rise_to_the_final() -> None:
    session = _play(TALK, [200])
    for final in session.finals:
        assert final.utterance_id == f"{IDENTITY.leg_id}@{final.start_ms}"
        revisions = [t.revision for t in session.out if getattr(t, "utterance_id", "") == final.utterance_id]
        assert revisions == list(range(len(revisions)))
        assert final.revision == revisions[-1]


def test_partials_show_the_words_while_they_are_spoken_and_only_grow() -> None:
    session = _play(TALK, [100])
    first = [t.safe.text for t in session.partials if t.utterance_id == session.finals[0].utterance_id]
    assert first
    assert all("hello this is anna speaking".startswith(text) for text in first)
    assert [len(text) for text in first] == sorted(len(text) for text in first)


def test_word_times_are_on_the_media_clock() -> None:
    session = _play(TALK, [200])
    spoken = dict(zip([*TALK.words], TALK.spoken, strict=True))
    for final in session.finals:
        for word in final.safe.words:
            start_ms, end_ms = spoken[word.text]
            assert abs(word.start_ms - start_ms) <= 32
            assert abs(word.end_ms - end_ms) <= 32


def test_latency_is_counted_from_captured_audio() -> None:
    session = _play(TALK, [200])
    final = session.finals[0]
    assert final.audio_end_wall_ms == 1_000_000 + final.end_ms
    assert final.start_wall_ms == 1_000_000 + final.start_ms
    assert 0 <= final.decoded_wall_ms - final.audio_end_wall_ms <= 600


def test_the_tail_is_not_cut_by_the_end_of_the_leg() -> None:
    script = Script().pause(500).say("and goodbye")
    session = _play(script, [170])
    assert session.said == ["and goodbye"]
    (finished,) = session.finished
    assert finished.status is LegStatus.COMPLETE
    assert (finished.mark.utterances, finished.mark.words, finished.audio_ms) == (1, 2, script.at_ms)


def test_a_leg_that_ends_with_an_empty_end_marker_is_finished_once() -> None:
    script = Script().pause(300).say("thanks").pause(900)
    chunks = chunks_of(script.pcm16(), [200], end=False)
    marker = replace(chunks[-1], pcm16=b"", end=True, media_time_ms=script.at_ms)
    session = Session(ScriptedEngine(script.words)).hear([*chunks, marker, marker])
    assert session.said == ["thanks"]
    assert len(session.finished) == 1


def test_long_speech_is_split_where_it_is_quietest() -> None:
    script = Script().pause(500)
    for _ in range(8):
        script.say("one after the other without end", word_ms=300).pause(192)
    script.pause(1_000)
    session = _play(script, [200])
    assert " ".join(session.said).split() == script.words
    assert len(session.finals) > 1
    assert all(t.end_ms - t.start_ms <= 14_016 for t in session.finals)
    assert not session.finals[0].end_of_turn


def test_long_turns_become_final_breath_by_breath_and_end_once() -> None:
    script = Script().pause(500).say("this is my question to you about it").pause(256).say("and it is a long one")
    script.pause(160).say("as you hear").pause(1_000)
    session = _play(script, [200])
    assert session.said == ["this is my question to you about it", "and it is a long one as you hear"]
    assert [t.end_of_turn for t in session.finals] == [False, True]
    # The first is final as soon as the speaker goes on.
    resumed_ms = script.spoken[8][0]
    assert session.finals[0].end_ms <= resumed_ms
    assert session.finals[0].decoded_wall_ms - 1_000_000 - resumed_ms <= 250


def test_a_gap_ends_the_utterance_and_is_told() -> None:
    script = Script().pause(300).say("before the gap")
    after = Script(words=script.words).say("behind it").pause(1_000)
    first = chunks_of(script.pcm16(), [200], end=False)
    second = chunks_of(_renumbered(after, 3), [200], start_ms=script.at_ms + 5_000)
    session = Session(ScriptedEngine(script.words)).hear([*first, *second])
    assert session.said == ["before the gap", "behind it"]
    assert [t.gap_before_ms for t in session.finals] == [0, 5_000]
    assert session.finals[1].start_ms == (script.at_ms + 5_000) // 32 * 32
    assert session.finished[0].gap_ms == 5_000


def test_a_short_gap_stays_within_the_utterance() -> None:
    script = Script().pause(320).say("here we are")
    after = Script(words=script.words).say("again").pause(1_000)
    first = chunks_of(script.pcm16(), [200], end=False)
    second = chunks_of(_renumbered(after, 3), [200], start_ms=script.at_ms + 120)
    session = Session(ScriptedEngine(script.words)).hear([*first, *second])
    assert session.said == ["here we are again"]
    assert session.finals[0].gap_before_ms == 120


def test_repeated_chunks_change_nothing() -> None:
    chunks = chunks_of(TALK.pcm16(), [200])
    doubled = [c for chunk in chunks for c in (chunk, chunk)]
    again = Session(ScriptedEngine(TALK.words)).hear(doubled)
    assert again.said == _play(TALK, [200]).said


def test_the_newest_known_role_counts_and_is_not_unlearned() -> None:
    unknown, known = replace(IDENTITY, role=Role.UNKNOWN), replace(IDENTITY, role=Role.AGENT)
    assert unknown.refreshed(known) is known
    assert known.refreshed(unknown) is known


def test_the_newest_known_queue_counts_and_is_not_unlearned() -> None:
    known = replace(IDENTITY, queue_id="62001")
    assert IDENTITY.refreshed(known) is known
    assert known.refreshed(IDENTITY) == known
    assert known.refreshed(replace(IDENTITY, queue_id="62002")).queue_id == "62002"
    assert known.refreshed(replace(IDENTITY, role=Role.UNKNOWN, queue_id="62002")).role is IDENTITY.role


def test_audio_that_stops_coming_still_gives_its_words() -> None:
    script = Script().pause(300).say("are you still")
    session = Session(ScriptedEngine(script.words)).hear(chunks_of(script.pcm16(), [200], end=False))
    assert session.said == []
    session.carry_out(session.leg.on_quiet())
    assert session.said == ["are you still"]
    assert session.leg.needed_offset is None
    session.carry_out(session.leg.on_time_out())
    assert session.finished[0].status is LegStatus.TIMED_OUT


def test_a_decode_that_fails_twice_fails_the_leg_but_not_its_other_words() -> None:
    failing = ScriptedEngine(
        TALK.words, lambda request: Transient("no") if request.pcm16.count(b"\x06\x00") > 9 else None
    )
    session = Session(failing).hear(chunks_of(TALK.pcm16(), [200]))
    assert session.said == ["hello this is anna speaking", "how can i help you today my friend", "with something"]
    assert session.finished[0].status is LegStatus.FAILED


def test_words_in_doubt_stay_where_they_cannot_be_heard_again() -> None:
    deaf = Mindful(TALK.words, lambda request: Transient("no") if request.quality is Quality.AGAIN else None)
    session = Session(deaf).hear(chunks_of(TALK.pcm16(), [200]))
    assert session.said == Session(ScriptedEngine(TALK.words)).hear(chunks_of(TALK.pcm16(), [200])).said
    assert session.finished[0].status is LegStatus.FAILED


def test_no_number_is_shown_while_what_was_said_before_it_is_not_known() -> None:
    script = Script().pause(500).say("i am going to give you now my card").pause(900)
    script.say("number is 4111 okay then what else do you need from me", word_ms=400).pause(900)
    session = Session(ScriptedEngine(script.words))
    shown: list[str] = []
    for chunk in chunks_of(script.pcm16(), [200], end=False):
        for effect in session.leg.on_chunk(chunk, step_ms=1_000):
            if isinstance(effect, DecodeJob) and effect.kind is Kind.PARTIAL:
                recognition = session.engine.recognize(effect.request())
                partials = session.leg.on_decoded(effect, recognition, wall_ms=0)
                shown += [partial.safe.text for partial in partials if isinstance(partial, Transcript)]
    assert "number is" in shown
    assert not any("4111" in text for text in shown)


def test_partials_can_be_left_out() -> None:
    session = Session(ScriptedEngine(TALK.words)).hear(chunks_of(TALK.pcm16(), [200]), step_ms=None)
    assert len(session.finals) == 4


class Tracing(ScriptedEngine):
    """Leaves as its trace how much it heard."""

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        return replace(super().recognize(request), trace=(request.quality, len(request.pcm16)))


def test_each_decode_of_an_utterance_may_use_what_the_last_one_left_and_none_of_another() -> None:
    script = Script().pause(500).say("a long turn that is cut off by the end of the leg in the middle of")
    before = Script().pause(500).say("how do you do my friend").pause(1_500)
    said = Script(words=[*before.words, *script.words], spoken=[*before.spoken], at_ms=before.at_ms)
    said.spoken += [(start_ms + before.at_ms, end_ms + before.at_ms) for start_ms, end_ms in script.spoken]
    said.at_ms += script.at_ms
    engine = Tracing(said.words)
    session = Session(engine).hear(chunks_of(said.pcm16(), [200]))
    qualities = [request.quality for request in engine.requests]
    assert (qualities.count(Quality.FINAL), qualities.count(Quality.PARTIAL) > 3) == (2, True)
    first = qualities.index(Quality.FINAL) + 1
    for requests in (engine.requests[:first], engine.requests[first:]):
        heard = [(request.quality, len(request.pcm16)) for request in requests]
        assert [request.draft for request in requests] == [None, *heard[:-1]]
    assert len(session.finals) == 2


def test_a_partial_that_waits_tells_of_more_and_the_next_counts_from_what_it_told() -> None:
    script = Script().pause(500).say("one two three four five six seven eight nine ten eleven twelve")
    chunks = chunks_of(script.pcm16(), [200], end=False)
    session = Session(ScriptedEngine(script.words))
    jobs: list[DecodeJob] = []
    for chunk in chunks[:8]:
        jobs += [effect for effect in session.leg.on_chunk(chunk, step_ms=1_000) if isinstance(effect, DecodeJob)]
    assert [job.kind for job in jobs] == [Kind.PARTIAL] * len(jobs)
    assert [job.renews for job in jobs] == [False, *[True] * (len(jobs) - 1)]
    ends = [job.end_ms for job in jobs]
    assert len(ends) > 2
    assert ends == sorted(set(ends))
    assert [len(job.pcm16) // 16 for job in jobs] == [job.end_ms - job.start_ms for job in jobs]
    session.leg.on_decoded(jobs[1], session.engine.recognize(jobs[1].request()), wall_ms=0)
    later: list[DecodeJob] = []
    for chunk in chunks[8:]:
        later += [effect for effect in session.leg.on_chunk(chunk, step_ms=600) if isinstance(effect, DecodeJob)]
    assert not later[0].renews
    assert later[0].end_ms - jobs[1].end_ms >= 600


def test_memory_of_a_silent_leg_is_bounded() -> None:
    session = Session(ScriptedEngine([]))
    session.hear(chunks_of(bytes(16 * 60_000), [200], end=False))
    assert session.leg.held_audio_ms <= 1_000
    assert session.engine.requests == []


@given(st.lists(st.integers(20, 700), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_chunking_does_not_change_the_finals(sizes_ms: list[int]) -> None:
    expected = [(t.utterance_id, t.end_ms, t.safe) for t in _play(TALK, [200]).finals]
    assert [(t.utterance_id, t.end_ms, t.safe) for t in _play(TALK, sizes_ms).finals] == expected


LONG = Script().pause(700)
for _ in range(12):
    LONG.say("one after the other without end", word_ms=300).pause(96)
LONG.pause(700).say("done").pause(300).say("really").pause(2_000).say("yes").pause(900)


def _patchy(script: Script, sizes_ms: list[int], holes: list[tuple[int, int]]) -> list[LegChunk]:
    """Its chunks without those that lie in the holes; some come twice, some a few ms off their time."""
    out: list[LegChunk] = []
    for chunk in chunks_of(script.pcm16(), sizes_ms):
        if chunk.end or not any(low <= chunk.sequence < high for low, high in holes):
            off_ms = chunk.sequence % 7 if chunk.sequence % 3 == 0 else 0
            out.append(replace(chunk, offset=len(out), media_time_ms=chunk.media_time_ms + off_ms))
        if chunk.sequence % 11 == 5:
            out.append(replace(chunk, offset=len(out)))
    return out


class Mindful(ScriptedEngine):
    """In doubt at first; says then with each word what it was told of before."""

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        heard = super().recognize(request)
        if request.quality is Quality.FINAL:
            return replace(heard, doubtful=True)
        before = "".join(f"<{zlib.crc32(pcm16):x}>" for pcm16 in request.before)
        return replace(heard, words=tuple(replace(word, text=word.text + before) for word in heard.words))


@given(
    st.sampled_from([TALK, LONG]),
    st.lists(st.integers(20, 300), min_size=1, max_size=20),
    st.lists(st.integers(0, 150).flatmap(lambda at: st.tuples(st.just(at), st.integers(at, at + 12))), max_size=4),
    st.lists(st.floats(0.0, 1.0), min_size=1, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_successors_publish_what_one_that_never_died_does(
    script: Script, sizes_ms: list[int], holes: list[tuple[int, int]], deaths: list[float]
) -> None:
    """Whatever is missing, repeated, split or dropped, and though their voice detectors have not heard the past."""

    def session(mark: LegMark | None = None) -> Session:
        return Session(Mindful(script.words), mark=mark, detector=RememberingDetector())

    chunks = _patchy(script, sizes_ms, holes)
    whole = session().hear(chunks)
    said: list[Transcript] = []
    mark, at = LegMark(), 0
    for death in (*sorted(deaths), None):
        life = session(read_mark(mark))
        stop = len(chunks) if death is None else max(at, int(death * len(chunks)))
        life.hear(chunks[at:stop])
        said += life.finals
        needed = life.leg.needed_offset
        mark, at = life.leg.mark, stop if needed is None else needed
        if life.finished:
            break
    assert [_told(t) for t in said] == [_told(t) for t in whole.finals]
    (finished,), (expected,) = life.finished, whole.finished
    assert (finished.audio_ms, finished.gap_ms, finished.status) == (
        expected.audio_ms,
        expected.gap_ms,
        expected.status,
    )
    assert (finished.mark.utterances, finished.mark.words) == (expected.mark.utterances, expected.mark.words)


def read_mark(mark: LegMark) -> LegMark:
    """As a successor reads it from what was committed."""
    marks = PartitionMarks()
    marks.put(IDENTITY.leg_id, mark, 0)
    return read_note(marks.note()[0]).get(IDENTITY.leg_id) or LegMark()


def test_each_final_in_doubt_is_heard_behind_what_was_said_within_reach_and_no_more() -> None:
    script = Script().pause(500).say("one two three", word_ms=1_000).pause(700).say("four five", word_ms=1_000)
    script.pause(700).say("six", word_ms=8_000).pause(31_000).say("seven").pause(900).say("eight").pause(900)
    session = Session(Mindful(script.words)).hear(chunks_of(script.pcm16(), [200]))
    finals = {r.pcm16: r for r in session.engine.requests if r.quality is Quality.AGAIN}
    heard = {session.engine.recognize(replace(r, before=())).text: pcm16 for pcm16, r in finals.items()}
    before = {text: finals[pcm16].before for text, pcm16 in heard.items()}
    assert before["one two three"] == ()
    assert before["four five"] == (heard["one two three"],)
    assert before["six"] == (heard["one two three"], heard["four five"])
    # The one is out of reach, the other not.
    assert before["seven"] == ()
    assert before["eight"] == (heard["seven"],)


def test_so_much_of_what_was_said_before_is_given_and_the_latest_of_it() -> None:
    said = SaidBefore()
    lengths_ms = [4_000, 9_000, 5_000, 2_000]
    for number, length_ms in enumerate(lengths_ms):
        said.add(Said(1_000 * number, length_ms, bytes([number]), Foothold(anchor=Anchor(1_000 * number))))
    assert [one.pcm16[0] for one in said.before(9_000)] == [1, 2, 3]
    assert [one.pcm16[0] for one in said.before(REACH_MS + 2_000)] == [2, 3]
    said.clear()
    assert said.before(REACH_MS + 2_000) == ()


def test_a_successor_decodes_nothing_that_is_published() -> None:
    script = Script().pause(500).say("what was said before").pause(900).say("is not said again").pause(900)
    chunks = chunks_of(script.pcm16(), [200], end=False)
    first = Session(ScriptedEngine(script.words)).hear(chunks)
    needed, mark = first.leg.needed_offset, read_mark(first.leg.mark)
    assert needed is not None
    assert needed < len(chunks) - 10  # what is published is heard once more
    script.say("but what is new").pause(900)
    successor = Session(Mindful(script.words), mark=mark)
    successor.hear(chunks_of(script.pcm16(), [200])[needed:])
    assert [re.sub(r"<\w+>", "", said) for said in successor.said] == ["but what is new"]
    assert successor.finished[0].mark.words == len(script.words)
    (first_look,) = (r for r in successor.engine.requests if r.quality is Quality.FINAL)
    (again,) = (r for r in successor.engine.requests if r.quality is Quality.AGAIN)
    assert again.pcm16 == first_look.pcm16
    assert len(again.before) == 2


def _told(transcript: Transcript) -> tuple[object, ...]:
    return transcript.utterance_id, transcript.end_ms, transcript.safe, transcript.gap_before_ms


def _renumbered(script: Script, from_word: int) -> bytes:
    """The audio of a script whose first words were said before."""
    return Script(["-"] * from_word + script.words, [(0, 0)] * from_word + script.spoken, script.at_ms).pcm16()


class Polyglot(ScriptedEngine):
    """Hears French in what is long, English in what is short, unless it is told."""

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        heard = super().recognize(request)
        guess = "fr" if request.duration_ms > 2_000 else "en"
        return replace(heard, language=request.language or guess, language_probability=0.0 if request.language else 0.9)


def test_a_leg_keeps_the_language_of_its_first_seconds() -> None:
    script = Script().pause(500).say("oui", word_ms=300).pause(1_000)
    script.say("je voudrais savoir ou est mon colis", word_ms=300).pause(1_000).say("okay").pause(1_000)
    session = Session(Polyglot(script.words), languages=("en", "fr")).hear(chunks_of(script.pcm16(), [200]))
    assert [t.language for t in session.finals] == ["en", "fr", "fr"]
    assert [r.language for r in session.engine.requests][-1] == "fr"


QUEUES = {"fr": Speech(("fr",), "Earshot"), "two": Speech(("fr", "es"), ""), "en": Speech(("en",))}


def with_queue(chunks: list[LegChunk], queue: str, *, from_chunk: int = 0) -> list[LegChunk]:
    named = replace(chunks[0].identity, queue_id=queue)
    return [*chunks[:from_chunk], *(replace(chunk, identity=named) for chunk in chunks[from_chunk:])]


@pytest.mark.parametrize(
    ("queue", "languages", "asked"),
    [
        ("", ("en", "fr"), ("", (), None)),
        ("unknown", ("en",), ("en", (), None)),
        ("fr", ("en",), ("fr", ("fr",), "Earshot")),
        ("two", ("en",), ("", ("fr", "es"), "")),
        ("en", (), ("en", ("en",), None)),
    ],
)
def test_a_queue_says_what_is_spoken_and_expected(
    queue: str, languages: tuple[str, ...], asked: tuple[str, tuple[str, ...], str | None]
) -> None:
    session = Session(Polyglot(TALK.words), languages=languages, queues=QUEUES, queue_id=queue)
    session.hear(with_queue(chunks_of(TALK.pcm16(), [200]), queue))
    first = session.engine.requests[0]
    assert (first.language, first.languages, first.hot_words) == asked


def test_a_queue_that_becomes_known_late_holds_from_then_on() -> None:
    script = Script().say("one two three four").pause(900).say("five six seven eight").pause(900)
    played = with_queue(chunks_of(script.pcm16(), [200]), "fr", from_chunk=8)
    session = Session(ScriptedEngine(script.words), queues=QUEUES).hear(played)
    asked = [(r.language, r.hot_words) for r in session.engine.requests]
    assert (asked[0], asked[-1]) == (("en", None), ("fr", "Earshot"))
    assert asked == sorted(asked, key=lambda one: one[0])
    assert session.said == ["one two three four", "five six seven eight"]


def test_a_successor_keeps_a_learnt_language_only_where_the_queue_speaks_it() -> None:
    for queue, told, language in (("two", "es", "es"), ("two", "en", ""), ("", "en", "en"), ("fr", "es", "fr")):
        speech = LegSpeech(("en", "de"), QUEUES, queue_id=queue, told=told)
        assert speech.language == language


def test_a_language_heard_before_the_queue_was_known_does_not_count() -> None:
    speech = LegSpeech((), QUEUES, queue_id="", told="")
    assert not speech.learn("de", 0.9, 2_000)
    speech.came_by("two", "")
    assert not speech.learn("fr", 0.9, 600)
    assert speech.learn("fr", 0.9, 2_000)
    assert (speech.language, speech.expected) == ("fr", QUEUES["two"])


def test_one_language_is_told_to_the_engine() -> None:
    session = Session(Polyglot(TALK.words), languages=("fr",)).hear(chunks_of(TALK.pcm16(), [200]))
    assert {r.language for r in session.engine.requests} == {"fr"}
    assert {t.language for t in session.finals} == {"fr"}
