"""Messages in, records out: the handler between Kafka and the legs, with a scripted engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.chassis.consumer import Incoming
from services.chassis.errors import Backpressure, EarshotError, Poison, Transient
from services.chassis.records import encode_headers
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.records import AudioChunk
from services.contracts.topics import AUDIO_CHUNKS, TRANSCRIPTS_FINAL, TRANSCRIPTS_LEGS, TRANSCRIPTS_PARTIAL
from services.transcriber.adapters.chunk_handler import ChunkHandler, LegLimits
from services.transcriber.adapters.decode_pool import Answer
from services.transcriber.adapters.transcript_writer import TranscriptWriter
from services.transcriber.domain.endpointing import EndpointRules
from services.transcriber.domain.partition_marks import read_note
from services.transcriber.domain.queues import Speech
from tests.unit.transcriber.scripted_speech import LoudnessDetector, QueuedPool, Script, ScriptedEngine

TOPIC = "earshot.audio.chunks.v1"
TALK = Script().pause(600).say("hello there").pause(800).say("my card is 4111 1111 1111 1111 thanks").pause(900)


class InlinePool(QueuedPool):
    """Decodes when asked for answers; ``stuck`` never does."""

    def __init__(self, engine: ScriptedEngine) -> None:
        super().__init__(engine)
        self.stuck = False

    def load(self) -> tuple[int, int, int]:
        return len(self.queue), self.queue.finals, 0

    def answers(self) -> Sequence[Answer]:
        out: list[Answer] = []
        while not self.stuck and (job := self.queue.take()) is not None:
            try:
                out.append((job, self.engine.recognize(job.request()), 0))
            except EarshotError:
                out.append((job, None, 0))
        return out


class Bench:
    """A handler with its surroundings."""

    def __init__(self, script: Script = TALK, **limits: Any) -> None:
        self.clock = FakeClock()
        self.publisher = FakePublisher()
        self.pool = InlinePool(ScriptedEngine(script.words))
        self.handler = ChunkHandler(
            detectors=lambda rate_hz: LoudnessDetector(),
            pool=self.pool,
            publisher=self.publisher,
            writer=TranscriptWriter(self.publisher, ScriptedEngine.identity, self.clock),
            clock=self.clock,
            limits=LegLimits(rules=EndpointRules(), **limits),
        )
        self.handler.assigned(TOPIC, 0, "")

    def play(self, messages: Sequence[Incoming]) -> Bench:
        for message in messages:
            try:
                self.handler.handle(message)
            except Poison as poison:
                self.publisher.dead_letter(message.origin(), poison)
            self.handler.idle()
        return self

    def wait(self, ms: int, *, step_ms: int = 100) -> None:
        """Poll for so long; nothing comes."""
        self.handler.reached_end(TOPIC, 0, lambda: True)
        for _ in range(ms // step_ms):
            self.clock.advance_ms(step_ms)
            self.handler.idle()

    @property
    def said(self) -> list[str]:
        return [u.text for u in self.publisher.records(TRANSCRIPTS_FINAL)]


def messages(
    script: Script, *, leg: str = "p-1~00000001", first_offset: int = 0, end: bool = True, queue: str | None = None
) -> list[Incoming]:
    pcm16 = script.pcm16()
    out = []
    for number, at_ms in enumerate(range(0, script.at_ms, 200)):
        value = pcm16[at_ms * 16 : (at_ms + 200) * 16]
        out.append(
            message(
                value,
                leg=leg,
                sequence=number,
                at_ms=at_ms,
                offset=first_offset + number,
                end=end and at_ms + 200 >= script.at_ms,
                queue=queue,
            )
        )
    return out


def message(
    value: bytes,
    *,
    leg: str = "p-1~00000001",
    sequence: int = 0,
    at_ms: int = 0,
    offset: int = 0,
    end: bool = False,
    queue: str | None = None,
) -> Incoming:
    header = AudioChunk(
        call_id="s-1", leg_id=leg, party_id="p-1", role="customer", role_source="party_supervision", sequence=sequence,
        codec="pcm_s16le", sample_rate_hz=8000, media_time_ms=at_ms, duration_ms=len(value) // 16,
        captured_at=datetime(2026, 3, 2, 15, 0, tzinfo=UTC), epoch=datetime(2026, 3, 2, 14, 59, tzinfo=UTC), end=end,
        queue_id=queue,
    )  # fmt: skip
    headers = tuple((name, text) for name, text in encode_headers(header))
    return Incoming(
        topic=AUDIO_CHUNKS, full_name=TOPIC, partition=0, offset=offset, key="s-1", value=value, headers=headers,
        timestamp_ms=0,
    )  # fmt: skip


def successive(played: Sequence[Incoming], stop: int) -> tuple[Bench, Bench]:
    """One handler hears the first messages, another goes on from what it would have committed."""
    first = Bench().play(played[:stop])
    offset, note = first.handler.safe_offset(TOPIC, 0, stop), first.handler.note(TOPIC, 0)
    second = Bench()
    second.handler.assigned(TOPIC, 0, note)
    return first, second.play(played[offset:])


def test_a_leg_becomes_finals_and_a_leg_record() -> None:
    bench = Bench().play(messages(TALK))
    assert bench.said == ["hello there", "my card is [payment card] thanks"]
    first, second = bench.publisher.records(TRANSCRIPTS_FINAL)
    assert (first.role, first.role_source, first.language) == ("customer", "party_supervision", "en")
    assert first.audio_start_utc is not None
    assert second.redactions[0].type == "payment_card"
    assert second.text[second.redactions[0].start : second.redactions[0].end] == "[payment card]"
    (leg,) = bench.publisher.records(TRANSCRIPTS_LEGS)
    assert (leg.status, leg.utterances, leg.audio_ms) == ("complete", 2, TALK.at_ms)
    assert all(not u.is_final for u in bench.publisher.records(TRANSCRIPTS_PARTIAL))


def test_a_leg_that_changes_its_call_harms_nobody() -> None:
    """A producer's fault: the leg goes on and ends, and so does another of the call that it began in."""
    whole = messages(TALK)
    bent = [replace(late, headers=(("call_id", b"s-2"), *late.headers[1:])) for late in whole[5:]]
    other = messages(TALK, leg="p-2~00000001", first_offset=100)
    bench = Bench().play([*whole[:5], *other[:5], *bent, *other[5:]])
    assert bench.said == ["hello there", "my card is [payment card] thanks"] * 2
    assert [(leg.call_id, leg.status) for leg in bench.publisher.records(TRANSCRIPTS_LEGS)] == [
        ("s-2", "complete"),
        ("s-1", "complete"),
    ]


def test_the_queue_of_a_call_reaches_the_engine_and_no_queue_asks_for_nothing() -> None:
    queues = {"62001": Speech(("fr",), "Earshot")}
    asked = {}
    for queue in (None, "62001", "62002"):
        bench = Bench(queues=queues).play(messages(TALK, queue=queue))
        assert bench.said == ["hello there", "my card is [payment card] thanks"]
        asked[queue] = bench.pool.engine.requests
    assert {(r.language, r.languages, r.hot_words) for r in asked["62001"]} == {("fr", ("fr",), "Earshot")}
    plain = Bench().play(messages(TALK)).pool.engine.requests
    assert asked[None] == asked["62002"] == plain
    assert {(r.language, r.languages, r.hot_words) for r in plain} == {("en", (), None)}


SPOILED = {
    "headers": ("bad_headers", {}, None),
    "odd": ("bad_audio_length", {}, b"odd"),
    "nothing": ("bad_audio_length", {}, b""),
    "more": ("bad_audio_length", {}, bytes(9_000_000)),
    "codec": ("bad_headers", {"codec": b"opus"}, None),
    "rate": ("rate_changed", {"sample_rate_hz": b"16000", "duration_ms": b"100"}, None),
    "no rate": ("bad_headers", {"sample_rate_hz": b"44100"}, None),
    "long": ("chunk_too_long", {"duration_ms": b"999999999"}, None),
    "ahead": ("absurd_time", {"media_time_ms": b"86400000"}, None),
    "far ahead": ("absurd_time", {"media_time_ms": b"9223372036854775807", "epoch": None}, None),
    "gap": ("absurd_time", {"gap_before_ms": b"99999999999999999999999999"}, None),
    "ancient": ("absurd_time", {"captured_at": b"0001-01-01T00:00:00Z"}, None),
    "local": ("bad_headers", {"captured_at": b"2026-03-02T15:00:00"}, None),
    "no text": ("bad_headers", {"role": b"\xff\xfe"}, None),
}


def spoiled(bad: Incoming, how: str) -> Incoming:
    """The message with what a row of SPOILED says."""
    _, changed, value = SPOILED[how]
    headers = {} if how == "headers" else {k: v for k, v in (dict(bad.headers) | changed).items() if v is not None}
    value = bad.value if value is None else value
    return Incoming(**{**_fields(bad), "value": value, "headers": tuple(headers.items())})


@pytest.mark.parametrize("how", SPOILED)
def test_poison_names_its_reason_its_leg_says_so_and_goes_on(how: str) -> None:
    chunks = messages(TALK)
    chunks[1] = spoiled(chunks[1], how)
    bench = Bench().play(chunks)
    assert [(origin.offset, poison.reason) for origin, poison in bench.publisher.dead_letters] == [(1, SPOILED[how][0])]
    assert bench.said == ["hello there", "my card is [payment card] thanks"]
    assert bench.publisher.records(TRANSCRIPTS_FINAL)[0].gap_before_ms == 200
    (leg,) = bench.publisher.records(TRANSCRIPTS_LEGS)
    assert (leg.status, leg.gap_ms, leg.audio_ms) == ("complete", 200, TALK.at_ms - 200)
    told = (leg.reason, leg.unreadable_chunks)
    assert told == (("", 0) if how == "headers" else ("unreadable_audio", 1))


@pytest.mark.parametrize("how", ["codec", "odd"])
def test_a_leg_of_which_nothing_can_be_read_fails_once_and_nobody_else_does(how: str) -> None:
    bad = [spoiled(m, how) for m in messages(TALK, leg="p-2~00000002")]
    good = messages(TALK)
    mixed = [m for pair in zip(bad, good, strict=True) for m in pair]
    mixed = [Incoming(**{**_fields(m), "offset": i}) for i, m in enumerate(mixed)]
    for stop in range(0, len(mixed), 7):
        first, second = successive(mixed, stop)
        legs = [leg for b in (first, second) for leg in b.publisher.records(TRANSCRIPTS_LEGS)]
        told = [(leg.leg_id, leg.status, leg.reason) for leg in legs]
        assert told == [
            ("p-2~00000002", "failed", SPOILED[how][0]),
            ("p-1~00000001", "complete", ""),
        ]
        assert first.said + second.said == ["hello there", "my card is [payment card] thanks"]
        dead = [origin.offset for b in (first, second) for origin, _ in b.publisher.dead_letters]
        assert dead == list(range(0, len(mixed), 2))


def test_a_leg_that_can_be_read_after_all_is_heard() -> None:
    chunks = messages(TALK)
    bench = Bench().play([spoiled(m, "codec") for m in chunks[:2]] + chunks[2:])
    assert bench.said == ["hello there", "my card is [payment card] thanks"]
    told = [(leg.status, leg.reason, leg.unreadable_chunks) for leg in bench.publisher.records(TRANSCRIPTS_LEGS)]
    assert told == [("failed", "bad_headers", 1), ("complete", "unreadable_audio", 2)]


def test_a_leg_whose_last_chunk_cannot_be_read_ends_all_the_same() -> None:
    chunks = messages(TALK)
    bench = Bench().play([*chunks[:-1], spoiled(chunks[-1], "odd")])
    assert bench.said == ["hello there", "my card is [payment card] thanks"]
    (leg,) = bench.publisher.records(TRANSCRIPTS_LEGS)
    assert (leg.status, leg.reason) == ("complete", "unreadable_audio")


@given(
    st.dictionaries(
        st.sampled_from([name for name, _ in messages(TALK)[0].headers]) | st.text(max_size=8),
        st.none() | st.binary(max_size=24) | st.integers(-(10**25), 10**25).map(lambda n: str(n).encode()),
        max_size=4,
    ),
    st.none() | st.binary(max_size=4_000),
)
@settings(max_examples=150, deadline=None)
def test_whatever_a_message_holds_it_is_heard_or_put_aside(
    changed: dict[str, bytes | None], value: bytes | None
) -> None:
    chunks = messages(TALK)
    headers = {k: v for k, v in (dict(chunks[3].headers) | changed).items() if v is not None}
    chunks[3] = Incoming(**{**_fields(chunks[3]), "value": value, "headers": tuple(headers.items())})
    other = [Incoming(**{**_fields(m), "offset": 100 + m.offset}) for m in messages(TALK, leg="p-2~00000002")]
    bench = Bench().play([*chunks, *other])
    read_note(bench.handler.note(TOPIC, 0))
    theirs = [u.text for u in bench.publisher.records(TRANSCRIPTS_FINAL) if u.leg_id == "p-2~00000002"]
    assert theirs == ["hello there", "my card is [payment card] thanks"]


def test_the_offset_waits_for_open_utterances_and_moves_on_after_them() -> None:
    chunks = messages(TALK)
    bench = Bench().play(chunks[:5])
    assert bench.handler.safe_offset(TOPIC, 0, 5) == 0
    bench.play(chunks[5:])
    assert bench.handler.safe_offset(TOPIC, 0, len(chunks)) == len(chunks)


def test_a_restart_repeats_no_final_and_loses_none() -> None:
    chunks = messages(TALK)
    for stop in range(1, len(chunks)):
        first, second = successive(chunks, stop)
        assert first.said + second.said == ["hello there", "my card is [payment card] thanks"]
        assert len(second.publisher.records(TRANSCRIPTS_LEGS)) == 1


def test_one_leg_does_not_hold_another_up_and_finals_of_both_are_kept_over_a_restart() -> None:
    one, other = messages(TALK), messages(TALK, leg="p-2~00000002")
    mixed = [m for pair in zip(one, other, strict=True) for m in pair]
    mixed = [Incoming(**{**_fields(m), "offset": i}) for i, m in enumerate(mixed)]
    for stop in range(1, len(mixed), 5):
        first, second = successive(mixed, stop)
        ids = [u.utterance_id for b in (first, second) for u in b.publisher.records(TRANSCRIPTS_FINAL)]
        assert len(ids) == len(set(ids)) == 4


def test_a_partition_that_leaves_takes_its_legs_and_leaves_its_marks() -> None:
    chunks = messages(TALK)
    bench = Bench().play(chunks[:9])
    bench.handler.revoked(TOPIC, 0, lost=False)
    offset, note = bench.handler.safe_offset(TOPIC, 0, 9), bench.handler.note(TOPIC, 0)
    assert offset < 9
    bench.handler.assigned(TOPIC, 0, note)
    bench.play(chunks[offset:])
    assert bench.said == ["hello there", "my card is [payment card] thanks"]


def test_a_leg_without_audio_is_closed_then_timed_out_and_may_come_back() -> None:
    chunks = messages(TALK, end=False)
    bench = Bench(timeout_ms=10_000).play(chunks[:8])
    bench.wait(6_000)
    assert bench.said == ["hello there"]
    assert bench.handler.safe_offset(TOPIC, 0, 8) == 8
    bench.wait(5_000)
    (leg,) = bench.publisher.records(TRANSCRIPTS_LEGS)
    assert leg.status == "timed_out"
    bench.play([*chunks[8:], message(b"", at_ms=TALK.at_ms, offset=99, end=True)])
    assert bench.said == ["hello there", "my card is [payment card] thanks"]
    assert bench.publisher.records(TRANSCRIPTS_LEGS)[-1].utterances == 2


def test_a_leg_is_not_quiet_while_there_is_more_to_read_or_nobody_reads() -> None:
    chunks = messages(TALK, end=False)
    bench = Bench().play(chunks[:5])
    bench.clock.advance_ms(60_000)  # held up in a rebalance, say
    bench.handler.idle()
    for _ in range(100):  # behind: the partition's end is not reached
        bench.clock.advance_ms(100)
        bench.handler.idle()
    bench.play(chunks[5:])
    bench.wait(6_000)
    assert bench.said == ["hello there", "my card is [payment card] thanks"]


def _lagging() -> bool:
    return False


def _unreachable() -> bool:
    raise Transient("the broker does not say")


@pytest.mark.parametrize("still", [_lagging, _unreachable])
def test_a_leg_is_not_quiet_unless_the_broker_says_that_nothing_of_it_waits(still: Callable[[], bool]) -> None:
    """What is there of it waits while the worker is busy with other partitions, whose backlog is large."""
    chunks = messages(TALK, end=False)
    bench = Bench(timeout_ms=10_000).play(chunks[:5])
    bench.handler.reached_end(TOPIC, 0, still)
    for _ in range(200):
        bench.clock.advance_ms(100)
        bench.handler.idle()
    bench.play(chunks[5:])
    bench.wait(6_000)
    assert bench.said == ["hello there", "my card is [payment card] thanks"]
    assert not bench.publisher.records(TRANSCRIPTS_LEGS)


def test_a_pause_of_the_source_closes_what_was_open_for_a_successor_too() -> None:
    chunks = [Incoming(**{**_fields(m), "timestamp_ms": 1_000_000 + m.offset * 200}) for m in messages(TALK)]
    late = [Incoming(**{**_fields(m), "timestamp_ms": m.timestamp_ms + 5_000}) for m in chunks[4:]]
    live = Bench().play(chunks[:4])
    live.wait(6_000)
    live.play(late)
    assert live.said[0] != "hello there"
    assert Bench().play([*chunks[:4], *late]).said == live.said


@pytest.mark.parametrize(
    ("silent_ms", "step_ms"),
    [
        pytest.param(5_000, 100, id="a new leader"),
        pytest.param(20_000, 400, id="neither the loop nor what brings its messages gets the processor"),
    ],
)
def test_a_broker_that_brings_nothing_for_a_while_is_no_pause(silent_ms: int, step_ms: int) -> None:
    chunks = [Incoming(**{**_fields(m), "timestamp_ms": 1_000_000 + m.offset * 200}) for m in messages(TALK)]
    live = Bench().play(chunks[:4])
    live.wait(silent_ms, step_ms=step_ms)
    live.play(chunks[4:])
    assert live.said == Bench().play(chunks).said


def test_what_one_leg_asks_for_is_hidden_in_the_others_answer_of_the_same_call_and_after_a_restart() -> None:
    agent = Script().pause(600).say("and what is your bank account number").pause(3_000)
    asked = len(agent.words)
    customer = Script(words=agent.words, spoken=[(0, 0)] * asked).pause(2_700).say("it is 73902812 thanks").pause(1_000)
    both = sorted([*messages(agent), *messages(customer, leg="p-2~00000002")], key=lambda m: m.offset)
    both = [Incoming(**{**_fields(m), "offset": i}) for i, m in enumerate(both)]
    for stop in range(1, len(both), 3):
        first = Bench(agent).play(both[:stop])
        offset, note = first.handler.safe_offset(TOPIC, 0, stop), first.handler.note(TOPIC, 0)
        second = Bench(agent)
        second.handler.assigned(TOPIC, 0, note)
        second.play(both[offset:])
        said = first.said + second.said
        assert said == ["and what is your bank account number", "it is [bank account] thanks"]
    alone = Bench(agent).play(messages(customer, leg="p-2~00000002"))
    assert alone.said == ["it is 73902812 thanks"]


def test_no_more_audio_is_taken_while_finals_pile_up() -> None:
    bench = Bench(backlog=1)
    bench.pool.stuck = True
    chunks = [m for n in range(3) for m in messages(TALK, leg=f"p-{n}~0000000{n}")]

    def play() -> None:
        for chunk in chunks:
            bench.handler.handle(chunk)

    with pytest.raises(Backpressure):
        play()
    bench.pool.stuck = False
    bench.handler.idle()
    bench.handler.handle(chunks[-1])


def _fields(incoming: Incoming) -> dict[str, object]:
    return {name: getattr(incoming, name) for name in incoming.__struct_fields__}
