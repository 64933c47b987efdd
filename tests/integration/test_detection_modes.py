"""The ingestor's further ways to detect calls, as a process between the RingCentral simulator and the broker."""

from __future__ import annotations

import socket

import confluent_kafka
import httpx
import pytest

from services.contracts.topics import TELEPHONY_EVENTS
from tests.support.ingestor_process import ANN, BEN, CLEO, DAN, Simulator, Topics, ingestor, simulator, until

SECRET = "a-verification-token-for-tests"
RENEWED = 'earshot_ingestor_webhook_subscriptions_total{step="renewed"}'
SUBSCRIPTIONS = "/restapi/v1.0/subscription"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def topics(kafka_bootstrap: str, topic_prefix: str):
    written = Topics(kafka_bootstrap, topic_prefix)
    written.view.start()
    yield written
    written.view.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


async def subscriptions(sim: Simulator) -> list[dict[str, object]]:
    """Those of the supervisor."""
    return list((await sim.http.get(SUBSCRIPTIONS)).json()["records"])


async def an_answered_call(sim: Simulator, topics: Topics, agent: str) -> str:
    call_id = await sim.call(agent, duration_ms=60_000)
    await until("the call is answered", lambda: "Answered" in topics.codes(call_id))
    return call_id


async def test_webhooks_bring_calls_and_their_subscription_is_looked_after(topics: Topics):
    port = free_port()
    url = f"http://127.0.0.1:{port}/hooks/ringcentral"
    settings = {
        "MODE": "webhook", "WEBHOOK_URL": url, "WEBHOOK_PORT": str(port), "WEBHOOK_VERIFICATION_TOKEN": SECRET,
        "WEBHOOK_CHECK_MS": "300", "WEBHOOK_HOST": "127.0.0.1", "RECONCILE_MS": "0",
    }  # fmt: skip
    async with simulator(RATE_LIGHT="1000") as sim, httpx.AsyncClient(trust_env=False) as other:
        async with ingestor(sim, topics, **settings) as health:
            call_id = await an_answered_call(sim, topics, ANN)
            await sim.hang_up(call_id)
            await until("its end", lambda: "Disconnected" in topics.codes(call_id))
            assert topics.codes(call_id) == ["Setup", "Proceeding", "Answered", "Disconnected"]
            assert {event.source for event in topics.of(call_id)} == {"webhook"}
            [first] = await subscriptions(sim)

            forged = await other.post(url, json={"uuid": "forged"}, headers={"Verification-Token": "guess"})
            broken = await other.post(url, content=b"{no json", headers={"Verification-Token": SECRET})
            assert (forged.status_code, broken.status_code) == (401, 200)

            await sim.fault(blacklist_webhooks=True)
            await until("one that is not suspended", lambda: stands(sim, other_than=first["id"]))
            [second] = await subscriptions(sim)
            await sim.fault(expire_webhooks=True)
            await until("one that has not expired", lambda: stands(sim, other_than=second["id"]))
            await until("ready again", lambda: sim.ready(health))
            await an_answered_call(sim, topics, BEN)
            [third] = await subscriptions(sim)
        # It outlives the process: the next one takes it over.
        async with ingestor(sim, topics, **settings, WEBHOOK_LIFETIME_S="4") as health:
            assert [one["id"] for one in await subscriptions(sim)] == [third["id"]]
            await until("it is renewed", lambda: sim.counted(health, RENEWED))
            await an_answered_call(sim, topics, CLEO)
    assert dead_letters(topics) == [b"{no json"]


async def stands(sim: Simulator, *, other_than: object) -> bool:
    found = await subscriptions(sim)
    return len(found) == 1 and found[0]["id"] != other_than and found[0]["status"] == "Active"


def dead_letters(topics: Topics) -> list[bytes | None]:
    """What stands on the dead-letter topic of telephony events."""
    options = {**topics.settings.kafka_options(), "group.id": "none", "enable.auto.commit": False}
    reader = confluent_kafka.Consumer(options)
    name = f"{topics.settings.topic_prefix}{TELEPHONY_EVENTS.name}.dlq"
    try:
        partitions = reader.list_topics(name, timeout=30).topics[name].partitions
        ends = {
            p: reader.get_watermark_offsets(confluent_kafka.TopicPartition(name, p), timeout=30) for p in partitions
        }
        reader.assign([confluent_kafka.TopicPartition(name, p, low) for p, (low, _) in ends.items()])
        wanted, found = sum(high - low for low, high in ends.values()), []
        while len(found) < wanted:
            message = reader.poll(30)
            assert message is not None
            assert message.error() is None
            found.append(message.value())
        return found
    finally:
        reader.close()


async def test_presence_events_lead_to_calls_that_are_read_by_rest(topics: Topics):
    settings = {"MODE": "presence", "RECONCILE_MS": "0", "HYDRATE_AGAIN_MS": "0"}
    async with simulator(RATE_LIGHT="1000") as sim, ingestor(sim, topics, **settings) as health:
        call_id = await sim.call(ANN, duration_ms=90_000, holds=[(1_000, 80_000)])
        await until("the hold", lambda: "Hold" in topics.codes(call_id))
        await sim.hang_up(call_id)
        await until("the end", lambda: topics.codes(call_id)[-1] == "Disconnected")
        metrics = (await sim.http.get(f"{health}/metrics")).text
        assert 'earshot_ingestor_presence_total{outcome="change"}' in metrics
    codes = topics.codes(call_id)
    assert codes[-2:] == ["Hold", "Disconnected"]
    assert set(codes[:-2]) <= {"Setup", "Proceeding", "Answered"}
    assert len(set(codes)) == len(codes)
    assert {event.source for event in topics.of(call_id)} == {"presence"}
    assert {event.notification.body.sequence for event in topics.of(call_id)} == {-1}
    assert {event.notification.body.parties[0].extension_id for event in topics.of(call_id)} == {ANN}


async def test_filters_over_several_connections_and_events_that_were_lost(topics: Topics):
    settings = {"RECONCILE_MS": "500", "AGE_GUARD_MS": "0", "HYDRATE_AGAIN_MS": "0"}
    limits = {"RATE_HEAVY": "1000", "RATE_LIGHT": "1000", "ACTIVE_CALLS_LINGER_S": "0", "MAX_FILTERS": "2"}
    async with simulator(**limits) as sim, ingestor(sim, topics, **settings) as health:
        await until("two connections with a subscription each", lambda: sim.subscribed(2))
        await until("ready", lambda: sim.ready(health))
        calls = [await an_answered_call(sim, topics, agent) for agent in (ANN, BEN, CLEO, DAN)]
        assert all("websocket" in {event.source for event in topics.of(call_id)} for call_id in calls)

        await sim.lose_events(share=1.0)
        await sim.hang_up(calls[0])
        unheard = await sim.call(ANN, duration_ms=60_000)
        await until("the end nobody told of", lambda: topics.codes(calls[0])[-1] == "Disconnected")
        await until("the call nobody told of", lambda: len(topics.of(unheard)) > 0)
    assert topics.of(calls[0])[-1].source == "rest"
    assert {event.source for event in topics.of(unheard)} == {"rest"}
