"""The assist gateway as a process: live audio, finished calls read back from the topics, recordings, events by HTTP."""

from __future__ import annotations

import json
import threading
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.chassis.records import decode
from services.contracts.topics import AUDIT
from tests.support.brokers import Broker
from tests.support.gateway_process import GatewayBench, example


@pytest.fixture
def bench(broker: Broker, topic_prefix: str, tmp_path: Path) -> GatewayBench:
    bench = GatewayBench(broker, topic_prefix, tmp_path)
    bench.environ |= {"ASSIST_GATEWAY_RECORDINGS": str(tmp_path), "ASSIST_GATEWAY_WALL_MS": "0"}
    return bench


def talk(bench: GatewayBench, stop: threading.Event) -> None:
    """Both legs of a call and one of another, as the media gateway publishes them, until stopped."""
    sequence = 0
    legs = [
        ("s-1", "p-1~a", "agent", b"\x11"),
        ("s-1", "p-2~b", "customer", b"\x22"),
        ("s-9", "p-3~c", "agent", b"\x33"),
    ]
    while not stop.wait(0.02):
        for call_id, leg_id, role, sound in legs:
            chunk = example("audio-chunk", call_id=call_id, leg_id=leg_id, role=role, sequence=sequence, codec="pcmu",
                            sample_rate_hz=8000, media_time_ms=sequence * 20, duration_ms=20)  # fmt: skip
            headers = [(name, str(value).encode()) for name, value in chunk.items() if not isinstance(value, bool)]
            bench.producer.produce(f"{bench.prefix}audio.chunks.v1", key=call_id, value=sound * 160, headers=headers)
        bench.producer.poll(0)
        sequence += 1


def test_a_supervisor_hears_both_legs_of_a_live_call(bench: GatewayBench) -> None:
    bench.tell("calls.state", example("call-state", status="answered", agent_extension_id="7"))
    stop = threading.Event()
    speakers = threading.Thread(target=talk, args=(bench, stop))
    speakers.start()
    try:
        with bench.gateway(), bench.screen() as screen:
            screen.send("listen", call_id="s-1")
            stream = screen.next_of("listening")["stream"]
            heard: dict[int, list[bytes]] = {0: [], 1: []}
            while min(len(pieces) for pieces in heard.values()) < 20:
                piece = screen.receive()
                if isinstance(piece, bytes):
                    heard[piece[1]].append(piece)
            bench.tell("calls.state", example("call-state", status="ended", agent_extension_id="7", updated_at=now()))
            assert screen.next_of("listen_ended")["reason"] == "call_ended"
    finally:
        stop.set()
        speakers.join()
    assert {piece[24:] for piece in heard[0]} == {b"\x11" * 160}
    assert {piece[24:] for piece in heard[1]} == {b"\x22" * 160}
    for pieces in heard.values():
        assert {int.from_bytes(piece[4:6]) for piece in pieces} == {stream}
        times = [int.from_bytes(piece[12:16]) for piece in pieces]
        assert times == list(range(times[0], times[0] + 20 * len(times), 20))  # none missing, none twice
    audits = [decode(AUDIT, message.value()) for message in bench.records_on(AUDIT.name, 2)]  # type: ignore[arg-type]
    assert [(a.action, a.detail, a.duration_ms > 0) for a in audits] == [
        ("listened", "live_started", False), ("listened", "live_stopped", True),
    ]  # fmt: skip


def now() -> str:
    return datetime.now(UTC).isoformat()


def events(stream: Any) -> Iterator[dict[str, str]]:
    """Server-sent events, as the standard has them parsed."""
    event: dict[str, str] = {}
    for line in stream:
        text = line.decode().rstrip("\n")
        if not text:
            if event:
                yield event
            event = {}
        elif not text.startswith(":"):
            name, _, value = text.partition(": ")
            event[name] = value


def test_events_by_http_resume_by_their_id(bench: GatewayBench) -> None:
    bench.tell("calls.state", example("call-state", status="answered", agent_extension_id="7"))
    with bench.gateway():
        token = bench.token("agent", extension_id="7")
        with bench.get("/v1/events?call_id=s-1", token) as stream:
            told = events(stream)
            assert next(told)["event"] == "snapshot"
            bench.tell("transcripts.final", example("utterance", utterance_id="u1", text="heard"))
            heard = next(told)
            assert json.loads(heard["data"])["record"]["text"] == "heard"
        bench.tell("transcripts.final", example("utterance", utterance_id="u2", text="missed"))
    with bench.gateway(), bench.get("/v1/events?call_id=s-1", token, **{"Last-Event-ID": heard["id"]}) as stream:
        told = events(stream)
        missed, resumed = next(told), next(told)
        assert json.loads(missed["data"])["record"]["text"] == "missed"
        assert resumed["event"] == "resumed"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            bench.get("/v1/events?call_id=s-1", bench.token("agent", extension_id="8"))


def test_a_finished_call_is_read_back_whole_and_its_recording_is_played(bench: GatewayBench, tmp_path: Path) -> None:
    (tmp_path / "s-1.flac").write_bytes(b"fLaC" + bytes(5_000))
    for number in range(30):  # of other calls in the same partitions
        bench.tell("transcripts.final", example("utterance", call_id=f"s-{number + 10}"), f"s-{number + 10}")
    for number in range(3):
        bench.tell("transcripts.final", example("utterance", utterance_id=f"u{number}", text=str(number)))
    bench.tell("assist.suggestions", example("suggestion", suggestion_id="s1"))
    bench.tell("calls.insights", example("call-insight-2"))
    bench.tell("calls.recordings", example("call-recording", uri="/elsewhere/s-1.flac"))
    bench.tell("calls.summary", example("call-summary", agent_extension_id="7"))
    begun = datetime.now(UTC).isoformat()
    bench.tell("calls.state", example(
        "call-state", status="ended", agent_extension_id="7", started_at=begun, answered_at=begun, ended_at=begun,
        updated_at=begun,
    ))  # fmt: skip
    token = bench.token("agent", extension_id="7")
    with bench.gateway():
        with bench.get("/v1/calls?status=finished", token) as answer:
            (listed,) = json.load(answer)["calls"]
        with bench.get("/v1/calls/s-1", token) as answer:
            call = json.load(answer)["call"]
        with bench.get("/v1/calls/s-1/recording", token, Range="bytes=0-3") as answer:
            assert (answer.status, answer.read()) == (206, b"fLaC")
            assert answer.headers["Content-Range"] == "bytes 0-3/5004"
        with pytest.raises(urllib.error.HTTPError, match="404"):
            bench.get("/v1/calls/s-1/recording", bench.token("agent", extension_id="8"))
    assert (listed["call_id"], listed["summary"]["call_id"]) == ("s-1", "s-1")
    assert [utterance["text"] for utterance in call["utterances"]] == ["0", "1", "2"]
    assert (len(call["suggestions"]), len(call["insights"]), call["summary"]["call_id"]) == (1, 1, "s-1")
