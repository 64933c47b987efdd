"""Listening in: both legs, in frames, to whoever listens, and what a slow listener is told."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.assist_gateway.adapters.audio_feed import frame, piece_from
from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.listening import Listener, Piece
from services.assist_gateway.domain.session import Session
from services.chassis.consumer import Incoming
from services.chassis.errors import Poison
from services.chassis.records import encode_headers
from services.chassis.testing.fake_clock import START
from services.contracts.records import AudioChunk
from services.contracts.topics import AUDIO_CHUNKS
from tests.unit.assist_gateway.gateway_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.client:
        for call_id in ("c1", "c2"):
            bench.tell("state", "", {"status": "answered"}, call_id=call_id, overview="state", agent_extension_id="7")
        yield bench


def piece(**facts: object) -> Piece:
    told = {
        "leg_id": "l1", "channel": "agent", "pcmu": True, "sample_rate_hz": 8_000, "media_time_ms": 0,
        "duration_ms": 200, "gap_before_ms": 0, "end": False, "audio": b"\x00" * 1_600,
    }  # fmt: skip
    return Piece(**(told | facts))  # type: ignore[arg-type]


def test_the_frame_is_as_the_protocol_has_it() -> None:
    told = piece(channel="customer", pcmu=False, sample_rate_hz=16_000, media_time_ms=70_000, gap_before_ms=40,
                 skipped_ms=600, end=True, audio=b"ab")  # fmt: skip
    assert frame(513, 3, told) == bytes([1, 1, 1, 1]) + struct.pack(">HHIIII", 513, 3, 16_000, 70_000, 40, 600) + b"ab"
    assert [frame(0, 0, piece(channel=c))[1] for c in ("agent", "customer", "mixed", "unknown")] == [0, 1, 2, 2]


def test_both_legs_are_heard_under_one_stream_and_other_calls_are_not(bench: Bench) -> None:
    with bench.screen() as screen:
        screen.send("listen", call_id="c1")
        stream = screen.receive()["stream"]
        assert bench.feed.calls == {"c1": 0}
        bench.sound("c2", b"other")
        bench.sound("c1", b"agent", leg_id="a", channel="agent")
        bench.sound("c1", b"customer", leg_id="b", channel="customer")
        heard = [screen.receive_audio() for _ in range(2)]
    assert [(h[1], int.from_bytes(h[4:6]), int.from_bytes(h[6:8]), h[24:]) for h in heard] == [
        (0, stream, 0, b"agent"), (1, stream, 1, b"customer"),
    ]  # fmt: skip
    assert bench.feed.calls == {}  # nobody listens: nothing is read


def test_another_call_replaces_the_first(bench: Bench) -> None:
    with bench.screen() as screen:
        screen.send("listen", call_id="c1")
        first = screen.receive()
        screen.send("listen", call_id="c2")
        ended, second = screen.receive(), screen.receive()
        assert (ended["type"], ended["stream"], ended["reason"]) == ("listen_ended", first["stream"], "replaced")
        assert second["stream"] != first["stream"]
        assert bench.feed.calls == {"c2": 0}


def test_it_ends_with_the_call(bench: Bench) -> None:
    with bench.screen() as screen:
        screen.send("listen", call_id="c1")
        screen.receive()
        bench.tell("state", "", {"status": "ended"}, rank=(1, 0), overview="state", ended=True)
        bench.on_loop(bench.listening.sweep, 0)
        assert screen.receive()["reason"] == "call_ended"
        screen.send("listen", call_id="c1")
        assert screen.receive()["code"] == "not_live"


def test_a_deployment_may_have_none(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ASSIST_GATEWAY_LISTEN_IN="false")
    with bench.client:
        bench.tell("state", "", {"status": "answered"}, overview="state", agent_extension_id="7")
        assert bench.client.get("/v1/me", headers=bench.bearer()).json()["may_listen"] is False
        with bench.screen() as screen:
            screen.send("listen", call_id="c1")
            assert screen.receive()["code"] == "listening_off"


def test_a_slow_listener_loses_the_oldest_and_is_told_how_much() -> None:
    session = Session(viewer=Viewer(subject="x", role="admin"), limit=10, wake=lambda: None)
    listener = Listener(session, "c1", 1, 0)
    for number in range(15):
        listener.put(piece(media_time_ms=number * 200))
    listener.put(piece(leg_id="l2", media_time_ms=9_000))
    told = list(listener.take())
    assert [(leg, p.media_time_ms, p.skipped_ms) for leg, p in told if leg == 0][:2] == [
        (0, 1_000, 1_000),
        (0, 1_200, 0),
    ]
    assert [(leg, p.skipped_ms) for leg, p in told if leg == 1] == [(1, 0)]
    assert list(listener.take()) == []


def test_audio_is_read_from_its_headers() -> None:
    chunk = AudioChunk(
        call_id="c1", leg_id="l1", role="customer", sequence=4, codec="pcmu", sample_rate_hz=8000, media_time_ms=800,
        duration_ms=200, captured_at=START, gap_before_ms=20, end=True,
    )  # fmt: skip
    message = Incoming(
        topic=AUDIO_CHUNKS, full_name="earshot.audio.chunks.v1", partition=0, offset=0, key="c1", value=b"x",
        headers=tuple(encode_headers(chunk)), timestamp_ms=0,
    )  # fmt: skip
    assert piece_from(message) == piece(channel="customer", media_time_ms=800, gap_before_ms=20, end=True, audio=b"x")
    with pytest.raises(Poison, match="wrong_key"):
        piece_from(Incoming(**{name: getattr(message, name) for name in message.__slots__} | {"key": "c2"}))
