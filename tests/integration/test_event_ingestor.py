"""The ingestor as a process, between the RingCentral simulator and the broker."""

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

ANN, BEN, DEE = "700200301", "700200302", "700200305"
PATIENCE_S = 80.0  # on a machine that is busy with something else
GROUPS = "/restapi/v1.0/account/~/call-monitoring-groups"
pytestmark = pytest.mark.timeout(300)


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
        (await self.http.post("/sim/faults", json={"chances": {"event_lost": share}})).raise_for_status()

    async def connections(self) -> int:
        """How many WebSocket connections were made since the start."""
        return int((await self.http.get("/sim/state")).json()["counters"]["websocket_connections"])

    async def connected(self, times: int) -> bool:
        return await self.connections() >= times

    async def ready(self, health: str) -> bool:
        """Whether the service at this address is ready: the ingestor is once its subscription is live."""
        return (await self.http.get(f"{health}/readyz")).is_success

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
async def ingestor(sim: Simulator, topics: Topics) -> AsyncIterator[str]:
    """The ingestor, its events flowing; the base URL of its health and metrics."""
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": topics.settings.kafka_bootstrap_servers,
        "EARSHOT_TOPIC_PREFIX": topics.settings.topic_prefix,
        "RINGCENTRAL_SERVER_URL": sim.url,
        "RINGCENTRAL_CLIENT_ID": "sim-client-id",
        "RINGCENTRAL_CLIENT_SECRET": "sim-client-secret",
        "RINGCENTRAL_JWT": "sim-jwt-supervisor",
        "EVENT_INGESTOR_ROSTER_REFRESH_MS": "1000",
        "EVENT_INGESTOR_HYDRATE_AGAIN_MS": "1000",
        "EVENT_INGESTOR_PING_MS": "60000",
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
                if line["event"] == "websocket_live":
                    break
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def topics(kafka_bootstrap: str, topic_prefix: str):
    written = Topics(kafka_bootstrap, topic_prefix)
    written.view.start()
    yield written
    written.view.stop()


async def test_roster_calls_and_a_cut_socket_that_loses_and_repeats_nothing(topics: Topics):
    async with simulator() as sim, ingestor(sim, topics) as health:
        await until("the roster", lambda: ANN in topics.roster)
        ann = topics.roster[ANN]
        assert ann is not None
        assert (ann.name, ann.extension_number, ann.groups[0].permissions[0]) == ("Agent Ann", "108", "monitored")
        assert DEE not in topics.roster

        call_id = await sim.call(ANN, duration_ms=60_000, holds=[(600, 1_100)])
        await until("the call is answered", lambda: "Answered" in topics.codes(call_id))
        await sim.drop_websockets()
        await until("a new connection", lambda: sim.connected(2))
        await sim.drop_websockets()  # the second reconnection waits: hold may begin and end meanwhile
        await until("the call goes on after the hold", lambda: topics.codes(call_id).count("Answered") == 2)
        await sim.hang_up(call_id)
        await until("the end", lambda: "Disconnected" in topics.codes(call_id))

        assert await sim.ready(health)
        metrics = (await sim.http.get(f"{health}/metrics")).text
        assert 'earshot_ingestor_connections_total{outcome="recovered"} 2.0' in metrics

    assert topics.codes(call_id) == ["Setup", "Proceeding", "Answered", "Hold", "Answered", "Disconnected"]
    events = topics.of(call_id)
    sequences = [event.notification.body.sequence for event in events]
    assert sequences == sorted(sequences)
    assert len({event.event_id for event in events}) == len(events)
    assert {event.source for event in events} == {"websocket"}
    assert {event.notification.body.parties[0].extension_id for event in events} == {ANN}


async def test_what_a_failed_recovery_hid_is_read_by_rest(topics: Topics):
    async with simulator(WS_RECOVERY_TIMEOUT_S="0") as sim:
        before = await sim.call(BEN, duration_ms=60_000)
        await until("the first call is answered", lambda: sim.answered(before))
        async with ingestor(sim, topics) as health:
            await until("a call that began before us", lambda: topics.codes(before) == ["Answered"])
            assert topics.of(before)[0].source == "rest"

            call_id = await sim.call(ANN, duration_ms=60_000)
            await until("the call is answered", lambda: "Answered" in topics.codes(call_id))
            await sim.drop_websockets()
            await until("a new connection", lambda: sim.connected(2))
            await sim.lose_events(share=1.0)
            await sim.hang_up(call_id)
            await sim.drop_websockets()
            await until("the end, by REST", lambda: topics.codes(call_id)[-1] == "Disconnected")
            await sim.lose_events(share=None)
            # REST may have been read before the subscription stood: only then do events come again.
            await until("a third connection", lambda: sim.connected(3))
            await until("its subscription", lambda: sim.ready(health))
            await sim.hang_up(before)
            await until("the other end, by WebSocket again", lambda: topics.codes(before)[-1] == "Disconnected")

    assert topics.codes(call_id) == ["Setup", "Proceeding", "Answered", "Disconnected"]
    last = topics.of(call_id)[-1]
    assert (last.source, last.notification.body.sequence) == ("rest", -1)
    assert [event.source for event in topics.of(before)] == ["rest", "websocket"]


async def test_who_joins_is_watched_and_who_leaves_gets_a_tombstone(topics: Topics):
    async with simulator() as sim:
        async with ingestor(sim, topics):
            group = (await sim.http.get(GROUPS)).json()["records"][0]["id"]
            change = {
                "addedExtensions": [{"id": DEE, "permissions": ["Monitored"]}],
                "removedExtensions": [{"id": ANN}],
            }
            (await sim.http.post(f"{GROUPS}/{group}/bulk-assign", json=change)).raise_for_status()
            await until("Dee", lambda: topics.roster.get(DEE) is not None)
            await until("no Ann", lambda: ANN in topics.roster and topics.roster[ANN] is None)
            hers = await sim.call(DEE, duration_ms=60_000)
            await until("Dee's call", lambda: "Answered" in topics.codes(hers))
            await sim.hang_up(hers)
            await until("its end", lambda: "Disconnected" in topics.codes(hers))
        # What changed while nobody looked: the topic itself says who was there.
        gone = {"removedExtensions": [{"id": DEE}]}
        (await sim.http.post(f"{GROUPS}/{group}/bulk-assign", json=gone)).raise_for_status()
        async with ingestor(sim, topics):
            await until("no Dee", lambda: topics.roster[DEE] is None)


async def test_a_call_that_came_and_went_while_nobody_looked_is_found_in_the_call_log(topics: Topics):
    async with simulator(ACTIVE_CALLS_LINGER_S="0", CALL_LOG_LAG_S="0") as sim:
        async with ingestor(sim, topics):
            seen = await sim.call(ANN, duration_ms=60_000)
            await until("the call is answered", lambda: "Answered" in topics.codes(seen))
        unseen = await sim.call(BEN, duration_ms=60_000)
        await until("the next call is answered", lambda: sim.answered(unseen))
        await sim.hang_up(unseen)
        async with ingestor(sim, topics):
            await until("its account", lambda: topics.codes(unseen) == ["Answered", "Disconnected"])
            await until("the first call goes on", lambda: topics.codes(seen).count("Answered") == 2)
    assert all(event.after_the_fact for event in topics.of(unseen))
    assert not any(event.after_the_fact for event in topics.of(seen))
