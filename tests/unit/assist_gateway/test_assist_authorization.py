"""The authorization matrix, case by case: who x which call x what is asked for, and rosters that change meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.assist_gateway.gateway_bench import Bench, Screen

# Whom the token names: role and extension.
VIEWERS: dict[str, tuple[str, dict[str, Any]]] = {
    "admin": ("admin", {}),
    "admin with an extension": ("admin", {"extension_id": "7"}),
    "supervisor of g": ("supervisor", {"extension_id": "20"}),
    "supervisor of h": ("supervisor", {"extension_id": "21"}),
    "supervisor of g and h": ("supervisor", {"extension_id": "22"}),
    "supervisor monitored in g only": ("supervisor", {"extension_id": "7"}),
    "supervisor not in the roster": ("supervisor", {"extension_id": "99"}),
    "ann": ("agent", {"extension_id": "7"}),
    "bob": ("agent", {"extension_id": "8"}),
    "agent who monitors g": ("agent", {"extension_id": "20"}),
    "agent not in the roster": ("agent", {"extension_id": "99"}),
}
# Ann (7) is monitored in g, Bob (8) in h, Eve (9) in no group.
CALLS = ("ann-live", "bob-live", "eve-live", "nobodys", "ann-over", "unknown")
EVERY = {"ann-live", "bob-live", "eve-live", "nobodys", "ann-over"}
SEES: dict[str, set[str]] = {
    "admin": EVERY,
    "admin with an extension": EVERY,
    "supervisor of g": {"ann-live", "ann-over"},
    "supervisor of h": {"bob-live"},
    "supervisor of g and h": {"ann-live", "bob-live", "ann-over"},
    "supervisor monitored in g only": set(),
    "supervisor not in the roster": set(),
    "ann": {"ann-live", "ann-over"},
    "bob": {"bob-live"},
    "agent who monitors g": set(),
    "agent not in the roster": set(),
}
HEARS: dict[str, set[str]] = {
    "admin": {"ann-live", "bob-live", "eve-live", "nobodys"},
    "admin with an extension": {"ann-live", "bob-live", "eve-live", "nobodys"},
    "supervisor of g": {"ann-live"},
    "supervisor of h": {"bob-live"},
    "supervisor of g and h": {"ann-live", "bob-live"},
}


@pytest.fixture(scope="module")
def floor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A floor that no case changes."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "any.flac").write_bytes(b"fLaC" * 10)
    bench = Bench(folder)
    with bench.client:
        for kind in ("st", "su", "re"):
            bench.on_loop(bench.floor.board.reach.stand_at, (kind, 0), 0)
        for extension_id, groups in (("7", "g"), ("8", "h"), ("9", "")):
            bench.roster(extension_id, monitored=groups)
        for extension_id, groups in (("20", "g"), ("21", "h"), ("22", "gh")):
            bench.roster(extension_id, monitoring=groups)
        for call_id, agent in zip(CALLS[:5], ("7", "8", "9", None, "7"), strict=True):
            over = call_id.endswith("over")
            state = {"status": "ended" if over else "answered"}
            bench.tell("state", "", state, call_id=call_id, overview="state", ended=over, agent_extension_id=agent)
            bench.tell("suggestion", f"help-{call_id}", call_id=call_id)
            recording = {"uri": "/elsewhere/any.flac", "format": "flac", "sha256": "x"}
            bench.tell("recording", "", recording, call_id=call_id, overview="recording")
        yield bench


Ask = Callable[[Bench, str, dict[str, Any], str], bool]


def over_websocket(kind: str, granted: str, **fields: str) -> Ask:
    def ask(bench: Bench, role: str, claims: dict[str, Any], call_id: str) -> bool:
        with bench.screen(role, **claims) as screen:
            screen.send(kind, **{name: value.format(call_id) for name, value in fields.items()})
            screen.send("watch_all", detail="overview")  # answers after whatever is refused
            first = screen.receive()
        if first["type"] == "error":
            assert first["code"] in {"not_permitted", "unknown_suggestion", "not_live"}
        return first["type"] == granted

    return ask


def over_http(path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Ask:
    def ask(bench: Bench, role: str, claims: dict[str, Any], call_id: str) -> bool:
        told = None if body is None else {name: value.format(call_id) for name, value in body.items()}
        answer = bench.client.request(method, path.format(call_id), json=told, headers=bench.bearer(role, **claims))
        assert answer.status_code in {200, 204, 404}, answer.text
        return answer.status_code < 300

    return ask


def resume(bench: Bench, role: str, claims: dict[str, Any], call_id: str) -> bool:
    """A screen that claims to have had the call already."""
    with bench.screen(role, **claims) as screen:
        screen.send("watch_all", detail="overview")
        cursor = screen.receive()["cursor"]
    with bench.screen(role, **claims) as screen:
        screen.send("resume", cursor=cursor | {"su0": 0, "re0": 0}, calls={call_id: "full"}, watch=[call_id])
        told: list[dict[str, Any]] = []
        while not told or told[-1]["type"] not in {"resumed", "snapshot", "error"}:
            told.append(screen.receive())
    return any(message["type"] in {"suggestion", "recording"} for message in told)


def in_list(status: str) -> Ask:
    def ask(bench: Bench, role: str, claims: dict[str, Any], call_id: str) -> bool:
        answer = bench.client.get(f"/v1/calls?status={status}", headers=bench.bearer(role, **claims))
        return call_id in {call["call_id"] for call in answer.json()["calls"]}

    return ask


def in_snapshot(bench: Bench, role: str, claims: dict[str, Any], call_id: str) -> bool:
    with bench.screen(role, **claims) as screen:
        screen.send("watch_all")
        return call_id in {call["call_id"] for call in screen.receive()["calls"]}


ACTIONS: dict[str, Ask] = {
    "watch": over_websocket("watch", "snapshot", call_id="{}"),
    "watch all": in_snapshot,
    "resume": resume,
    "read": over_http("/v1/calls/{}"),
    "list": in_list("live"),
    "play the recording": over_http("/v1/calls/{}/recording"),
    "look at the recording": over_http("/v1/calls/{}/recording", "HEAD"),
    "judge a suggestion": over_http("/v1/feedback", "POST", {
        "type": "feedback", "suggestion_id": "help-{}", "action": "accepted",
    }),
}  # fmt: skip


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("call_id", CALLS)
@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_do_what_with_which_call(floor: Bench, viewer: str, call_id: str, action: str) -> None:
    role, claims = VIEWERS[viewer]
    may = call_id in SEES[viewer]
    # An admin may wait for a call that is not there yet; there is nothing in it to see.
    waiting = action in {"watch", "resume"} and role == "admin" and call_id == "unknown"
    granted = ACTIONS[action](floor, role, claims, call_id)
    assert granted == (may or (waiting and action == "watch"))


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("call_id", CALLS)
def test_who_may_listen_to_which_call(floor: Bench, viewer: str, call_id: str) -> None:
    role, claims = VIEWERS[viewer]
    granted = over_websocket("listen", "listening", call_id="{}")(floor, role, claims, call_id)
    assert granted == (call_id in HEARS.get(viewer, set()))


@pytest.mark.parametrize("viewer", VIEWERS)
def test_the_finished_calls_of_the_list(floor: Bench, viewer: str) -> None:
    role, claims = VIEWERS[viewer]
    for call_id in CALLS:
        listed = in_list("finished")(floor, role, claims, call_id)
        assert listed == (call_id == "ann-over" and call_id in SEES[viewer])


@pytest.mark.parametrize(
    "path",
    ["/v1/me", "/v1/calls", "/v1/calls/ann-live", "/v1/calls/ann-live/recording", "/v1/events?call_id=ann-live"],
)
def test_nothing_is_told_without_a_token(floor: Bench, path: str) -> None:
    assert floor.client.get(path).status_code == 401
    assert floor.client.get(path, headers={"Authorization": "Bearer rubbish"}).status_code == 401
    assert floor.client.get(path, headers={"Authorization": f"Basic {floor.token()}"}).status_code == 401


def test_a_ticket_opens_its_path_for_its_viewer_and_nothing_else(floor: Bench) -> None:
    path = "/v1/calls/ann-live/recording"
    asked = floor.client.post("/v1/tickets", json={"path": path}, headers=floor.bearer("agent", extension_id="7"))
    url = asked.json()["url"]
    assert floor.client.get(url).status_code == 200
    ticket = url.partition("ticket=")[2]
    assert floor.client.get(f"/v1/calls/ann-over/recording?ticket={ticket}").status_code == 401
    assert floor.client.get("/v1/me", headers={"Authorization": f"Bearer {ticket}"}).status_code == 401
    assert floor.client.get(f"{path}?ticket={floor.token()}").status_code == 401
    for_another = floor.client.post(
        "/v1/tickets", json={"path": "/v1/calls/bob-live/recording"}, headers=floor.bearer("agent", extension_id="7")
    )
    assert floor.client.get(for_another.json()["url"]).status_code == 404
    assert floor.client.post("/v1/tickets", json={"path": path}).status_code == 401


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    (tmp_path / "c1.flac").write_bytes(b"fLaC" * 10)
    with bench.client:
        bench.roster("7", monitored="g")
        bench.roster("20", monitoring="g")
        bench.tell("state", "", {"status": "answered"}, overview="state", agent_extension_id="7", agent_at_ms=1)
        bench.tell("recording", "", {"uri": "c1.flac"}, overview="recording")
        yield bench


def loses_group(bench: Bench) -> None:
    bench.roster("20", monitoring="")


def group_is_another(bench: Bench) -> None:
    bench.roster("20", monitoring="h")


def leaves_the_roster(bench: Bench) -> None:
    bench.on_loop(bench.floor.set_member, "20", None)


def agent_leaves_the_group(bench: Bench) -> None:
    bench.roster("7", monitored="h")


def agent_leaves_the_roster(bench: Bench) -> None:
    bench.on_loop(bench.floor.set_member, "7", None)


def call_goes_to_an_unmonitored_agent(bench: Bench) -> None:
    bench.tell("state", "", {"status": "held"}, overview="state", rank=(0, 2), agent_extension_id="9", agent_at_ms=2)


@pytest.mark.parametrize(
    "change",
    [
        loses_group,
        group_is_another,
        leaves_the_roster,
        agent_leaves_the_group,
        agent_leaves_the_roster,
        call_goes_to_an_unmonitored_agent,
    ],
)
def test_a_change_in_mid_call_takes_effect_on_open_connections(bench: Bench, change: Callable[[Bench], None]) -> None:
    who = {"role": "supervisor", "extension_id": "20"}
    with bench.screen(**who) as watching, bench.screen(**who) as looking:
        watching.send("watch", call_id="c1")
        assert watching.receive()["type"] == "snapshot"
        watching.send("listen", call_id="c1")
        assert watching.receive()["type"] == "listening"
        bench.sound("c1")
        assert len(watching.receive_audio()) == 24 + 160
        looking.send("watch_all", detail="overview")
        assert [call["call_id"] for call in looking.receive()["calls"]] == ["c1"]

        change(bench)
        bench.tell("utterance", "u1", {"text": "not for them"})
        bench.sound("c1")
        bench.on_loop(bench.listening.sweep, 0)

        assert sorted([kind_of(watching), kind_of(watching)]) == ["gone", "listen_ended not_permitted"]
        assert kind_of(looking) == "gone"
        for screen in (watching, looking):
            screen.send("watch", call_id="c1")
            assert kind_of(screen) == "error not_permitted"
        assert bench.feed.calls == {}
        headers = bench.bearer(**who)
        for path in ("/v1/calls/c1", "/v1/calls/c1/recording", "/v1/events?call_id=c1"):
            assert bench.client.get(path, headers=headers).status_code == 404


def kind_of(screen: Screen) -> str:
    message = screen.receive()
    return f"{message['type']} {message.get('reason') or message.get('code') or ''}".strip()


def test_a_supervisor_who_joins_a_group_in_mid_call_gets_its_calls(bench: Bench) -> None:
    bench.roster("20", monitoring="")
    with bench.screen("supervisor", extension_id="20") as screen:
        screen.send("watch_all")
        assert screen.receive()["calls"] == []
        bench.roster("20", monitoring="g")
        assert [call["call_id"] for call in screen.receive()["calls"]] == ["c1"]


def test_a_transferred_call_changes_agents_screens(bench: Bench) -> None:
    with bench.screen("agent", extension_id="7") as ann, bench.screen("agent", extension_id="9") as eve:
        for screen in (ann, eve):
            screen.send("watch_all")
        assert len(ann.receive()["calls"]) == 1
        assert eve.receive()["calls"] == []
        call_goes_to_an_unmonitored_agent(bench)
        assert ann.receive() == {"type": "gone", "call_id": "c1"}
        assert eve.receive()["calls"][0]["agent"]["extension_id"] == "9"


def test_the_audit_says_who_watched_listened_and_was_refused(bench: Bench) -> None:
    with bench.screen("supervisor", extension_id="20") as screen:
        screen.send("watch_all", detail="overview")
        screen.receive()
        screen.send("watch", call_id="c1")
        screen.receive()
        screen.send("listen", call_id="c1")
        screen.receive()
        bench.clock.advance_ms(1_500)
        screen.send("unlisten")
        screen.receive()
        screen.send("watch", call_id="c2")
        screen.receive()
    headers = bench.bearer("supervisor", extension_id="20")
    for span in ("", "bytes=0-9", "bytes=10-"):
        assert bench.client.get("/v1/calls/c1/recording", headers=headers | {"Range": span}).status_code < 300
    bench.client.get("/v1/calls/c1", headers=headers)
    assert bench.audited() == [
        ("watched", "", "overview"), ("watched", "c1", "live"), ("listened", "c1", "live_started"),
        ("listened", "c1", "live_stopped"), ("refused", "c2", "not_permitted"), ("listened", "c1", "recording"),
        ("watched", "c1", "live"),
    ]  # fmt: skip
    stopped = next(a for a in bench.audit() if a.detail == "live_stopped")
    assert (stopped.actor, stopped.role, stopped.extension_id, stopped.duration_ms) == (
        "someone", "supervisor", "20", 1_500,
    )  # fmt: skip
