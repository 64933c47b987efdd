from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.topics import TELEPHONY_EVENTS
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.sessions import parties_of
from services.event_ingestor.domain.calls import KnownCalls, Party
from services.event_ingestor.domain.dedupe import Seen

EXAMPLE = Path(__file__).parents[3] / "schemas" / "examples" / "telephony-event.json"


def notification(uuid: str = "u1", code: str = "Answered", **body: Any) -> bytes:
    example = orjson.loads(EXAMPLE.read_bytes())["notification"]
    example["uuid"] = uuid
    example["body"] |= body
    example["body"]["parties"][0]["status"]["code"] = code
    return orjson.dumps(example)


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def calls() -> KnownCalls:
    return KnownCalls()


@pytest.fixture
def events(publisher: FakePublisher, calls: KnownCalls) -> EventPublisher:
    return EventPublisher(publisher, calls=calls, seen=Seen(), clock=FakeClock(), topic_prefix="t.")


def test_a_notification_is_published_as_it_came(events: EventPublisher, publisher: FakePublisher):
    raw = notification(novelty={"kept": [1, 2.50]}).replace(b'"novelty"', b'  "novelty"')
    events.notification(raw)
    [message] = publisher.messages
    assert message.key == "s-a0d7f1c2z19a"
    assert message.event_id == "u1"
    assert message.value is not None
    assert raw in message.value
    [record] = publisher.records(TELEPHONY_EVENTS)
    assert (record.source, record.notification.body.sequence) == ("websocket", 8)


def test_a_repeated_notification_is_dropped(events: EventPublisher, publisher: FakePublisher):
    for uuid in ("u1", "u2", "u1", "u2"):
        events.notification(notification(uuid))
    assert [message.event_id for message in publisher.messages] == ["u1", "u2"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{not json", "bad_json"),
        (b"[]", "bad_record"),
        (b'{"event":"x"}', "bad_record"),
        (notification().replace(b'"parties":[', b'"parties":[5,'), "bad_record"),
        (notification().replace(b'"sequence":8', b'"sequence":"8"'), "bad_record"),
    ],
)
def test_a_malformed_notification_is_dead_lettered_and_the_stream_goes_on(
    events: EventPublisher, publisher: FakePublisher, raw: bytes, reason: str
):
    events.notification(raw)
    events.notification(notification("u9"))
    [(origin, poison)] = publisher.dead_letters
    assert (origin.topic, origin.value, poison.reason) == ("t.telephony.events.v1", raw, reason)
    assert [message.event_id for message in publisher.messages] == ["u9"]


def test_a_rest_snapshot_looks_like_a_notification_without_sequence(events: EventPublisher, publisher: FakePublisher):
    raw = {
        "id": "p-1-2",
        "owner": {"accountId": "700", "extensionId": "301"},
        "status": {"code": "Hold", "novelty": 1},
        "attributes": {"queueCall": True},
        "direction": "Inbound",
    }
    session = {"id": "s-1", "origin": {"type": "Call"}, "parties": [raw, {"id": "p-1-1", "status": {"code": "Hold"}}]}
    [(party, found)] = parties_of(session, frozenset({"301"}))
    events.session_party(session, found, party)
    [record] = publisher.records(TELEPHONY_EVENTS)
    body = record.notification.body
    assert (record.source, body.sequence, body.telephony_session_id) == ("rest", -1, "s-1")
    assert (body.parties[0].extension_id, body.parties[0].status.code) == ("301", "Hold")
    assert body.parties[0].queue_call
    assert record.notification.event == "/restapi/v1.0/account/700/extension/301/telephony/sessions"
    assert b"novelty" in (publisher.messages[0].value or b"")


def party(code: str, party_id: str = "p-1-2") -> Party:
    return Party(party_id=party_id, extension_id="301", account_id="700", code=code)


def test_only_what_differs_from_the_events_is_news(calls: KnownCalls):
    calls.observe("s-1", [party("Answered")])
    assert calls.news("s-1", [party("Answered"), party("Disconnected", "p-1-3")]) == []
    assert calls.news("s-1", [party("Hold"), party("Proceeding", "p-1-3")]) == [
        party("Hold"),
        party("Proceeding", "p-1-3"),
    ]


def test_a_call_that_vanished_has_ended_for_those_still_there(calls: KnownCalls):
    calls.observe("s-1", [party("Answered"), party("Disconnected", "p-1-3")])
    assert calls.open() == ["s-1"]
    assert calls.vanished("s-1") == [party("Disconnected")]
    calls.observe("s-1", [party("Disconnected")])
    assert (calls.open(), calls.vanished("s-1"), calls.changes("s-1")) == ([], [], 2)


def test_known_calls_are_bounded():
    calls = KnownCalls(limit=3)
    for number in range(10):
        calls.observe(f"s-{number}", [party("Answered")])
    assert calls.open() == ["s-7", "s-8", "s-9"]
