"""The REST readings, against a client whose replies are scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from services.chassis.consumer import Incoming
from services.chassis.ringcentral import RingCentralRefused
from services.chassis.ringcentral.extensions import EXTENSIONS
from services.chassis.ringcentral.groups import GROUPS
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import MONITORING_ROSTER, TELEPHONY_EVENTS
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.hydration import Hydrator
from services.event_ingestor.adapters.roster_source import RosterSource
from services.event_ingestor.adapters.roster_topic import StoredRoster, publish_roster
from services.event_ingestor.adapters.sessions import ACCOUNT, Listed, Listing, Sessions
from services.event_ingestor.domain.calls import KnownCalls, Party
from services.event_ingestor.domain.dedupe import Seen
from services.event_ingestor.domain.roster import diff, monitored
from tests.support.scripted_rest import ScriptedRest

AGENTS = frozenset({"301"})
ACTIVE = f"{ACCOUNT}/active-calls"
SESSION = f"{ACCOUNT}/telephony/sessions/s-1"


def company() -> ScriptedRest:
    return ScriptedRest(
        {
            GROUPS: {"records": [{"id": 31, "name": "Desk A"}, {"id": "32", "name": "Deleted meanwhile"}]},
            f"{GROUPS}/31/members": {
                "records": [
                    {"id": "301", "extensionNumber": "108", "permissions": ["Monitoring", "Monitored"]},
                    {"id": 300, "permissions": ["Monitoring"]},
                ]
            },
            EXTENSIONS: {"records": [{"id": 301, "name": "Agent Ann"}]},
        }
    )


def test_the_roster_with_names_and_ids_as_text():
    source = RosterSource(company().client(), FakeClock())
    roster = source.read()
    assert (sorted(roster), monitored(roster), roster["301"].name) == (["300", "301"], {"301"}, "Agent Ann")
    assert source.requests == 4


def test_names_are_read_once_and_their_absence_stops_nothing():
    rest = company()
    rest.replies[EXTENSIONS] = RingCentralRefused(403, "CMN-408")
    source = RosterSource(rest.client(), FakeClock())
    assert source.read()["301"].name == ""
    source.read()
    assert rest.asked.count(EXTENSIONS) == 1


def test_a_refused_reading_is_no_empty_roster():
    rest = company()
    rest.replies[f"{GROUPS}/31/members"] = RingCentralRefused(503)
    source = RosterSource(rest.client(), FakeClock())
    with pytest.raises(RingCentralRefused):
        source.read()


def test_the_roster_topic_gets_entries_and_tombstones():
    publisher, clock = FakePublisher(), FakeClock()
    roster = RosterSource(company().client(), clock).read()
    changed, left = diff({}, roster)
    publish_roster(publisher, changed, left, clock)
    publish_roster(publisher, [], ["300"], clock)
    assert [(m.key, m.value is None) for m in publisher.messages] == [("300", False), ("301", False), ("300", True)]
    [_, ann] = publisher.records(MONITORING_ROSTER)
    assert (ann.extension_number, ann.groups[0].permissions) == ("108", ("monitored", "monitoring"))


def test_what_the_topic_holds_is_read_back_as_it_was_written():
    publisher, clock, stored = FakePublisher(), FakeClock(), StoredRoster()
    roster = RosterSource(company().client(), clock).read()
    publish_roster(publisher, roster.values(), [], clock)
    for offset, message in enumerate(publisher.messages):
        stored.take(
            Incoming(
                topic=MONITORING_ROSTER,
                full_name="x",
                partition=0,
                offset=offset,
                key=message.key,
                value=message.value,
                headers=(),
                timestamp_ms=0,
            )
        )
    assert stored.entries == roster


def test_active_calls_of_the_watched_from_the_company_list():
    records = [
        {"telephonySessionId": "s-1", "extension": {"id": 301}},
        {"telephonySessionId": "s-2", "extension": {"id": 999}},
        {"telephonySessionId": "s-3", "extension": {"id": 999}, "to": {"extensionId": "301"}},
        {"telephonySessionId": "s-4"},
        {"telephonySessionId": "s-1", "extension": {"id": 301}},
        {"sessionId": "5"},
    ]
    rest = ScriptedRest({ACTIVE: {"records": records}})
    assert [one.call_id for one in Sessions(rest.client()).active(AGENTS).calls] == ["s-1", "s-3", "s-4"]


def test_active_calls_extension_by_extension_where_the_company_list_is_not_allowed():
    own = f"{ACCOUNT}/extension/301/active-calls"
    rest = ScriptedRest(
        {
            ACTIVE: RingCentralRefused(403, "CMN-408"),
            own: {"records": [{"telephonySessionId": "s-1", "extension": {"id": 301}}]},
        }
    )
    assert Sessions(rest.client()).active(AGENTS) == Listing((Listed("s-1"),), AGENTS)


class Hydration:
    """A Hydrator over scripted REST, with what it published."""

    def __init__(self, replies: Mapping[str, Any]) -> None:
        self.publisher, self.calls, self.rest = FakePublisher(), KnownCalls(), ScriptedRest(replies)
        self.events = EventPublisher(
            self.publisher, calls=self.calls, seen=Seen(), clock=FakeClock(), topic_prefix="t."
        )
        self.hydrator = Hydrator(
            Sessions(self.rest.client()), self.events, self.calls, watched=lambda: AGENTS, again_ms=0, settle_s=0
        )

    async def run(self) -> list[tuple[str, str]]:
        await self.hydrator.hydrate()
        records = self.publisher.records(TELEPHONY_EVENTS)
        return [(r.notification.body.telephony_session_id, r.notification.body.parties[0].status.code) for r in records]


def session(code: str) -> dict[str, Any]:
    agent = {"id": "p-1-2", "extensionId": "301", "accountId": "700", "status": {"code": code}}
    return {"id": "s-1", "parties": [{"id": "p-1-1", "status": {"code": "Answered"}}, agent]}


def known(code: str) -> Party:
    return Party(party_id="p-1-2", extension_id="301", account_id="700", code=code)


ONE_CALL = {"records": [{"telephonySessionId": "s-1", "extension": {"id": 301}}]}


async def test_hydration_publishes_a_call_that_no_event_told_of_once():
    hydration = Hydration({ACTIVE: ONE_CALL, SESSION: session("Answered")})
    assert await hydration.run() == [("s-1", "Answered")]
    assert await hydration.run() == [("s-1", "Answered")]


async def test_hydration_finds_the_change_and_the_end_that_a_gap_hid():
    hydration = Hydration({ACTIVE: ONE_CALL, SESSION: session("Hold")})
    hydration.calls.observe("s-1", [known("Answered")])
    assert await hydration.run() == [("s-1", "Hold")]
    hydration.rest.replies = {ACTIVE: {"records": []}}
    assert await hydration.run() == [("s-1", "Hold"), ("s-1", "Disconnected")]
    assert hydration.calls.open() == []


async def test_a_reading_that_an_event_overtook_is_repeated():
    hydration = Hydration({ACTIVE: ONE_CALL})
    answers = [session("Answered"), session("Disconnected")]

    def read() -> dict[str, Any]:
        if len(answers) == 2:
            hydration.calls.observe("s-1", [known("Disconnected")])
        return answers.pop(0)

    hydration.rest.replies[SESSION] = read
    assert await hydration.run() == []


async def test_known_calls_are_read_where_active_calls_may_not_be_listed():
    own = f"{ACCOUNT}/extension/301/active-calls"
    hydration = Hydration({ACTIVE: RingCentralRefused(403), own: RingCentralRefused(403), SESSION: session("Hold")})
    hydration.calls.observe("s-1", [known("Answered")])
    assert await hydration.run() == [("s-1", "Hold")]


OVER = {"telephonySessionId": "s-1", "partyId": "p-1-2", "extension": {"id": 301}}


async def test_a_call_that_came_and_went_unheard_is_published_as_ended_once():
    hydration = Hydration({ACTIVE: {"records": [OVER]}})
    assert await hydration.run() == [("s-1", "Disconnected")]
    assert await hydration.run() == [("s-1", "Disconnected")]


async def test_the_end_of_a_call_that_was_heard_is_not_told_again_by_the_list():
    hydration = Hydration({ACTIVE: {"records": [OVER]}})
    hydration.calls.observe("s-1", [known("Disconnected")])
    assert await hydration.run() == []


async def test_a_supervisors_own_party_in_the_list_is_no_call():
    hydration = Hydration({ACTIVE: {"records": [{**OVER, "action": "Monitoring"}]}})
    assert await hydration.run() == []


async def test_an_agent_who_has_left_unheard_is_told_of_where_the_call_goes_on():
    hydration = Hydration({ACTIVE: ONE_CALL, SESSION: session("Disconnected")})
    assert await hydration.run() == [("s-1", "Disconnected")]


async def test_calls_nobody_has_heard_of_are_read_first():
    records = [{"telephonySessionId": f"s-{n}", "extension": {"id": 301}} for n in (1, 2)]
    hydration = Hydration({ACTIVE: {"records": records}})
    hydration.calls.observe("s-1", [known("Answered")])
    await hydration.run()
    assert [path for path in hydration.rest.asked if "sessions" in path] == [f"{SESSION[:-1]}2", SESSION]


async def test_active_calls_are_read_while_no_events_come_and_only_then():
    read, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> dict[str, Any]:
        loop.call_soon_threadsafe(read.set)
        return session("Answered")

    hydration = Hydration({ACTIVE: ONE_CALL, SESSION: tell})
    answers = [False, True]
    hydrator = Hydrator(
        Sessions(hydration.rest.client()), hydration.events, hydration.calls, watched=lambda: AGENTS, again_ms=0,
        settle_s=0, deaf=lambda: answers.pop(0) if answers else False, poll_ms=1,
    )  # fmt: skip
    task = asyncio.create_task(hydrator.run())
    async with asyncio.timeout(10):
        await read.wait()
    task.cancel()
    assert (answers, hydration.rest.asked) == ([], [ACTIVE, SESSION])


@pytest.mark.parametrize("deaf", [True, False])
async def test_known_calls_do_not_hold_up_the_next_look_at_the_list(deaf: bool):
    """While no events come, or when a new subscription has asked for it: calls may have begun meanwhile."""
    records = [{"telephonySessionId": f"s-{n}", "extension": {"id": 301}} for n in range(30)]
    hydration = Hydration({ACTIVE: {"records": records}})
    for record in records:
        hydration.calls.observe(record["telephonySessionId"], [known("Answered")])
    hydrator = Hydrator(
        Sessions(hydration.rest.client()), hydration.events, hydration.calls, watched=lambda: AGENTS, again_ms=0,
        settle_s=0, deaf=lambda: deaf,
    )  # fmt: skip
    if not deaf:
        hydrator.request()
    assert await hydrator.hydrate()
    assert len(hydration.rest.asked) == 1 + 10
