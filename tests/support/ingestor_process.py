"""The ingestor as a process between a simulator and the broker, for integration tests."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.chassis.consumer import Incoming
from services.chassis.records import decode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.chassis.topic_view import TopicView
from services.contracts.records import RosterEntry, TelephonyEvent
from services.contracts.topics import MONITORING_ROSTER, TELEPHONY_EVENTS

ANN, BEN, CLEO, DAN, DEE = "700200301", "700200302", "700200303", "700200304", "700200305"
QUICK = {"ROSTER_REFRESH_MS": "1000", "HYDRATE_AGAIN_MS": "1000", "PING_MS": "60000"}
PATIENCE_S = 80.0  # on a machine that is busy with something else


class Topics:
    """What the ingestor has written so far."""

    def __init__(self, bootstrap: str, prefix: str) -> None:
        self.settings = KafkaSettings.model_validate(
            {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "EARSHOT_TOPIC_PREFIX": prefix}
        )
        ensure_topics(self.settings, topics=[TELEPHONY_EVENTS, MONITORING_ROSTER], partitions=2, replication=1)
        self.events: list[TelephonyEvent] = []
        self.roster: dict[str, RosterEntry | None] = {}
        self.view = TopicView(self.settings, topics=[TELEPHONY_EVENTS, MONITORING_ROSTER], on_record=self._take)

    def _take(self, message: Incoming) -> None:
        if message.topic.name == MONITORING_ROSTER.name:
            self.roster[message.key] = decode(MONITORING_ROSTER, message.value) if message.value else None
            return
        event = decode(TELEPHONY_EVENTS, message.value)
        assert message.key == event.notification.body.telephony_session_id
        self.events.append(event)

    def of(self, call_id: str) -> list[TelephonyEvent]:
        return [e for e in self.events if e.notification.body.telephony_session_id == call_id]

    def codes(self, call_id: str) -> list[str]:
        return [e.notification.body.parties[0].status.code for e in self.of(call_id)]


class Simulator:
    """A simulator process's control surface, and its REST as the supervisor."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, trust_env=False)

    async def login(self) -> None:
        grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "sim-jwt-supervisor"}
        credentials = ("sim-client-id", "sim-client-secret")
        reply = await self.http.post("/restapi/oauth/token", data=grant, auth=credentials)
        self.http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"

    async def call(self, agent: str, **options: Any) -> str:
        body = {"agent": agent, "start_audio": "answered"} | options
        reply = await self.http.post("/sim/calls", json=body)
        assert reply.status_code == 201, reply.text
        return str(reply.json()["telephonySessionId"])

    async def hang_up(self, call_id: str) -> None:
        (await self.http.post(f"/sim/calls/{call_id}/hangup")).raise_for_status()

    async def drop_websockets(self) -> None:
        reply = await self.http.post("/sim/faults", json={"drop_websockets": True})
        assert reply.json()["dropped_websockets"] == 1

    async def lose_events(self, *, share: float | None) -> None:
        """Let the gap be certain, however soon the client is back; None: no more."""
        await self.fault(chances={"event_lost": share})

    async def fault(self, **body: Any) -> None:
        """Switch or do what POST /sim/faults takes."""
        (await self.http.post("/sim/faults", json=body)).raise_for_status()

    async def subscribed(self, subscriptions: int) -> bool:
        """Whether there are so many subscriptions."""
        return int((await self.http.get("/sim/state")).json()["subscriptions"]) == subscriptions

    async def connections(self) -> int:
        """How many WebSocket connections were made since the start."""
        return int((await self.http.get("/sim/state")).json()["counters"]["websocket_connections"])

    async def connected(self, times: int) -> bool:
        return await self.connections() >= times

    async def ready(self, health: str) -> bool:
        """Whether the service at this address is ready: the ingestor is once its subscription is live."""
        return (await self.http.get(f"{health}/readyz")).is_success

    async def counted(self, health: str, metric: str) -> bool:
        """Whether the service at this address has counted at least one of these."""
        return metric in (await self.http.get(f"{health}/metrics")).text

    async def answered(self, call_id: str) -> bool:
        return (await self.http.get(f"/sim/calls/{call_id}")).json()["answeredAt"] is not None


async def until(what: str, condition: Callable[[], bool | Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                met = condition()
                if await met if isinstance(met, Awaitable) else met:
                    return
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"still waiting: {what}")


@asynccontextmanager
async def process(module: str, environ: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A service until the block ends; it must then stop by SIGTERM with exit status 0."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env={**os.environ, **environ}, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield running
    finally:
        running.terminate()
        async with asyncio.timeout(PATIENCE_S):
            output, _ = await running.communicate()
    for secret in ("sim-jwt-supervisor", "sim-client-secret", "Bearer "):
        assert secret not in output.decode()
    assert running.returncode == 0


@asynccontextmanager
async def simulator(**settings: str) -> AsyncIterator[Simulator]:
    environ = {"PORT": "0", "SIP_ENABLED": "false", "RATE_AUTH": "50", "ACTIVE_CALLS_LAG_S": "0"} | settings
    async with process(
        "services.ringcentral_sim", {f"RINGCENTRAL_SIM_{name}": value for name, value in environ.items()}
    ) as running:
        assert running.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            ready = json.loads(await running.stdout.readline())
        sim = Simulator(ready["http"])
        await sim.login()
        try:
            yield sim
        finally:
            await sim.http.aclose()


@asynccontextmanager
async def ingestor(sim: Simulator, topics: Topics, **settings: str) -> AsyncIterator[str]:
    """The ingestor with these settings (without their prefix), its events flowing; the base URL of its health."""
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": topics.settings.kafka_bootstrap_servers,
        "EARSHOT_TOPIC_PREFIX": topics.settings.topic_prefix,
        "RINGCENTRAL_SERVER_URL": sim.url,
        "RINGCENTRAL_CLIENT_ID": "sim-client-id",
        "RINGCENTRAL_CLIENT_SECRET": "sim-client-secret",
        "RINGCENTRAL_JWT": "sim-jwt-supervisor",
        **{f"EVENT_INGESTOR_{name}": value for name, value in ({**QUICK, **settings}).items()},
        "HEALTH_HOST": "127.0.0.1",
        "HEALTH_PORT": "0",
        "LOG_LEVEL": "DEBUG",
    }
    async with process("services.event_ingestor", environ) as running:
        assert running.stdout is not None
        port = 0
        async with asyncio.timeout(PATIENCE_S):
            async for text in running.stdout:
                line = json.loads(text)
                port = line.get("health_port", port)
                if line["event"] in ("websocket_live", "webhook_subscription", "webhook_taken_over"):
                    break
        yield f"http://127.0.0.1:{port}"
