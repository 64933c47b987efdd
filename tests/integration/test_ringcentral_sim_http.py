"""The whole simulator as a process: HTTP, WebSocket, SIP and RTP, met the way a client meets them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import ringcentral
import soundfile
import websockets
from ringcentral.websocket.events import WebSocketEvents

from services.ringcentral_sim.sip.g711 import encode_mu_law
from tests.peers.sip_ua import SipUa
from tests.support.simulator import logged_in_simulator

DEVICE = "801000000001"
SILENCE = b"\xff"
WAIT_S = 30


class Running:
    """A simulator process's client, logged in."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str) -> Any:
        reply = await self.http.get(path)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def phone(self, transport: str) -> SipUa:
        """A registered phone, set up from sip-info alone."""
        info = await self.get(f"/restapi/v1.0/account/~/device/{DEVICE}/sip-info")
        proxy = info["outboundProxies"][0]["proxyTLS" if transport == "TLS" else "proxy"]
        host, port = proxy.rsplit(":", 1)
        phone = SipUa(
            transport,
            (host, int(port)),
            user=info["userName"],
            auth_id=info["authorizationId"],
            password=info["password"],
            domain=info["domain"],
        )
        await phone.start()
        assert (await phone.register()).code == 200
        return phone

    async def supervise(self, session: str, party: str) -> httpx.Response:
        return await self.http.post(
            f"/restapi/v1.0/account/~/telephony/sessions/{session}/parties/{party}/supervise",
            json={"mode": "Listen", "supervisorDeviceId": DEVICE, "agentExtensionId": "700200301"},
        )


@pytest.fixture
async def sim() -> AsyncIterator[Running]:
    """A simulator on free ports."""
    async with logged_in_simulator(PORT="0", SIP_PORT="0", SIP_TLS_PORT="0") as http:
        yield Running(http)


def _recording(path: Path, seconds: float) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Two different sweeps at 8 kHz, so that a channel or a position mixed up would show."""
    at = np.arange(round(seconds * 8000)) / 8000
    left = 20_000 * np.sin(2 * np.pi * (300 + 150 * at) * at + 0.1)
    right = 15_000 * np.sin(2 * np.pi * (900 + 90 * at) * at + 0.1)
    stereo = np.stack([left, right], axis=1).astype(np.int16)
    soundfile.write(path, stereo, 8000, subtype="PCM_16")
    return stereo


class Events:
    """The client's end of the WebSocket gateway."""

    def __init__(self, connection: websockets.ClientConnection) -> None:
        self.socket = connection
        self.seen: list[dict[str, Any]] = []
        self.wsc = ""

    async def frame(self) -> list[Any]:
        async with asyncio.timeout(WAIT_S):
            frame: list[Any] = json.loads(await self.socket.recv())
        self.wsc = frame[0].get("wsc", {}).get("token", self.wsc)
        if frame[0]["type"] == "ServerNotification":
            self.seen.append(frame[1]["body"])
        return frame

    async def until_closed(self) -> None:
        """Read what still comes."""
        try:
            while True:
                await self.frame()
        except websockets.ConnectionClosed:
            return

    async def until_status(self, extension: str | None, code: str) -> dict[str, Any]:
        """The body of the next event in which the extension's party has this status."""
        while True:
            frame = await self.frame()
            if frame[0]["type"] != "ServerNotification":
                continue
            party = frame[1]["body"]["parties"][0]
            if party.get("extensionId") == extension and party["status"]["code"] == code:
                return dict(frame[1]["body"])


async def _connect(sim: Running, wsc: str = "") -> tuple[Events, dict[str, Any]]:
    ticket = (await sim.http.post("/restapi/oauth/wstoken")).json()
    tail = f"&wsc={wsc}" if wsc else ""
    connection = await websockets.connect(f"{ticket['uri']}?access_token={ticket['ws_access_token']}{tail}", proxy=None)
    events = Events(connection)
    return events, (await events.frame())[1]


async def _subscribe(events: Events) -> None:
    body = {
        "eventFilters": ["/restapi/v1.0/account/~/telephony/sessions"],
        "deliveryMode": {"transportType": "WebSocket"},
    }
    request = {"type": "ClientRequest", "messageId": "m1", "method": "POST", "path": "/restapi/v1.0/subscription/"}
    await events.socket.send(json.dumps([request, body]))
    meta, reply = await events.frame()
    assert (meta["messageId"], meta["status"]) == ("m1", 200)
    assert meta["headers"]["WSG-SubscriptionId"] == reply["id"]
    assert reply["eventFilters"] == ["/restapi/v1.0/account/700200001/telephony/sessions"]


@pytest.mark.parametrize("transport", ["UDP", "TCP", "TLS"])
async def test_both_parties_of_a_call_are_heard_whole(sim: Running, tmp_path: Path, transport: str) -> None:
    phone = await sim.phone(transport)
    events, _ = await _connect(sim)
    await _subscribe(events)
    stereo = _recording(tmp_path / "call.wav", 3.0)
    session = (await sim.http.post("/sim/calls", json={"audio": str(tmp_path / "call.wav")})).json()[
        "telephonySessionId"
    ]
    answered = await events.until_status("700200301", "Answered")
    assert answered["telephonySessionId"] == session

    status = await sim.get(f"/restapi/v1.0/account/~/telephony/sessions/{session}")
    roles = {("agent" if p.get("extensionId") else "customer"): p["id"] for p in status["parties"]}
    for party in roles.values():
        assert (await sim.supervise(session, party)).status_code == 201
    calls = {}
    for _ in roles:
        call = await asyncio.wait_for(phone.calls.get(), WAIT_S)
        header = call.invite.headers["p-rc-api-monitoring-ids"]
        party = next(p for p in roles.values() if f"party-id={p}" in header)
        assert session in header
        calls[party] = call
    for call in calls.values():
        await asyncio.wait_for(call.heard_whole(), WAIT_S)

    heard = {role: calls[party].payloads().strip(SILENCE) for role, party in roles.items()}
    assert heard["agent"] == encode_mu_law(np.ascontiguousarray(stereo[:, 0])).strip(SILENCE)
    assert heard["customer"] == encode_mu_law(np.ascontiguousarray(stereo[:, 1])).strip(SILENCE)
    await events.until_status(None, "Disconnected")
    assert sorted(e["sequence"] for e in events.seen) == list(range(2, len(events.seen) + 2))
    view = await sim.get(f"/sim/calls/{session}")
    assert view["legs"][0]["audioStartedAt"] == view["legs"][1]["audioStartedAt"]
    await events.socket.close()
    phone.close()


async def test_a_dropped_websocket_is_recovered_without_loss(sim: Running) -> None:
    events, _ = await _connect(sim)
    await _subscribe(events)
    await sim.http.post("/sim/calls", json={"duration_ms": 500, "start_audio": "answered"})
    await events.until_status("700200301", "Proceeding")
    await sim.http.post("/sim/faults", json={"drop_websockets": True})
    await events.until_closed()
    await asyncio.sleep(0.3)
    again, details = await _connect(sim, events.wsc)
    assert details["recoveryState"] == "Successful"
    await again.until_status(None, "Disconnected")
    sequences = [e["sequence"] for e in events.seen + again.seen]
    assert sequences == list(range(2, 9))
    await again.socket.close()


async def test_the_device_is_online_while_it_is_registered(sim: Running) -> None:
    path = "/restapi/v1.0/account/~/extension/~/device?type=OtherPhone"

    async def status() -> str:
        return str((await sim.get(path))["records"][0]["status"])

    assert await status() == "Offline"
    phone = await sim.phone("TCP")
    assert await status() == "Online"
    assert (await sim.get("/sim/state"))["registrations"][DEVICE]
    await phone.register(expires=0)
    assert await status() == "Offline"
    phone.close()


async def test_health_and_unknown_paths(sim: Running) -> None:
    assert await sim.get("/healthz") == {"status": "ok"}
    reply = await sim.http.get("/restapi/v1.0/nowhere")
    assert reply.status_code == 404
    assert reply.json()["errors"][0]["errorCode"] == "CMN-120"


async def test_the_vendors_own_sdk_gets_along_with_it(sim: Running) -> None:
    sdk = ringcentral.SDK("sim-client-id", "sim-client-secret", str(sim.http.base_url).rstrip("/"))
    platform = sdk.platform()
    await asyncio.to_thread(platform.login, jwt="sim-jwt-supervisor")
    reply = await asyncio.to_thread(platform.get, "/restapi/v1.0/account/~/call-monitoring-groups")
    assert reply.json_dict()["records"][0]["name"] == "Desk A"

    client = sdk.create_web_socket_client()
    notified: asyncio.Queue[list[Any]] = asyncio.Queue()
    subscribed = asyncio.Event()
    pending: list[asyncio.Task[Any]] = []

    def subscribe(_: object) -> None:
        filters = ["/restapi/v1.0/account/~/telephony/sessions"]
        pending.append(asyncio.create_task(client.create_subscription(filters)))

    client.on(WebSocketEvents.connectionCreated, subscribe)
    client.on(WebSocketEvents.subscriptionCreated, lambda _: subscribed.set())
    client.on(WebSocketEvents.receiveSubscriptionNotification, notified.put_nowait)
    pending.append(asyncio.create_task(client.create_new_connection()))
    await asyncio.wait_for(subscribed.wait(), WAIT_S)
    started = await sim.http.post("/sim/calls", json={"duration_ms": 300, "start_audio": "answered"})
    first = await asyncio.wait_for(notified.get(), WAIT_S)
    assert first[1]["body"]["telephonySessionId"] == started.json()["telephonySessionId"]
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)


@pytest.mark.parametrize("setting", ["PORT", "SIP_PORT"])
async def test_a_taken_port_is_named_in_one_line(setting: str) -> None:
    ports = {"PORT": "0", "SIP_PORT": "0", "SIP_TLS_PORT": "0"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports[setting] = str(taken.getsockname()[1])
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.ringcentral_sim",
            env={**os.environ, **{f"RINGCENTRAL_SIM_{k}": v for k, v in ports.items()}},
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode().startswith(f"RINGCENTRAL_SIM_{setting}: cannot bind 127.0.0.1:")
    assert errors.count(b"\n") == 1
