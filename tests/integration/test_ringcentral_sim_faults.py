"""Faults that only show on real sockets: half a reply, cut WebSockets, a BYE that never comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import websockets

from tests.peers.sip_ua import SipUa
from tests.support.simulator import logged_in_simulator

DEVICE = "801000000001"


@pytest.fixture
async def sim() -> AsyncIterator[httpx.AsyncClient]:
    """A logged-in client of a simulator with real SIP."""
    settings = {"PORT": "0", "SIP_PORT": "0", "SIP_TLS_PORT": "0", "FAULTS": '{"error_shape": "both"}'}
    async with logged_in_simulator(**settings) as client:
        yield client


async def _faults(sim: httpx.AsyncClient, **body: Any) -> None:
    reply = await sim.post("/sim/faults", json=body)
    assert reply.status_code == 200, reply.text


async def test_half_a_reply_ends_the_connection(sim: httpx.AsyncClient) -> None:
    path = "/restapi/v1.0/account/~/extension/~"
    await _faults(sim, chances={"http_half": 1.0})
    with pytest.raises(httpx.RemoteProtocolError):
        await sim.get(path)
    await _faults(sim, chances={"http_half": None})
    assert (await sim.get(path)).json()["id"] == 700200300
    assert (await sim.get("/sim/state")).json()["faults"]["injected"] == {"http_half": 1}


async def test_a_cut_lasts_its_time_and_past_the_window_nothing_is_recovered(sim: httpx.AsyncClient) -> None:
    async def connect(wsc: str = "") -> tuple[websockets.ClientConnection, list[Any]]:
        ticket = (await sim.post("/restapi/oauth/wstoken")).json()
        uri = f"{ticket['uri']}?access_token={ticket['ws_access_token']}{f'&wsc={wsc}' if wsc else ''}"
        socket = await websockets.connect(uri, proxy=None)
        return socket, json.loads(await socket.recv())

    socket, (meta, _) = await connect()
    await _faults(sim, chances={"ws_cut": {"to_s": 2}})
    with pytest.raises(websockets.ConnectionClosed):
        await asyncio.wait_for(socket.recv(), 10)
    with pytest.raises(websockets.InvalidStatus, match="503"):
        await connect(meta["wsc"]["token"])
    await asyncio.sleep(2.5)
    socket, (_, details) = await connect(meta["wsc"]["token"])
    assert details["recoveryState"] == "Successful"
    await socket.close()


async def test_a_lost_bye_leaves_the_client_in_silence(sim: httpx.AsyncClient) -> None:
    info = (await sim.get(f"/restapi/v1.0/account/~/device/{DEVICE}/sip-info")).json()
    host, port = info["outboundProxies"][0]["proxy"].rsplit(":", 1)
    phone = SipUa(
        "TCP",
        (host, int(port)),
        user=info["userName"],
        auth_id=info["authorizationId"],
        password=info["password"],
        domain=info["domain"],
    )
    await phone.start()
    assert (await phone.register()).code == 200
    await _faults(sim, chances={"bye_lost": 1.0})
    started = await sim.post("/sim/calls", json={"duration_ms": 60_000, "start_audio": "answered"})
    session = started.json()["telephonySessionId"]
    await asyncio.sleep(1.5)
    reply = await sim.post(
        f"/restapi/v1.0/account/~/telephony/sessions/{session}/parties/p-{session[2:]}-2/supervise",
        json={"mode": "Listen", "supervisorDeviceId": DEVICE, "agentExtensionId": "700200301"},
    )
    assert reply.status_code == 201
    call = await asyncio.wait_for(phone.calls.get(), 5)
    for _ in range(100):
        if call.payloads():
            break
        await asyncio.sleep(0.1)
    assert call.payloads()
    await sim.post(f"/sim/calls/{session}/hangup")
    await asyncio.sleep(1.0)
    heard = len(call.payloads())
    await asyncio.sleep(0.5)
    assert len(call.payloads()) == heard
    assert not call.ended.is_set()
    assert (await phone.in_dialog(call, "BYE")).code == 481
    assert (await sim.get(f"/restapi/v1.0/account/~/telephony/sessions/{session}")).status_code == 404
    phone.close()
