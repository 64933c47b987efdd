"""A floor's day in compressed time, without SIP: thirty calls over WebSocket, and one answered on paper."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from tests.support.simulator import logged_in_simulator

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SPEED = 50


@pytest.fixture
async def sim() -> AsyncIterator[httpx.AsyncClient]:
    """A logged-in client of a simulator on paper media, stopped by SIGTERM with exit status 0."""
    settings = {"PORT": "0", "SPEED": str(SPEED), "MEDIA": "paper", "RATE_LIGHT": "1000", "LOG_LEVEL": "warning"}
    async with logged_in_simulator(**settings) as client:
        yield client


async def _subscribed(sim: httpx.AsyncClient) -> websockets.ClientConnection:
    ticket = (await sim.post("/restapi/oauth/wstoken")).json()
    socket = await websockets.connect(f"{ticket['uri']}?access_token={ticket['ws_access_token']}", proxy=None)
    await socket.recv()
    meta = {"type": "ClientRequest", "messageId": "m1", "method": "POST", "path": "/restapi/v1.0/subscription/"}
    body = {
        "eventFilters": ["/restapi/v1.0/account/~/telephony/sessions"],
        "deliveryMode": {"transportType": "WebSocket"},
    }
    await socket.send(json.dumps([meta, body]))
    assert json.loads(await socket.recv())[0]["status"] == 200
    return socket


async def _collect(socket: websockets.ClientConnection, into: list[dict[str, Any]]) -> None:
    async for text in socket:
        meta, body = json.loads(text)
        assert (meta["type"], meta["messageId"]) == ("ServerNotification", body["uuid"])
        into.append(body)


async def _until(sim: httpx.AsyncClient, path: str, key: str, value: object) -> dict[str, Any]:
    async with asyncio.timeout(90):
        while True:
            shown: dict[str, Any] = (await sim.get(path)).json()
            if shown[key] == value:
                return shown
            await asyncio.sleep(0.2)


async def test_thirty_calls_tell_every_change_over_the_websocket(sim: httpx.AsyncClient) -> None:
    socket = await _subscribed(sim)
    heard: list[dict[str, Any]] = []
    listening = asyncio.create_task(_collect(socket, heard))
    floor = {"seed": 1, "agents": 60, "calls": 30, "hours": 0.1, "outside": 6, "talk_median_s": 30, "talk_max_s": 90}
    plan = (await sim.post("/sim/floor", json=floor)).json()
    assert (plan["speed"], len(plan["calls"]), len(plan["outside"])) == (SPEED, 30, 6)
    progress = await _until(sim, "/sim/floor", "state", "done")
    assert (progress["ended"], progress["coveredBoth"], progress["outsideGroups"]) == (30, 0, 0)
    published = (await sim.get("/sim/state")).json()["counters"]["events_published"]
    for _ in range(200):
        if len(heard) >= published:
            break
        await asyncio.sleep(0.05)
    assert len(heard) == published
    listening.cancel()
    await socket.close()

    records = (await sim.get("/sim/floor/calls")).json()["calls"]
    sessions: dict[str, list[dict[str, Any]]] = {}
    for message in heard:
        body = message["body"]
        (party,) = body["parties"]
        scope = f"/extension/{party['extensionId']}" if "extensionId" in party else ""
        assert message["event"] == f"/restapi/v1.0/account/700200001{scope}/telephony/sessions"
        assert party["id"].startswith(f"p-{body['telephonySessionId'][2:]}-")
        sessions.setdefault(body["telephonySessionId"], []).append(body)
    assert set(sessions) == {record["telephonySessionId"] for record in records}
    assert len({message["uuid"] for message in heard}) == len(heard)
    for bodies in sessions.values():
        assert [body["sequence"] for body in bodies] == list(range(2, len(bodies) + 2))
        last = {body["parties"][0]["id"]: body["parties"][0]["status"]["code"] for body in bodies}
        assert set(last.values()) <= {"Disconnected", "Gone"}


async def test_a_call_is_supervised_on_paper(sim: httpx.AsyncClient) -> None:
    day = {"agents": 10, "calls": 1, "hours": 0.001, "mix": {"inbound": 1}, "outside": 0, "groups": 1, "supervisors": 1}
    plan = (await sim.post("/sim/floor", json={**day, "talk_min_s": 200, "start": False})).json()
    (supervisor,), (call,) = plan["supervisors"], plan["calls"]
    device = supervisor["deviceIds"][0]
    reply = await sim.post(
        "/restapi/oauth/token",
        data={"grant_type": JWT_GRANT, "assertion": supervisor["jwt"]},
        auth=("sim-client-id", "sim-client-secret"),
        headers={"Authorization": ""},
    )
    assert reply.status_code == 200, reply.text
    token = {"Authorization": f"Bearer {reply.json()['access_token']}"}
    base = f"ws://{sim.base_url.host}:{sim.base_url.port}"
    async with websockets.connect(f"{base}/sim/media", proxy=None) as media, asyncio.timeout(60):
        await media.send(json.dumps({"type": "register", "devices": [device]}))
        assert json.loads(await media.recv()) == {"type": "registered", "devices": [device]}
        await sim.post("/sim/floor/start")
        await _until(sim, "/sim/floor", "started", 1)
        session = (await sim.get("/sim/floor/calls")).json()["calls"][0]["telephonySessionId"]
        heard: set[str] = set()
        for number in (1, 2):
            status = 409
            while status == 409:  # the agent's phone still rings
                reply = await sim.post(
                    f"/restapi/v1.0/account/~/telephony/sessions/{session}/parties/p-{session[2:]}-{number}/supervise",
                    json={"mode": "Listen", "supervisorDeviceId": device, "agentExtensionId": call["agent_id"]},
                    headers=token,
                )
                status = reply.status_code
            assert status == 201
            invite = json.loads(await media.recv())
            assert f"party-id=p-{session[2:]}-{number}" in invite["headers"]["p-rc-api-monitoring-ids"]
            await media.send(json.dumps({"type": "answer", "callId": invite["callId"]}))
            assert json.loads(await media.recv()) == {"type": "audio", "callId": invite["callId"]}
            heard.add(invite["callId"])
        ends = [json.loads(await media.recv()) for _ in range(2)]
        assert {(end["type"], end["callId"]) for end in ends} == {("bye", call_id) for call_id in heard}
    progress = await _until(sim, "/sim/floor", "state", "done")
    assert (progress["coveredBoth"], progress["supervisable"], progress["doubleSupervised"]) == (1, 1, 0)
