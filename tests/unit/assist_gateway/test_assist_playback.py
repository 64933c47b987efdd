"""Recordings by HTTP, whole and in ranges, and lists of finished calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.assist_gateway.adapters.recordings import NotSatisfiable, Recordings, Span, span_of
from services.chassis.errors import SettingError
from tests.unit.assist_gateway.gateway_bench import Bench

AUDIO = bytes(range(256)) * 1_000
SIZE = len(AUDIO)
PATH = "/v1/calls/c1/recording"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "c1.flac").write_bytes(AUDIO)
    (tmp_path / "secret.flac").write_bytes(b"outside")
    bench = Bench(tmp_path / "inside", ASSIST_GATEWAY_ALLOWED_ORIGINS="https://crm.example")
    with bench.client:
        bench.tell("state", "", {"status": "ended"}, overview="state", agent_extension_id="7", ended=True)
        told = {"uri": "/data/recordings/c1.flac", "format": "flac", "sha256": "abc"}
        bench.tell("recording", "", told, overview="recording")
        yield bench


def test_the_whole_file(bench: Bench) -> None:
    answer = bench.client.get(PATH, headers=bench.bearer())
    assert (answer.status_code, answer.content == AUDIO) == (200, True)
    assert answer.headers["content-type"] == "audio/flac"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(SIZE)
    assert answer.headers["cache-control"] == "no-store"
    head = bench.client.head(PATH, headers=bench.bearer())
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(SIZE), b"")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=1000-1999", 1000, 1999), ("bytes=255990-", 255_990, SIZE - 1),
     ("bytes=-10", SIZE - 10, SIZE - 1), ("bytes=5-999999999", 5, SIZE - 1), ("bytes=0-", 0, SIZE - 1)],
)  # fmt: skip
def test_a_range(bench: Bench, asked: str, first: int, last: int) -> None:
    answer = bench.client.get(PATH, headers=bench.bearer() | {"Range": asked})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.content == AUDIO[first : last + 1]


def test_ranges_that_are_none_and_files_that_have_changed(bench: Bench) -> None:
    outside = bench.client.get(PATH, headers=bench.bearer() | {"Range": f"bytes={SIZE}-"})
    assert (outside.status_code, outside.headers["content-range"]) == (416, f"bytes */{SIZE}")
    for asked in ("bytes=a-b", "bytes=0-1,5-6", "items=0-1", "bytes=5-2", "bytes=-"):
        assert bench.client.get(PATH, headers=bench.bearer() | {"Range": asked}).status_code == 200
    old, same = ({"Range": "bytes=0-0", "If-Range": tag} for tag in ('"old"', '"abc"'))
    assert bench.client.get(PATH, headers=bench.bearer() | old).status_code == 200
    assert bench.client.get(PATH, headers=bench.bearer() | same).status_code == 206


def test_a_suffix_of_an_empty_file_is_no_range() -> None:
    with pytest.raises(NotSatisfiable):
        span_of("bytes=-5", 0)
    assert span_of("bytes=-5", 3) == Span(0, 2, 3)


@pytest.mark.parametrize("uri", ["../secret.flac", "/etc/passwd", "..", "", "s3://bucket/", "a\\..\\secret.flac"])
def test_nothing_outside_the_place_of_recordings_can_be_asked_for(bench: Bench, uri: str) -> None:
    bench.tell("recording", "", {"uri": uri}, rank=(0, 1), overview="recording")
    assert bench.client.get(PATH, headers=bench.bearer()).status_code == 410


def test_what_is_not_there(bench: Bench) -> None:
    bench.tell("state", "", {}, call_id="c2", overview="state")
    assert bench.client.get("/v1/calls/c2/recording", headers=bench.bearer()).json()["code"] == "no_recording"
    assert bench.client.get("/v1/calls/c3/recording", headers=bench.bearer()).json()["code"] == "not_permitted"
    with pytest.raises(SettingError, match="ASSIST_GATEWAY_RECORDINGS"):
        Recordings("nonsense://x")


def test_pages_of_other_origins_must_be_allowed(bench: Bench) -> None:
    def asked_from(origin: str) -> str | None:
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = bench.client.options("/v1/calls", headers=headers)
        allowed: str | None = answer.headers.get("access-control-allow-origin")
        return allowed

    assert asked_from("https://crm.example") == "https://crm.example"
    assert asked_from("https://evil.example") is None


def test_finished_calls_come_newest_first_in_pages(bench: Bench) -> None:
    for number in range(2, 6):
        bench.tell("summary", "", {"call_id": f"c{number}"}, call_id=f"c{number}", overview="summary", ended=True,
                   at_ms=number, agent_extension_id="7")  # fmt: skip
    ended = {"type": "ended", "outcome": {"reason": "covered"}}
    bench.tell("lifecycle", "e", ended, call_id="c5", overview="ended", at_ms=5, ended=True)
    bench.tell("alert", "a", call_id="c5", overview="alert/a", at_ms=5)
    bench.on_loop(lambda: bench.floor.sweep(100, keep_full_ms=50, keep_ended_ms=1_000))
    headers = bench.bearer("agent", extension_id="7")
    found, before = [], ""
    while before is not None:
        page = bench.client.get(f"/v1/calls?status=finished&limit=2{before}", headers=headers).json()
        found += page["calls"]
        before = f"&before={page['next']}" if page["next"] else None
    assert [call["call_id"] for call in found] == ["c5", "c4", "c3", "c2", "c1"]
    assert (found[0]["outcome"], found[0]["alerts"]) == ({"reason": "covered"}, 1)
    assert bench.client.get("/v1/calls", headers=headers).json()["calls"] == []
    whole = bench.client.get("/v1/calls/c5", headers=headers).json()["call"]
    assert (whole["detail"], whole["summary"]) == ("full", {"call_id": "c5"})


@pytest.mark.parametrize(
    "query",
    ["calls?status=all", "calls?limit=0", "calls?limit=x", "calls?status=finished&before=x", "events",
     "events?detail=all", "events?call_id=c1&detail=full"],
)  # fmt: skip
def test_queries_that_cannot_be_read(bench: Bench, query: str) -> None:
    assert bench.client.get(f"/v1/{query}", headers=bench.bearer()).status_code == 400
