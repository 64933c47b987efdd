from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.chassis.consumer import Incoming
from services.chassis.errors import Poison
from services.chassis.records import encode, encode_headers
from services.chassis.settings import load
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.records import AudioChunk, CallLifecycle, Engine, Redaction, Timing, TranscriptLeg, Utterance
from services.contracts.topics import (
    AUDIO_CHUNKS,
    CALLS_LIFECYCLE,
    CALLS_RECORDINGS,
    TRANSCRIPTS_FINAL,
    TRANSCRIPTS_LEGS,
)
from services.recorder.adapters.spool import Spool
from services.recorder.adapters.store import RecordingStore
from services.recorder.app import Recorder
from services.recorder.config import RecorderSettings

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
SILENCE = b"\xff"


class Bench:
    """A recorder with fakes around it."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = load(RecorderSettings, {"RECORDER_MUTE": "none"} | settings)
        self.clock = FakeClock()
        self.publisher = FakePublisher()
        self.offset = 0
        self.restart()

    def restart(self) -> None:
        self.recorder = Recorder(
            settings=self.settings, spool=Spool(self.folder / "spool"),
            store=RecordingStore(str(self.folder / "out")), publisher=self.publisher, clock=self.clock,
        )  # fmt: skip

    def chunk(self, role: str, at_ms: int, byte: bytes = SILENCE, *, end: bool = False, **changes: object) -> Incoming:
        fields = {
            "call_id": "s-1", "leg_id": role, "role": role, "sequence": at_ms // 200, "codec": "pcmu",
            "sample_rate_hz": 8000, "media_time_ms": at_ms,
            "duration_ms": 0 if end else 200, "captured_at": AT, "end": end,
        }  # fmt: skip
        metadata = AudioChunk(**(fields | changes))  # type: ignore[arg-type]
        return self.message(AUDIO_CHUNKS, b"" if end else byte * 1600, tuple(encode_headers(metadata)))

    def ended(self) -> Incoming:
        fact = CallLifecycle(event_id="s-1:ended", call_id="s-1", type="ended", at=AT)
        return self.message(CALLS_LIFECYCLE, encode(fact), ())

    def final(
        self, role: str, start_ms: int, end_ms: int, *hidden: tuple[str, int, int], text: str = "yes"
    ) -> Incoming:
        utterance = Utterance(
            call_id="s-1", leg_id=role, utterance_id=f"{role}@{start_ms}", revision=0, is_final=True, text=text,
            start_ms=start_ms, end_ms=end_ms, role="agent", engine=Engine(name="whisper", model="tiny.en"),
            redactions=tuple(Redaction(type=t, start=0, end=0, start_ms=a, end_ms=b) for t, a, b in hidden),  # type: ignore[arg-type]
            timing=Timing(audio_end=AT, decoded=AT, published=AT),
        )  # fmt: skip
        return self.message(TRANSCRIPTS_FINAL, encode(utterance), ())

    def leg_end(self, role: str, utterances: int, status: str = "complete") -> Incoming:
        leg = TranscriptLeg(call_id="s-1", leg_id=role, status=status, at=AT, utterances=utterances)  # type: ignore[arg-type]
        return self.message(TRANSCRIPTS_LEGS, encode(leg), ())

    def message(self, topic: object, value: bytes, headers: tuple[tuple[str, bytes | None], ...]) -> Incoming:
        self.offset += 1
        return Incoming(
            topic=topic, full_name=f"earshot.{topic.name}", partition=0, offset=self.offset, key="s-1", value=value,  # type: ignore[attr-defined]
            headers=headers, timestamp_ms=0,
        )  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def play(bench: Bench, messages: list[Incoming]) -> None:
    for message in messages:
        bench.recorder.handle(message)
        bench.recorder.idle()


def test_agent_is_left_customer_right_and_a_gap_is_silence(bench: Bench) -> None:
    loud_agent, loud_customer = b"\x80", b"\x00"
    play(
        bench,
        [
            bench.chunk("agent", 0, loud_agent),
            bench.chunk("customer", 0),
            bench.chunk("agent", 400, gap_before_ms=200),
            bench.chunk("customer", 200),
            bench.chunk("customer", 400, loud_customer),
            bench.chunk("agent", 600, end=True),
            bench.chunk("customer", 600, end=True),
            bench.ended(),
        ],
    )
    [recording] = bench.publisher.records(CALLS_RECORDINGS)
    samples, rate = soundfile.read(recording.uri, dtype="int16")
    assert (rate, samples.shape, recording.duration_ms, recording.gap_ms) == (8000, (4800, 2), 600, 200)
    left, right = samples[:, 0], samples[:, 1]
    assert np.all(left[:1600] == 32124)
    assert np.all(left[1600:] == 0)
    assert np.all(right[:3200] == 0)
    assert np.all(right[3200:] == -32124)


def test_a_restart_reads_open_calls_again_and_the_file_is_the_same(bench: Bench) -> None:
    first, rest = (
        [bench.chunk("agent", 0, b"\x80")],
        [bench.chunk("agent", 200, b"\x00"), bench.chunk("agent", 400, end=True)],
    )
    play(bench, first)
    assert bench.recorder.safe_offset("earshot.audio.chunks.v1", 0, 2) == 1
    bench.restart()
    play(bench, [*first, *rest, bench.ended()])
    [recording] = bench.publisher.records(CALLS_RECORDINGS)
    samples, _ = soundfile.read(recording.uri, dtype="int16")
    assert samples.shape == (3200, 2)
    assert bench.recorder.safe_offset("earshot.audio.chunks.v1", 0, 9) == 9


def test_the_calls_end_may_be_told_before_its_audio(bench: Bench) -> None:
    play(bench, [bench.ended(), bench.chunk("agent", 0), bench.chunk("agent", 200, end=True)])
    assert len(bench.publisher.records(CALLS_RECORDINGS)) == 1


def test_a_mixed_stream_is_mono(bench: Bench) -> None:
    play(bench, [bench.chunk("mixed", 0), bench.chunk("mixed", 200, end=True), bench.ended()])
    [recording] = bench.publisher.records(CALLS_RECORDINGS)
    assert (recording.layout, recording.channels) == ("mixed", 1)


@pytest.fixture
def muting(tmp_path: Path) -> Bench:
    return Bench(tmp_path, RECORDER_MUTE="all", RECORDER_MUTE_MARGIN_MS="50")


def two_legs(bench: Bench) -> list[Incoming]:
    """A second of full scale on either leg, and the call's end."""
    chunks = [bench.chunk(role, at, b"\x80") for at in range(0, 1000, 200) for role in ("agent", "customer")]
    return [*chunks, bench.chunk("agent", 1000, end=True), bench.chunk("customer", 1000, end=True), bench.ended()]


def silent_ms(bench: Bench) -> tuple[list[int], list[int]]:
    """The milliseconds without sound of the only recording, left and right."""
    [recording] = bench.publisher.records(CALLS_RECORDINGS)
    samples, _ = soundfile.read(recording.uri, dtype="int16")
    assert len(samples) == recording.duration_ms * 8 == 8000
    left, right = (np.flatnonzero(np.all(samples[:, side].reshape(-1, 8) == 0, axis=1)) for side in (0, 1))
    return left.tolist(), right.tolist()


def test_what_the_transcript_hid_is_silent_on_its_leg_alone(muting: Bench) -> None:
    final = muting.final("customer", 100, 900, ("payment_card", 300, 500))
    play(muting, two_legs(muting))
    assert muting.publisher.records(CALLS_RECORDINGS) == []
    # The leg's end may be read before its last final.
    nothing = muting.final("customer", 50, 90, text="")
    play(muting, [muting.leg_end("agent", 0), muting.leg_end("customer", 1), nothing])
    assert muting.publisher.records(CALLS_RECORDINGS) == []
    play(muting, [final])
    assert silent_ms(muting) == ([], list(range(250, 550)))
    [recording] = muting.publisher.records(CALLS_RECORDINGS)
    assert [(m.leg_id, m.type, m.start_ms, m.end_ms) for m in recording.muted] == [
        ("customer", "payment_card", 250, 550)
    ]


def test_a_restart_mutes_what_it_muted_before(muting: Bench) -> None:
    early = [muting.final("customer", 100, 900, ("phone", 300, 500)), *two_legs(muting)]
    play(muting, early)
    assert muting.recorder.safe_offset("earshot.transcripts.final.v1", 0, 99) == 1
    muting.restart()
    play(muting, [*early, muting.leg_end("agent", 0), muting.leg_end("customer", 1)])
    assert silent_ms(muting) == ([], list(range(250, 550)))


def test_what_nobody_transcribed_is_muted_after_a_while(muting: Bench) -> None:
    play(muting, two_legs(muting))
    play(muting, [muting.final("customer", 200, 400), muting.leg_end("agent", 0), muting.leg_end("customer", 2)])
    muting.clock.advance_ms(599_000)
    muting.recorder.idle()
    assert muting.publisher.records(CALLS_RECORDINGS) == []
    muting.clock.advance_ms(2_000)
    muting.recorder.idle()
    assert silent_ms(muting) == ([], [*range(200), *range(400, 1000)])


def test_a_leg_that_failed_is_heard_only_where_its_words_are_known(muting: Bench) -> None:
    play(muting, two_legs(muting))
    play(muting, [muting.final("agent", 0, 600), muting.leg_end("agent", 1, "failed"), muting.leg_end("customer", 0)])
    assert silent_ms(muting) == (list(range(600, 1000)), [])


def test_only_the_kinds_that_are_named_are_muted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, RECORDER_MUTE="payment_card", RECORDER_MUTE_MARGIN_MS="0")
    play(bench, two_legs(bench))
    hidden = (("phone", 100, 200), ("payment_card", 300, 500))
    play(bench, [bench.final("agent", 0, 900, *hidden), bench.leg_end("agent", 1), bench.leg_end("customer", 0)])
    assert silent_ms(bench) == (list(range(300, 500)), [])


def test_words_of_a_call_without_audio_are_let_go(muting: Bench) -> None:
    play(muting, [muting.final("agent", 0, 600)])
    assert muting.recorder.safe_offset("earshot.transcripts.final.v1", 0, 5) == 1
    muting.clock.advance_ms(901_000)
    muting.recorder.idle()
    assert muting.recorder.safe_offset("earshot.transcripts.final.v1", 0, 5) == 5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"duration_ms": 180}, "bad_audio_length"),
        ({"call_id": "s-2"}, "wrong_key"),
        ({"media_time_ms": 10**9}, "bad_media_time"),
    ],
)
def test_a_chunk_that_cannot_be_right_is_poison(bench: Bench, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(Poison) as caught:
        bench.recorder.handle(bench.chunk("agent", 0, **changes))
    assert caught.value.reason == reason
