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
from services.contracts.records import AudioChunk, CallLifecycle
from services.contracts.topics import AUDIO_CHUNKS, CALLS_LIFECYCLE, CALLS_RECORDINGS
from services.recorder.adapters.spool import Spool
from services.recorder.adapters.store import RecordingStore
from services.recorder.app import Recorder
from services.recorder.config import RecorderSettings

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
SILENCE = b"\xff"


class Bench:
    """A recorder with fakes around it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.publisher = FakePublisher()
        self.offset = 0
        self.restart()

    def restart(self) -> None:
        self.recorder = Recorder(
            settings=load(RecorderSettings, {}), spool=Spool(self.folder / "spool"),
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
