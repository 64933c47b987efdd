"""The WebSocket and HTTP side, through Starlette's test client, without a socket."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.adapters.screens import Screens
from services.assist_gateway.adapters.tokens import Tokens
from services.assist_gateway.adapters.web import web_app
from services.assist_gateway.config import AssistGatewaySettings
from services.assist_gateway.domain.board import Kind, Update
from services.assist_gateway.domain.floor import Floor
from services.chassis.errors import SettingError
from services.chassis.settings import load
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import ASSIST_FEEDBACK, AUDIT

KEY = "k" * 32


class Bench:
    """A gateway without topics: the test tells the floor what happens."""

    def __init__(self, console_dir: Path, **environ: str) -> None:
        settings = load(AssistGatewaySettings, {"ASSIST_GATEWAY_JWT_KEY": KEY} | environ)
        self.clock = FakeClock()
        self.publisher = FakePublisher()
        ids = itertools.count()
        journal = TopicJournal(self.publisher, self.clock, lambda: f"id-{next(ids)}")
        self.floor = Floor(journal)
        self.ready = True
        tokens = Tokens(
            key=settings.jwt_key.get_secret_value(), issuer=settings.jwt_issuer, audience=settings.jwt_audience,
            clock=self.clock,
        )  # fmt: skip
        screens = Screens(
            floor=self.floor, tokens=tokens, journal=journal, clock=self.clock, ready=lambda: self.ready,
            instance="i", queue_limit=settings.queue_limit, hello_timeout_ms=settings.hello_timeout_ms,
        )  # fmt: skip
        self.client = TestClient(web_app(floor=self.floor, tokens=tokens, screens=screens, console_dir=console_dir))

    def token(self, role: str = "admin", key: str = KEY, **claims: Any) -> str:
        now = int(self.clock.now().timestamp())
        return jwt.encode({"sub": "someone", "role": role, "exp": now + 600} | claims, key, algorithm="HS256")

    def tell(self, kind: Kind, item: str, record: dict[str, Any] | None = None, **facts: Any) -> None:
        update = Update(
            kind=kind, call_id=facts.pop("call_id", "c1"), item_id=item, at_ms=0,
            record=json.dumps(record or {"id": item}).encode(), **facts,
        )  # fmt: skip
        assert self.client.portal is not None
        self.client.portal.call(self.floor.take, update)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.client:
        bench.tell("state", "", {"status": "answered"}, agent_extension_id="7", agent_at_ms=1)
        yield bench


def refused_with(bench: Bench, first: dict[str, Any] | str | None, **headers: str) -> tuple[str, int]:
    with bench.client.websocket_connect("/v1/ws", headers=headers) as socket:
        if first is not None:
            socket.send_text(first if isinstance(first, str) else json.dumps(first))
        error = socket.receive_json()
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert error["type"] == "error"
    return error["code"], closed.value.code


def test_wrong_tokens_open_nothing(bench: Bench) -> None:
    past = int(bench.clock.now().timestamp())
    no_expiry = jwt.encode({"sub": "x", "role": "admin"}, KEY, algorithm="HS256")
    unsigned = jwt.encode({"sub": "x", "role": "admin", "exp": past + 99}, "", algorithm="none")
    other_algorithm = jwt.encode({"sub": "x", "role": "admin", "exp": past + 99}, KEY * 2, algorithm="HS512")
    cases = {
        "": "token_missing",
        "rubbish": "token_invalid",
        bench.token(key="w" * 32): "token_invalid",
        no_expiry: "token_invalid",
        unsigned: "token_invalid",
        other_algorithm: "token_invalid",
        bench.token(exp=past): "token_expired",
        bench.token(role="god"): "token_incomplete",
        bench.token(role="agent"): "token_incomplete",
        bench.token(role="supervisor", extension_id=""): "token_incomplete",
        bench.token(sub=""): "token_incomplete",
    }
    for token, code in cases.items():
        assert refused_with(bench, {"type": "hello", "token": token}) == (code, 4401)
        if token:
            assert refused_with(bench, None, Authorization=f"Bearer {token}") == (code, 4401)
    assert bench.floor.viewers == 0


def test_anything_but_hello_first_is_no_token(bench: Bench) -> None:
    assert refused_with(bench, {"type": "watch_all"}) == ("token_missing", 4401)
    assert refused_with(bench, "not json") == ("token_missing", 4401)


def test_silence_instead_of_a_token_is_not_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ASSIST_GATEWAY_HELLO_TIMEOUT_MS="1")
    with bench.client:
        assert refused_with(bench, None) == ("token_missing", 4401)


def test_issuer_and_audience_are_checked_where_set(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ASSIST_GATEWAY_JWT_ISSUER="us", ASSIST_GATEWAY_JWT_AUDIENCE="screens")
    with bench.client:
        for claims in ({}, {"iss": "us"}, {"iss": "them", "aud": "screens"}, {"iss": "us", "aud": "others"}):
            hello = {"type": "hello", "token": bench.token(**claims)}
            assert refused_with(bench, hello) == ("token_invalid", 4401)
        headers = {"Authorization": f"Bearer {bench.token(iss='us', aud='screens')}"}
        assert bench.client.get("/v1/calls", headers=headers).status_code == 200


def test_nobody_is_shown_a_board_that_is_not_complete(bench: Bench) -> None:
    bench.ready = False
    assert refused_with(bench, {"type": "hello", "token": bench.token()}) == ("starting", 1013)


def test_snapshot_then_live_with_nothing_missing_or_twice(bench: Bench) -> None:
    bench.tell("utterance", "u1", {"utterance_id": "u1", "text": "hel"}, rank=(0, 0))
    with bench.client.websocket_connect("/v1/ws") as socket:
        socket.send_json({"type": "hello", "token": bench.token("agent", extension_id="7")})
        socket.send_json({"type": "watch", "call_id": "c1"})
        snapshot = socket.receive_json()
        bench.tell("utterance", "u1", {"utterance_id": "u1", "text": "hello"}, rank=(0, 1))
        bench.tell("utterance", "u1", {"utterance_id": "u1", "text": "hello"}, rank=(0, 1))
        bench.tell("suggestion", "s1")
        live = [socket.receive_json() for _ in range(2)]
    assert (snapshot["type"], snapshot["call_id"], snapshot["complete"]) == ("snapshot", "c1", False)
    (call,) = snapshot["calls"]
    assert (call["state"], call["summary"], call["detail"]) == ({"status": "answered"}, None, "full")
    assert call["utterances"] == [{"utterance_id": "u1", "text": "hel"}]
    assert [(m["type"], m["record"]) for m in live] == [
        ("utterance", {"utterance_id": "u1", "text": "hello"}),
        ("suggestion", {"id": "s1"}),
    ]
    cursors = [int(message["cursor"].removeprefix("i:")) for message in (snapshot, *live)]
    assert cursors == [2, 3, 4]
    (audit,) = bench.publisher.records(AUDIT)
    assert (audit.actor, audit.action, audit.call_id) == ("someone", "watched", "c1")


def test_agent_is_refused_anothers_call_and_its_suggestions(bench: Bench) -> None:
    bench.tell("suggestion", "s1")
    with bench.client.websocket_connect("/v1/ws") as socket:
        socket.send_json({"type": "hello", "token": bench.token("agent", extension_id="8")})
        socket.send_json({"type": "watch", "call_id": "c1"})
        assert socket.receive_json() == {"type": "error", "code": "not_permitted", "call_id": "c1"}
        socket.send_json({"type": "feedback", "suggestion_id": "s1", "action": "accepted"})
        assert socket.receive_json() == {"type": "error", "code": "unknown_suggestion"}
        socket.send_json({"type": "watch_all"})
        assert socket.receive_json()["calls"] == []
    assert [(a.action, a.call_id) for a in bench.publisher.records(AUDIT)] == [("refused", "c1"), ("refused", "")]
    assert bench.publisher.records(ASSIST_FEEDBACK) == []


def test_who_keeps_asking_for_what_is_refused_is_sent_away(bench: Bench) -> None:
    with bench.client.websocket_connect("/v1/ws") as socket:
        socket.send_json({"type": "hello", "token": bench.token("agent", extension_id="8")})
        for _ in range(20):
            socket.send_json({"type": "watch", "call_id": "c1"})
        codes = [socket.receive_json()["code"]]
        while codes[-1] == "not_permitted":
            codes.append(socket.receive_json()["code"])
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert codes[-1] == "too_many_refusals"
    assert closed.value.code == 4403


def test_feedback_goes_to_its_topic(bench: Bench) -> None:
    bench.tell("suggestion", "s1")
    with bench.client.websocket_connect("/v1/ws") as socket:
        socket.send_json({"type": "hello", "token": bench.token("agent", extension_id="7")})
        for _ in range(2):  # a click repeated after a reconnect says the same
            socket.send_json(
                {"type": "feedback", "suggestion_id": "s1", "action": "dismissed", "reason": "not_relevant"}
            )
        socket.send_json({"type": "watch", "call_id": "c1"})
        socket.receive_json()
    first, second = bench.publisher.records(ASSIST_FEEDBACK)
    assert (first.call_id, first.action, first.reason, first.by) == ("c1", "dismissed", "not_relevant", "7")
    assert first.feedback_id == second.feedback_id


@pytest.mark.parametrize(
    "request_text",
    [
        '{"type":"dance"}',
        '{"type":"watch"}',
        '{"type":"watch_all","detail":"everything"}',
        '{"type":"feedback","suggestion_id":"s1","action":"loved"}',
        '{"type":"feedback","suggestion_id":"s1","action":"dismissed","reason":"Jane said no"}',
        '"' + "x" * 20_000 + '"',
    ],
)
def test_what_is_not_the_protocol_ends_the_connection(bench: Bench, request_text: str) -> None:
    token = bench.token()
    assert refused_with(bench, request_text, Authorization=f"Bearer {token}") == ("bad_request", 4400)


def test_connection_ends_with_its_token(bench: Bench) -> None:
    soon = bench.clock.now().timestamp() + 0.05
    with bench.client.websocket_connect("/v1/ws") as socket:
        socket.send_json({"type": "hello", "token": bench.token(exp=soon)})
        assert socket.receive_json() == {"type": "error", "code": "token_expired"}
    assert bench.floor.viewers == 0


def test_screens_that_leave_are_forgotten(bench: Bench) -> None:
    with bench.client.websocket_connect("/v1/ws") as socket:
        socket.send_json({"type": "hello", "token": bench.token()})
        socket.send_json({"type": "watch_all", "detail": "overview"})
        assert socket.receive_json()["complete"] is True
        assert bench.floor.viewers == 1
    assert bench.floor.viewers == 0


def test_list_of_calls_needs_a_token_and_shows_what_may_be_seen(bench: Bench) -> None:
    assert bench.client.get("/v1/calls").status_code == 401
    mine = bench.client.get("/v1/calls", headers={"Authorization": f"Bearer {bench.token('agent', extension_id='7')}"})
    other = bench.client.get("/v1/calls", headers={"Authorization": f"Bearer {bench.token('agent', extension_id='8')}"})
    assert mine.json()["calls"] == [
        {"call_id": "c1", "agent_extension_id": "7", "state": {"status": "answered"}, "summary": None,
         "recording": None}
    ]  # fmt: skip
    assert other.json() == {"calls": []}


def test_page_says_how_to_build_it_or_is_served_with_its_headers(tmp_path: Path) -> None:
    with Bench(tmp_path).client as client:
        answer = client.get("/")
        assert (answer.status_code, "make ui" in answer.text) == (503, True)
    (tmp_path / "index.html").write_text("<title>here</title>")
    with Bench(tmp_path).client as client:
        answer = client.get("/")
        assert "here" in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert client.get("/../config.py").status_code == 404


def test_short_key_is_refused_by_name() -> None:
    with pytest.raises(SettingError, match="ASSIST_GATEWAY_JWT_KEY: must have at least 32"):
        load(AssistGatewaySettings, {"ASSIST_GATEWAY_JWT_KEY": "short"})
    with pytest.raises(SettingError, match="ASSIST_GATEWAY_JWT_KEY"):
        load(AssistGatewaySettings, {})
