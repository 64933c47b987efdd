"""The WebSocket gateway: frames, recovery, replacement, the two clocks."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from services.ringcentral_sim.app import build_app, build_world
from services.ringcentral_sim.clock import SystemClock
from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.domain.wsg import Channel, read_token
from services.ringcentral_sim.events.tunnel import call_app
from services.ringcentral_sim.rest.oauth import JWT_GRANT
from services.ringcentral_sim.sip_off import NoSip

ALL = "/restapi/v1.0/account/~/telephony/sessions"


class NoPoster:
    async def post(self, address, body, headers):
        return 0, {}

    async def close(self):
        return None


@pytest.fixture
def make_client():
    """In-memory clients of simulators on the real clock."""
    opened = []

    def make(**settings):
        made = SimulatorSettings(rate_auth=100, **settings)
        client = TestClient(
            build_app(build_world(made, sip=NoSip(), poster=NoPoster(), clock=SystemClock())),
            base_url="http://sim.example",
        )
        client.__enter__()
        opened.append(client)
        reply = client.post(
            "/restapi/oauth/token",
            data={"grant_type": JWT_GRANT, "assertion": "sim-jwt-supervisor"},
            auth=("sim-client-id", "sim-client-secret"),
        )
        client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


def address(client, wsc=None):
    ticket = client.post("/restapi/oauth/wstoken").json()
    assert ticket["uri"] == "ws://sim.example/ws"
    return f"/ws?access_token={ticket['ws_access_token']}" + (f"&wsc={wsc}" if wsc else "")


def ask(socket, method, path, body=None, message="m1"):
    meta = {"type": "ClientRequest", "messageId": message, "method": method, "path": path}
    socket.send_text(json.dumps([meta] if body is None else [meta, body]))
    return json.loads(socket.receive_text())


def subscription(*filters):
    return {"eventFilters": list(filters or (ALL,)), "deliveryMode": {"transportType": "WebSocket"}}


def test_connection_details_come_first_and_requests_are_answered_by_id(make_client):
    client = make_client()
    with client.websocket_connect(address(client)) as socket:
        meta, body = json.loads(socket.receive_text())
        assert (meta["type"], meta["status"], meta["wsc"]["sequence"]) == ("ConnectionDetails", 200, 1)
        assert (body["recoveryBufferSize"], body["recoveryTimeout"], body["absoluteTimeout"]) == (100, 180, 86400)
        assert "recoveryState" not in body
        meta, body = ask(socket, "POST", "/restapi/v1.0/subscription/", subscription(), "abc")
        assert (meta["messageId"], meta["status"]) == ("abc", 200)
        assert meta["headers"]["WSG-SubscriptionId"] == body["id"]
        meta, body = ask(socket, "GET", "/restapi/v1.0/account/~/telephony/sessions/s-none")
        assert (meta["status"], body["errors"][0]["errorCode"]) == (404, "CMN-102")
        meta, body = ask(socket, "GET", "/restapi/v1.0/account/~/extension?type=User&perPage=2")
        assert len(body["records"]) == 2


def test_heartbeats_are_answered_and_rubbish_is_an_error(make_client):
    client = make_client()
    with client.websocket_connect(address(client)) as socket:
        socket.receive_text()
        socket.send_text(json.dumps([{"type": "Heartbeat", "messageId": "h1"}]))
        assert json.loads(socket.receive_text()) == [{"type": "Heartbeat", "messageId": "h1"}]
        socket.send_text("rubbish")
        assert json.loads(socket.receive_text())[0]["type"] == "Error"


def test_a_ws_token_works_once(make_client):
    client = make_client()
    where = address(client)
    with client.websocket_connect(where) as socket:
        socket.receive_text()
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(where):
        pass


@pytest.mark.parametrize(("setting", "code"), [("ws_idle_timeout_s", "WSG-902"), ("ws_absolute_timeout_s", "WSG-903")])
def test_clocks_end_the_connection_with_their_code(make_client, setting, code):
    client = make_client(**{setting: 0.01})
    with client.websocket_connect(address(client)) as socket:
        socket.receive_text()
        meta, body = json.loads(socket.receive_text())
        assert (meta["type"], body["errorCode"]) == ("Error", code)
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


def test_an_unknown_place_is_not_recovered(make_client):
    client = make_client()
    with client.websocket_connect(address(client, "WSC-none-4")) as socket:
        assert json.loads(socket.receive_text())[1]["recoveryState"] == "Failed"


async def _connected(lab, token, wsc=None):
    ticket = await lab.http.post("/restapi/oauth/wstoken", headers={"Authorization": f"Bearer {token}"})
    return lab.world.gateway.open(ticket.json()["ws_access_token"], wsc)


async def _subscribe(lab, token, connection, *filters):
    reply = await call_app(
        lab.app,
        method="POST",
        path="/restapi/v1.0/subscription",
        token=token,
        body=subscription(*filters),
        channel_id=connection.channel.id,
        host="sim.example",
    )
    assert reply.status == 200
    return reply.body["id"]


def _drained(connection):
    return [connection.outbox.get_nowait() for _ in range(connection.outbox.qsize())]


async def test_recovery_sends_again_what_came_after_the_place(lab):
    token = await lab.login()
    connection, _ = await _connected(lab, token)
    await _subscribe(lab, token, connection)
    await lab.dial(duration_ms=5000, start_audio="answered")
    await lab.clock.advance(0.3)
    seen = _drained(connection)
    place = seen[1][0]["wsc"]["token"]
    assert seen[0][0]["messageId"] == seen[0][1]["uuid"]
    lab.world.gateway.close(connection)
    await lab.clock.advance(100)
    again, frames = await _connected(lab, token, place)
    assert frames[0][1]["recoveryState"] == "Successful"
    sequences = [f[1]["body"]["sequence"] for f in [*seen[:2], *frames[1:]]]
    assert sequences == list(range(2, 9))
    assert again.channel is connection.channel


async def test_recovery_keeps_only_the_newest(make_lab):
    lab = await make_lab(ws_recovery_buffer=3)
    token = await lab.login()
    connection, details = await _connected(lab, token)
    await _subscribe(lab, token, connection)
    lab.world.gateway.close(connection)
    await lab.dial(duration_ms=500, start_audio="answered")
    await lab.clock.advance(5)
    _, frames = await _connected(lab, token, details[0][0]["wsc"]["token"])
    assert [f[1]["body"]["sequence"] for f in frames[1:]] == [6, 7, 8]


async def test_after_the_window_recovery_fails_and_the_subscription_is_gone(lab):
    token = await lab.login()
    connection, details = await _connected(lab, token)
    await _subscribe(lab, token, connection)
    lab.world.gateway.close(connection)
    await lab.clock.advance(181)
    _, frames = await _connected(lab, token, details[0][0]["wsc"]["token"])
    assert frames[0][1]["recoveryState"] == "Failed"
    assert "recoveryErrorCode" in frames[0][1]
    assert lab.world.subscriptions.items == {}


async def test_another_user_cannot_recover_the_channel(lab):
    connection, details = await _connected(lab, await lab.login())
    lab.world.gateway.close(connection)
    _, frames = await _connected(lab, await lab.login("sim-jwt-lead"), details[0][0]["wsc"]["token"])
    assert frames[0][1]["recoveryState"] == "Failed"


async def test_a_second_subscription_replaces_the_first(lab):
    token = await lab.login()
    connection, _ = await _connected(lab, token)
    first = await _subscribe(lab, token, connection)
    second = await _subscribe(lab, token, connection, ALL + "?statusCode=Disconnected")
    assert set(lab.world.subscriptions.items) == {second} != {first}
    await lab.dial(duration_ms=500, start_audio="answered")
    await lab.clock.advance(5)
    codes = [f[1]["body"]["parties"][0]["status"]["code"] for f in _drained(connection)]
    assert codes == ["Disconnected", "Disconnected"]


async def test_dropped_sockets_are_told_to_close(lab):
    connection, _ = await _connected(lab, await lab.login())
    reply = await lab.http.post("/sim/faults", json={"drop_websockets": True})
    assert reply.json()["dropped_websockets"] == 1
    assert _drained(connection) == [None]


def test_tokens_name_channel_and_place():
    channel = Channel("c-12", "700200300")
    channel.notify("u1", "rc", {})
    assert read_token(channel.token()) == ("c-12", 2)
    assert read_token("else") is None
    assert read_token("WSC-c-x") is None
