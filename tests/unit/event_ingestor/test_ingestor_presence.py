"""Presence notifications: what they call into question, and what becomes of it."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from services.chassis.errors import Poison
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import TELEPHONY_EVENTS
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.hydration import Hydrator
from services.event_ingestor.adapters.presence import PresenceReader
from services.event_ingestor.adapters.sessions import Listed
from services.event_ingestor.domain.calls import KnownCalls, Party
from services.event_ingestor.domain.dedupe import Seen
from services.event_ingestor.domain.presence import doubts, parse

EVENT = "/restapi/v1.0/account/700/extension/301/presence?detailedTelephonyState=true"


def call(status: str, call_id: str = "s-1", **changes: Any) -> dict[str, Any]:
    return {
        "telephonySessionId": call_id, "partyId": f"{call_id.replace('s', 'p')}-2", "telephonyStatus": status,
        "direction": "Inbound", "from": "+15550100111", **changes,
    }  # fmt: skip


def told(*calls: dict[str, Any], uuid: str = "u1", event: str = EVENT, **body: Any) -> bytes:
    under_way = sum(one["telephonyStatus"] != "NoCall" for one in calls)
    whole = {"extensionId": "301", "sequence": 9, "activeCalls": list(calls), "totalActiveCalls": under_way} | body
    return orjson.dumps({"uuid": uuid, "event": event, "timestamp": "2026-03-02T15:04:05.193Z", "body": whole})


def knowing(**codes: str) -> KnownCalls:
    """Calls of which the extension's party, -2, has this status."""
    known = KnownCalls()
    for name, code in codes.items():
        party = Party(party_id=f"p-{name[1:]}-2", extension_id="301", account_id="700", code=code)
        known.observe(f"s-{name[1:]}", [party])
    return known


@pytest.mark.parametrize(
    ("status", "known", "doubted"),
    [
        ("Ringing", knowing(), ["s-1"]),
        ("Ringing", knowing(s1="Setup"), []),
        ("Ringing", knowing(s1="Proceeding"), []),
        ("CallConnected", knowing(s1="Proceeding"), ["s-1"]),
        ("CallConnected", knowing(s1="Answered"), []),
        ("CallConnected", knowing(s1="Hold"), ["s-1"]),
        ("OnHold", knowing(s1="Answered"), ["s-1"]),
        ("OnHold", knowing(s1="Hold"), []),
        ("ParkedCall", knowing(s1="Answered"), ["s-1"]),
        ("NoCall", knowing(s1="Answered"), ["s-1"]),
        ("NoCall", knowing(s1="Disconnected"), []),
        ("NoCall", knowing(), ["s-1"]),
        ("SomethingNew", knowing(s1="Answered"), ["s-1"]),
    ],
)
def test_only_what_contradicts_the_known_state_is_read(status: str, known: KnownCalls, doubted: list[str]):
    assert [doubt.call_id for doubt in doubts(parse(told(call(status))), known)] == doubted


def test_an_open_call_that_a_complete_list_does_not_name_is_in_doubt():
    known = knowing(s1="Answered", s2="Hold")
    assert [one.call_id for one in doubts(parse(told(call("OnHold", "s-2"))), known)] == ["s-1"]
    assert [one.call_id for one in doubts(parse(told()), known)] == ["s-1", "s-2"]
    # More calls are under way than the list holds: what it does not name says nothing.
    assert doubts(parse(told(call("OnHold", "s-2"), totalActiveCalls=8)), known) == []


def test_a_notification_that_does_not_speak_of_calls_says_nothing():
    assert doubts(parse(told(activeCalls=None, dndStatus="TakeAllCalls")), knowing(s1="Answered")) == []


def test_a_call_without_an_id_is_left_out_and_the_list_is_not_complete():
    presence = parse(told(call("Ringing", telephonySessionId=None)))
    assert (presence.calls, presence.complete) == ((), False)


@pytest.mark.parametrize(
    "raw",
    [b"{no", b"[]", told(event="/restapi/v1.0/account/700/extension/301/telephony/sessions"), told(uuid=""),
     told(activeCalls=5)],
)  # fmt: skip
def test_what_is_no_presence_is_poison(raw: bytes):
    with pytest.raises(Poison):
        parse(raw)


class Reading(Hydrator):
    """Notes what is read instead of reading it."""

    def __init__(self) -> None:
        self.read: asyncio.Queue[tuple[str, Listed | None, str]] = asyncio.Queue()

    async def settle(self, call_id: str, listed: Listed | None, *, source: str = "rest") -> int:
        self.read.put_nowait((call_id, listed, source))
        return 1


class Stage:
    """A reader of presence with what it publishes and reads."""

    def __init__(self, known: KnownCalls) -> None:
        self.publisher, self.hydrator = FakePublisher(), Reading()
        events = EventPublisher(self.publisher, calls=known, seen=Seen(), clock=FakeClock(), topic_prefix="t.")
        self.reader = PresenceReader(
            events, known, self.hydrator, seen=Seen(), clock=FakeClock(), watched=lambda: frozenset({"301"})
        )

    async def reads(self, count: int) -> list[tuple[str, Listed | None, str]]:
        """The next readings; the reader stops then."""
        task = asyncio.create_task(self.reader.run())
        async with asyncio.timeout(10):
            found = [await self.hydrator.read.get() for _ in range(count)]
        task.cancel()
        assert self.hydrator.read.empty()
        return found


async def test_several_notifications_of_one_call_are_one_reading():
    stage = Stage(knowing())
    for number, status in enumerate(("Ringing", "Ringing", "CallConnected")):
        stage.reader.take(told(call(status), uuid=f"u{number}"))
    stage.reader.take(told(call("Ringing", "s-2"), uuid="u9", totalActiveCalls=2))
    stage.reader.take(told(call("Ringing", "s-3"), uuid="u9"))  # a uuid that was seen
    stage.reader.take(told(call("Ringing", "s-4"), uuid="u10", event=EVENT.replace("301", "999")))
    ended = Party(party_id="p-1-2", extension_id="301", account_id="700", code="Disconnected")
    [first, second] = await stage.reads(2)
    assert first == ("s-1", Listed("s-1", (ended,)), "presence")
    assert second[0] == "s-2"
    assert stage.publisher.messages == []


async def test_what_cannot_be_read_is_dead_lettered_as_it_came():
    stage = Stage(knowing())
    stage.reader.take(b"{no")
    [(origin, poison)] = stage.publisher.dead_letters
    assert (origin.topic, origin.value, poison.reason) == (f"t.{TELEPHONY_EVENTS.name}", b"{no", "bad_presence")
