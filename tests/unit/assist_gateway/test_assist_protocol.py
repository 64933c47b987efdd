"""The WebSocket and HTTP side, through Starlette's test client, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest

from services.assist_gateway.config import AssistGatewaySettings
from services.chassis.errors import SettingError
from services.chassis.settings import load
from services.contracts.topics import ASSIST_FEEDBACK, AUDIT
from tests.unit.assist_gateway.gateway_bench import KEY, Bench, refused_with


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.client:
        bench.tell("state", "", {"status": "answered"}, overview="state", agent_extension_id="7", agent_at_ms=1)
        yield bench


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
    with bench.screen("agent", extension_id="7") as socket:
        socket.send("watch", call_id="c1")
        snapshot = socket.receive()
        bench.tell("utterance", "u1", {"utterance_id": "u1", "text": "hello"}, rank=(0, 1))
        bench.tell("utterance", "u1", {"utterance_id": "u1", "text": "hello"}, rank=(0, 1))
        bench.tell("suggestion", "s1")
        live = [socket.receive() for _ in range(2)]
    assert (snapshot["type"], snapshot["call_id"], snapshot["complete"]) == ("snapshot", "c1", False)
    (call,) = snapshot["calls"]
    assert (call["state"], call["summary"], call["detail"]) == ({"status": "answered"}, None, "full")
    assert call["utterances"] == [{"utterance_id": "u1", "text": "hel"}]
    assert [(m["type"], m["record"]) for m in live] == [
        ("utterance", {"utterance_id": "u1", "text": "hello"}),
        ("suggestion", {"id": "s1"}),
    ]
    assert snapshot["cursor"] == {"st0": 1, "ut0": 2}
    assert [message["at"] for message in live] == ["ut0:3", "su0:5"]
    (audit,) = bench.publisher.records(AUDIT)
    assert (audit.actor, audit.action, audit.call_id) == ("someone", "watched", "c1")


def test_agent_is_refused_anothers_call_and_its_suggestions(bench: Bench) -> None:
    bench.tell("suggestion", "s1")
    with bench.screen("agent", extension_id="8") as socket:
        socket.send("watch", call_id="c1")
        assert socket.receive() == {"type": "error", "code": "not_permitted", "call_id": "c1"}
        socket.send("feedback", suggestion_id="s1", action="accepted")
        assert socket.receive() == {"type": "error", "code": "unknown_suggestion"}
        socket.send("watch_all")
        assert socket.receive()["calls"] == []
    assert [(a.action, a.call_id) for a in bench.publisher.records(AUDIT)] == [("refused", "c1"), ("refused", "")]
    assert bench.publisher.records(ASSIST_FEEDBACK) == []


def test_who_keeps_asking_for_what_is_refused_is_sent_away(bench: Bench) -> None:
    with bench.screen("agent", extension_id="8") as socket:
        for _ in range(20):
            socket.send("watch", call_id="c1")
        codes = [socket.receive()["code"]]
        while codes[-1] == "not_permitted":
            codes.append(socket.receive()["code"])
        assert socket.closed() == 4403
    assert codes[-1] == "too_many_refusals"


def test_feedback_goes_to_its_topic(bench: Bench) -> None:
    bench.tell("suggestion", "s1")
    with bench.screen("agent", extension_id="7") as socket:
        for _ in range(2):  # a click repeated after a reconnect says the same
            socket.send("feedback", suggestion_id="s1", action="dismissed", reason="not_relevant")
        socket.send("watch", call_id="c1")
        socket.receive()
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
        '{"type":"resume","cursor":{"st0":"x"},"calls":{}}',
        '{"type":"resume","cursor":{"../st0":1},"calls":{}}',
        '"' + "x" * 300_000 + '"',
    ],
)
def test_what_is_not_the_protocol_ends_the_connection(bench: Bench, request_text: str) -> None:
    token = bench.token()
    assert refused_with(bench, request_text, Authorization=f"Bearer {token}") == ("bad_request", 4400)


def test_connection_ends_with_its_token_unless_a_new_one_came(bench: Bench) -> None:
    now = bench.clock.now().timestamp()
    with bench.screen(exp=now + 0.2) as first, bench.screen(exp=now + 0.2) as second:
        second.send("token", token=bench.token())
        second.send("watch_all")
        assert second.receive()["type"] == "snapshot"
        bench.clock.advance_ms(300)
        assert first.receive() == {"type": "error", "code": "token_expired"}
        assert first.closed() == 4401
        second.send("unwatch", call_id="c1")
        bench.tell("alert", "a1", overview="a")
        assert second.receive()["type"] == "alert"
    assert bench.floor.viewers == 0


def test_a_new_token_of_somebody_else_ends_the_connection(bench: Bench) -> None:
    with bench.screen() as screen:
        screen.send("token", token=bench.token(sub="another"))
        assert screen.receive() == {"type": "error", "code": "token_of_another"}
        assert screen.closed() == 4401


def test_a_new_token_with_fewer_rights_takes_effect_at_once(bench: Bench) -> None:
    with bench.screen() as screen:
        screen.send("watch_all")
        assert len(screen.receive()["calls"]) == 1
        screen.send("token", token=bench.token("agent", extension_id="8"))
        assert screen.receive() == {"type": "gone", "call_id": "c1"}


def test_welcome_says_who_one_is(bench: Bench) -> None:
    bench.roster("9", monitoring="g")
    with bench.client.websocket_connect("/v1/ws", headers=bench.bearer("supervisor", extension_id="9")) as socket:
        welcome = socket.receive_json()
    viewer = {"subject": "someone", "role": "supervisor", "extension_id": "9", "name": "N9"}
    assert welcome == {"type": "welcome", "viewer": viewer, "may_listen": True, "time": "2026-03-02T15:00:00.000Z"}
    assert bench.client.get("/v1/me", headers=bench.bearer("agent", extension_id="7")).json()["may_listen"] is False


def test_resume_by_what_the_screen_kept(bench: Bench) -> None:
    with bench.screen("agent", extension_id="7") as screen:
        screen.send("watch_all")
        cursor = screen.receive()["cursor"]
        bench.tell("utterance", "u1", {"text": "heard"})
        assert screen.receive()["at"] == "ut0:2"
    bench.tell("utterance", "u2", {"text": "missed"})
    bench.tell("state", "", {"status": "answered"}, call_id="c2", agent_extension_id="7", overview="state")
    with bench.screen("agent", extension_id="7") as screen:
        screen.send("resume", cursor=cursor | {"ut0": 2}, calls={"c1": "full", "c9": "full"}, watch_all="full")
        told = [screen.receive() for _ in range(4)]
    assert [(m["type"], m.get("call_id")) for m in told] == [
        ("gone", "c9"), ("utterance", "c1"), ("snapshot", "c2"), ("resumed", None),
    ]  # fmt: skip
    assert told[1]["record"] == {"text": "missed"}
    assert told[3]["cursor"] == {"st0": 4, "ut0": 3}


def test_screens_that_leave_are_forgotten(bench: Bench) -> None:
    with bench.screen() as socket:
        socket.send("watch_all", detail="overview")
        assert socket.receive()["complete"] is True
        assert bench.floor.viewers == 1
    assert bench.floor.viewers == 0


def test_list_of_calls_needs_a_token_and_shows_what_may_be_seen(bench: Bench) -> None:
    assert bench.client.get("/v1/calls").status_code == 401
    mine = bench.client.get("/v1/calls", headers={"Authorization": f"Bearer {bench.token('agent', extension_id='7')}"})
    other = bench.client.get("/v1/calls", headers={"Authorization": f"Bearer {bench.token('agent', extension_id='8')}"})
    assert mine.json()["calls"] == [
        {"call_id": "c1", "agent_extension_id": "7", "state": {"status": "answered"}, "summary": None,
         "recording": None, "agent": {"extension_id": "7", "name": "", "extension_number": ""}, "outcome": None,
         "alerts": 0}
    ]  # fmt: skip
    assert other.json() == {"calls": [], "next": None}


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
