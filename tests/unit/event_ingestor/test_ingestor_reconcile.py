"""The list of active calls compared with the events, and the lists of single agents where it is not allowed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.chassis.clock import format_utc
from services.chassis.ringcentral import RingCentralRefused
from services.chassis.testing.fake_clock import FakeClock
from services.event_ingestor.adapters.hydration import Hydrator
from services.event_ingestor.adapters.sessions import ACCOUNT, COMPANY_AGAIN, USERS_A_READING, Listing, Sessions
from services.event_ingestor.domain.calls import Party
from tests.unit.event_ingestor.test_ingestor_rest import ACTIVE, AGENTS, SESSION, Hydration, ScriptedRest, session

GUARD_MS = 15_000


class Floor(Hydration):
    """A hydrator that reconciles by a clock of the test's."""

    def __init__(self, *listed: dict[str, Any], **replies: Any) -> None:
        super().__init__({ACTIVE: {"records": list(listed)}, SESSION: session("Answered")} | replies)
        self.clock = FakeClock()
        self.hydrator = Hydrator(
            Sessions(self.rest.client()), self.events, self.calls, watched=lambda: AGENTS, again_ms=0, settle_s=0,
            age_guard_ms=GUARD_MS, clock=self.clock,
        )  # fmt: skip

    def started(self, ago_ms: int) -> str:
        return format_utc(self.clock.now() - timedelta(milliseconds=ago_ms))

    def list(self, *records: dict[str, Any]) -> None:
        self.rest.replies[ACTIVE] = {"records": list(records)}

    def heard(self, code: str, ago_ms: int) -> None:
        party = Party(party_id="p-1-2", extension_id="301", account_id="700", code=code)
        self.calls.observe("s-1", [party], int(self.clock.monotonic_s() * 1000) - ago_ms)

    async def reads(self) -> list[str]:
        """Sessions that one comparison reads."""
        before = len(self.rest.asked)
        await self.hydrator.reconcile()
        return [path for path in self.rest.asked[before:] if "sessions" in path]


def record(start: str = "") -> dict[str, Any]:
    return {"telephonySessionId": "s-1", "extension": {"id": 301}} | ({"startTime": start} if start else {})


async def test_a_listed_call_nobody_told_of_is_read_once_it_is_past_the_guard():
    floor = Floor()
    floor.list(record(floor.started(GUARD_MS - 1)))
    assert await floor.reads() == []
    floor.list(record(floor.started(GUARD_MS)))
    assert await floor.reads() == [SESSION]
    assert floor.calls.code("s-1", "p-1-2") == "Answered"
    assert await floor.reads() == []


async def test_one_whose_age_is_unknown_is_read_when_it_is_listed_a_second_time():
    floor = Floor()
    floor.list(record())
    assert await floor.reads() == []
    assert await floor.reads() == [SESSION]


async def test_a_known_call_that_is_listed_is_left_alone():
    floor = Floor()
    floor.heard("Answered", GUARD_MS * 10)
    floor.list(record(floor.started(GUARD_MS * 10)))
    assert await floor.reads() == []


async def test_an_open_call_that_the_list_does_not_name_is_read_once_it_was_quiet_for_the_guard():
    floor = Floor()
    floor.heard("Answered", GUARD_MS - 1)
    assert await floor.reads() == []
    floor.heard("Hold", GUARD_MS)
    floor.rest.replies[SESSION] = RingCentralRefused(404, "CMN-102")
    assert await floor.reads() == [SESSION]
    assert floor.calls.open() == []


async def test_a_refused_comparison_waits_for_the_next():
    floor = Floor()
    floor.rest.replies[ACTIVE] = RingCentralRefused(403, "CMN-408")
    floor.rest.replies[f"{ACCOUNT}/extension/301/active-calls"] = RingCentralRefused(403, "CMN-408")
    floor.heard("Answered", GUARD_MS)
    assert await floor.reads() == []  # no list covers the agent, so nothing follows from its silence


def test_single_agents_lists_are_read_a_few_at_a_time_those_longest_unread_first():
    agents = frozenset(str(300 + n) for n in range(2 * USERS_A_READING))
    lists = {f"{ACCOUNT}/extension/{agent}/active-calls": {"records": []} for agent in agents}
    rest = ScriptedRest({ACTIVE: RingCentralRefused(403, "CMN-408"), **lists})
    sessions = Sessions(rest.client())
    first, second, third = (sessions.active(agents).covered for _ in range(3))
    assert len(first) == len(second) == USERS_A_READING
    assert first | second == agents
    assert third == first
    assert rest.asked.count(ACTIVE) == 1
    for _ in range(COMPANY_AGAIN):
        sessions.active(agents)
    assert rest.asked.count(ACTIVE) == 2
    rest.replies[ACTIVE] = {"records": []}
    readings = [sessions.active(agents) for _ in range(COMPANY_AGAIN + 1)]
    assert readings[-1] == Listing((), agents)


def test_an_agent_whose_list_is_refused_keeps_nobody_from_a_turn():
    agents = frozenset(str(300 + n) for n in range(USERS_A_READING + 1))
    lists = {f"{ACCOUNT}/extension/{agent}/active-calls": {"records": []} for agent in sorted(agents)[1:]}
    sessions = Sessions(ScriptedRest({ACTIVE: RingCentralRefused(403, "CMN-408"), **lists}).client())
    covered = [sessions.active(agents).covered for _ in range(2)]
    assert covered[0] | covered[1] == agents - {"300"}
