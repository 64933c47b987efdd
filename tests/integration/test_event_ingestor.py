"""The ingestor as a process, between the RingCentral simulator and the broker."""

from __future__ import annotations

import pytest

from tests.support.ingestor_process import ANN, BEN, DEE, Topics, ingestor, simulator, until

GROUPS = "/restapi/v1.0/account/~/call-monitoring-groups"
pytestmark = pytest.mark.timeout(300)


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
