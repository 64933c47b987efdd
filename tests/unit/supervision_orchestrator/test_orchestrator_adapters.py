"""Between records and inputs, REST and refusals, topics and the floor."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.chassis.consumer import Incoming
from services.chassis.errors import Poison
from services.chassis.ringcentral import RingCentralRefused
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts import topics
from services.supervision_orchestrator.adapters.floor_view import FloorView
from services.supervision_orchestrator.adapters.incoming import inbox_inputs, leg_inputs, telephony_inputs
from services.supervision_orchestrator.adapters.outgoing import publish_step
from services.supervision_orchestrator.adapters.ringcentral_api import RingCentralSuperviseApi
from services.supervision_orchestrator.domain.admission import Booking, Wanting, choose
from services.supervision_orchestrator.domain.call import CallState
from services.supervision_orchestrator.domain.effects import PublishStep
from services.supervision_orchestrator.domain.floor import Reserved, Supervisor
from services.supervision_orchestrator.domain.inputs import (
    LegGap,
    ReadFailed,
    ReadParty,
    SuperviseRefused,
    TelephonyPartyChanged,
)
from services.supervision_orchestrator.domain.policy import Policy
from services.supervision_orchestrator.domain.ports import Refused
from services.supervision_orchestrator.domain.rules import Rules
from services.supervision_orchestrator.domain.timers import Timers
from tests.support.call_bench import at

CALL = "s-a1"
AT = "2026-03-02T15:04:05.120Z"


class FakeRest:
    """Answers or refuses; keeps what was asked."""

    def __init__(self, answer: dict[str, Any] | RingCentralRefused) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []

    def get(self, path: str, query: Any = None) -> dict[str, Any]:
        return self.post(path)

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        self.asked.append((path, body))
        if isinstance(self.answer, RingCentralRefused):
            raise self.answer
        return self.answer


def notification(**party: Any) -> bytes:
    body = {
        "sequence": 8,
        "telephonySessionId": CALL,
        "eventTime": AT,
        "parties": [{"id": "p-a1-2", "status": {"code": "Answered"}, "extensionId": "7", **party}],
    }
    told = {"uuid": "u1", "event": "e", "timestamp": AT, "body": body}
    return orjson.dumps({"event_id": "u1", "source": "websocket", "received_at": AT, "notification": told})


def test_notification_becomes_one_input_a_party() -> None:
    (change,) = telephony_inputs(CALL, notification(direction="Inbound", queueCall=True))

    assert isinstance(change, TelephonyPartyChanged)
    assert (change.sequence, change.party_id, change.code, change.extension_id) == (8, "p-a1-2", "Answered", "7")
    assert (change.direction, change.queue_call) == ("Inbound", True)


def test_peer_of_a_party_that_is_gone_is_found_in_either_field() -> None:
    for peer in ({"telephonySessionId": "s-b2", "sessionId": "5"}, {"sessionId": "s-b2"}):
        (change,) = telephony_inputs(CALL, notification(status={"code": "Gone", "peerId": peer}))
        assert isinstance(change, TelephonyPartyChanged)
        assert change.peer_call_id == "s-b2"


def test_record_under_another_calls_key_is_poison() -> None:
    with pytest.raises(Poison, match="wrong_key"):
        telephony_inputs("s-other", notification())


@pytest.mark.parametrize("queue", ["", "62001"])
def test_a_request_tells_the_media_gateway_the_queue(queue: str) -> None:
    publisher = FakePublisher()
    step = PublishStep(type="requested", at=at(0), mode="party", party_id="p-a1-2", role="agent", queue_id=queue)

    publish_step(publisher, CallState(call_id=CALL), step)

    (record,) = publisher.records(topics.SUPERVISION_EVENTS)
    assert (record.type, record.party_id, record.queue_id) == ("requested", "p-a1-2", queue)


def test_refusals_of_readings_and_of_requests_are_told_apart() -> None:
    def reply(reply_id: str) -> bytes:
        return orjson.dumps({"reply_id": reply_id, "call_id": CALL, "kind": "refused", "at": AT, "status": 503})

    assert isinstance(inbox_inputs(CALL, reply(f"{CALL}:read:1"))[0], ReadFailed)
    assert isinstance(inbox_inputs(CALL, reply(f"{CALL}:session:1"))[0], SuperviseRefused)


def test_gap_of_a_leg() -> None:
    raw = {"event_id": "e", "call_id": CALL, "leg_id": "l", "type": "gap", "at": AT, "gap_ms": 40, "media_time_ms": 9}

    (gap,) = leg_inputs(CALL, orjson.dumps(raw))

    assert isinstance(gap, LegGap)
    assert (gap.gap_ms, gap.media_time_ms) == (40, 9)


def test_party_request_names_device_agent_and_mode() -> None:
    rest = FakeRest({"id": "p-a1-3"})

    own = RingCentralSuperviseApi(rest).supervise_party(CALL, "p-a1-1", agent_extension_id="7", device_id="8")

    assert own == "p-a1-3"
    assert rest.asked == [
        (
            "/restapi/v1.0/account/~/telephony/sessions/s-a1/parties/p-a1-1/supervise",
            {"mode": "Listen", "supervisorDeviceId": "8", "agentExtensionId": "7"},
        )
    ]


def test_ids_cannot_leave_their_place_in_the_path() -> None:
    rest = FakeRest({"id": "x"})

    RingCentralSuperviseApi(rest).supervise_session("s/../1?x", agent_extension_id="7", device_id="8")

    assert rest.asked[0][0].endswith("/sessions/s%2F..%2F1%3Fx/supervise")


def test_session_that_is_gone_is_no_refusal() -> None:
    assert RingCentralSuperviseApi(FakeRest(RingCentralRefused(404))).read_session(CALL) is None


def test_parties_of_a_session_with_ids_of_either_type() -> None:
    party = {"id": "p-a1-2", "owner": {"extensionId": 7}, "direction": "Inbound", "status": {"code": "Hold"}}

    parties = RingCentralSuperviseApi(FakeRest({"id": CALL, "parties": [party]})).read_session(CALL)

    assert parties == (ReadParty(party_id="p-a1-2", code="Hold", extension_id="7", direction="Inbound"),)


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (0, "", True),
        (401, "OAU-128", True),
        (404, "CMN-102", True),
        (409, "TAS-102", True),
        (429, "CMN-301", True),
        (500, "CMN-203", True),
        (403, "TAS-106", True),
        (403, "", True),
        (403, "CMN-401", False),
        (400, "CMN-101", False),
    ],
)
def test_what_may_be_asked_again(status: int, code: str, retryable: bool) -> None:
    api = RingCentralSuperviseApi(FakeRest(RingCentralRefused(status, code, retry_after_ms=7)))

    with pytest.raises(Refused) as refused:
        api.supervise_party(CALL, "p", agent_extension_id="7", device_id="8")

    assert (refused.value.retryable, refused.value.error_code, refused.value.retry_after_ms) == (retryable, code, 7)


def told(topic: Any, key: str, value: Any) -> Incoming:
    raw = None if value is None else orjson.dumps(value)
    return Incoming(
        topic=topic, full_name=topic.name, partition=0, offset=0, key=key, value=raw, headers=(), timestamp_ms=0
    )  # fmt: skip


def test_floor_follows_roster_and_devices() -> None:
    wanting = Wanting(call_id=CALL, since=at(0), agent_extension_id="7", legs=2, requests=3)
    view = FloorView(Policy(), Rules())
    assert choose(view.floor(), wanting) == "not_permitted"
    view.join(Supervisor(extension_id="9"))
    for extension_id, permission in (("7", "monitored"), ("9", "monitoring")):
        group = {"group_id": "31", "permissions": [permission]}
        view.take(
            told(topics.MONITORING_ROSTER, extension_id,
                 {"extension_id": extension_id, "groups": [group], "updated_at": AT})
        )  # fmt: skip
    device = {"device_id": "8", "supervisor_extension_id": "9", "online": True, "free_slots": 1, "updated_at": AT}
    view.take(told(topics.MEDIA_DEVICES, "8", device))
    view.take(told(topics.MEDIA_DEVICES, "8", device | {"free_slots": 0}))
    view.take(told(topics.MEDIA_DEVICES, "8", device | {"free_slots": 2}))

    floor = view.floor()
    assert view.floor() is floor
    assert floor.roster.may_supervise("9", "7")
    assert choose(floor, wanting) == Booking("9", "8")
    assert choose(floor.less(Reserved(asked={"8": 1})), wanting) == "no_capacity"

    view.take(told(topics.MONITORING_ROSTER, "7", None))
    view.take(told(topics.MEDIA_DEVICES, "8", None))
    assert not view.floor().roster.is_monitored("7")
    assert choose(view.floor(), wanting) == "not_permitted"


def test_timers_give_each_moment_once_and_the_newest_only() -> None:
    timers = Timers()
    timers.set("a", at(100))
    timers.set("b", at(50))
    timers.set("a", at(200))
    timers.set("c", at(10))
    timers.set("c", None)

    assert timers.pop_due(at(100)) == [("b", at(50))]
    assert timers.pop_due(at(300)) == [("a", at(200))]
    assert timers.pop_due(at(300)) == []
