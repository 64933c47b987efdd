"""The three recorded event sequences as RingCentral sends them, and the states one writes down by hand for each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from services.chassis.clock import format_utc
from services.chassis.testing.fake_clock import START
from services.supervision_orchestrator.adapters.incoming import telephony_inputs
from services.supervision_orchestrator.domain.inputs import ReadParty
from services.supervision_orchestrator.domain.snapshot import snapshot_of
from tests.support.call_bench import AGENT, CALL, IVR, CallBench, party_id, read_party

Recorded = tuple[str, int, str, str, str]
"""(extension, party, status code, the call's status after it, supervision after it)."""

INBOUND_BY_IVR: tuple[Recorded, ...] = (
    ("", 1, "Setup", "-", "-"),
    (IVR, 2, "Setup", "-", "-"),
    ("", 1, "Answered", "-", "-"),  # the IVR has picked up; no agent rings
    (IVR, 2, "Disconnected", "-", "-"),
    (AGENT, 3, "Setup", "ringing", "none"),
    (AGENT, 3, "Proceeding", "ringing", "none"),
    (AGENT, 3, "Answered", "answered", "party"),
    (AGENT, 3, "Hold", "held", "party"),
    (AGENT, 3, "Answered", "answered", "party"),
    (AGENT, 3, "Disconnected", "answered", "party"),  # the customer's leg still stands
    ("", 1, "Disconnected", "answered", "none"),
)
EXTENSION_TO_EXTENSION: tuple[Recorded, ...] = (
    (IVR, 1, "Setup", "-", "-"),
    (AGENT, 2, "Setup", "ringing", "none"),
    (IVR, 1, "Answered", "ringing", "none"),  # says that the destination was reached, not that it answered
    (AGENT, 2, "Proceeding", "ringing", "none"),
    (AGENT, 2, "Answered", "answered", "party"),
    (IVR, 1, "Hold", "answered", "party"),
    (IVR, 1, "Answered", "answered", "party"),
    (IVR, 1, "Disconnected", "answered", "party"),
    (AGENT, 2, "Disconnected", "answered", "none"),
)
AGENT_TO_OUTSIDE: tuple[Recorded, ...] = (
    (AGENT, 1, "Setup", "ringing", "none"),
    ("", 2, "Proceeding", "ringing", "none"),
    (AGENT, 1, "Proceeding", "ringing", "none"),
    ("", 2, "Answered", "ringing", "none"),
    (AGENT, 1, "Answered", "answered", "party"),
    (AGENT, 1, "Hold", "held", "party"),
    (AGENT, 1, "Answered", "answered", "party"),
    (AGENT, 1, "Disconnected", "answered", "party"),
    ("", 2, "Disconnected", "answered", "none"),
)
FLOWS = [
    pytest.param(INBOUND_BY_IVR, (read_party(1), read_party(3, "Answered", AGENT)), (3, 1, "inbound"), id="ivr"),
    pytest.param(
        EXTENSION_TO_EXTENSION, (read_party(1, "Answered", IVR), read_party(2, "Answered", AGENT)),
        (2, 1, "internal"), id="internal",
    ),
    pytest.param(
        AGENT_TO_OUTSIDE, (read_party(1, "Answered", AGENT), read_party(2)), (1, 2, "outbound"), id="outbound"
    ),
]  # fmt: skip


def notification(sequence: int, extension_id: str, n: int, code: str, *, with_pickup: bool = False) -> bytes:
    """As in the payload's description: one party each, no extension on PSTN parties; pick-up data on Proceeding and
    the first Answered of an extension.
    """
    at = format_utc(START + timedelta(seconds=sequence))
    status: dict[str, Any] = {"code": code, "rcc": False}
    if with_pickup and extension_id:
        status["mobilePickupData"] = {"ccMailboxes": [extension_id], "to": "#1052016@sip.example:5060", "sid": "532"}
    party: dict[str, Any] = {
        "accountId": "700200001", "id": party_id(n), "direction": "Outbound" if n == 1 else "Inbound",
        "from": {"phoneNumber": "+15550100111", "name": "CALLER"}, "to": {"phoneNumber": "+15550100999"},
        "status": status, "park": {}, "missedCall": False, "standAlone": False, "muted": False,
    }  # fmt: skip
    owner = "/restapi/v1.0/account/700200001"
    if extension_id:
        party["extensionId"] = extension_id
        owner += f"/extension/{extension_id}"
    body = {
        "sequence": sequence, "sessionId": "529180487016", "telephonySessionId": CALL, "serverId": "10.13.22.27.TAM",
        "eventTime": at, "parties": [party], "origin": {"type": "Call"},
    }  # fmt: skip
    told = {
        "uuid": f"512094387220{sequence:04d}", "event": f"{owner}/telephony/sessions", "timestamp": at,
        "subscriptionId": "0f0b", "ownerId": "700200300", "body": body,
    }  # fmt: skip
    return orjson.dumps({"event_id": told["uuid"], "source": "websocket", "received_at": at, "notification": told})


Session = tuple[ReadParty, ...]
Facts = tuple[int, int, str]


def sent(recorded: tuple[Recorded, ...]) -> list[bytes]:
    """The notifications, numbered from 2 on as recorded."""
    answered: set[int] = set()
    made = []
    for sequence, (extension_id, n, code, *_) in enumerate(recorded, start=2):
        with_pickup = code == "Proceeding" or (code == "Answered" and n not in answered)
        answered |= {n} if code == "Answered" else set()
        made.append(notification(sequence, extension_id, n, code, with_pickup=with_pickup))
    return made


def feed(bench: CallBench, raw: bytes, session: Session, at_ms: int) -> tuple[str, str]:
    """The call's status and its supervision after a notification; what is asked for is answered at once."""
    bench.feed(*telephony_inputs(CALL, raw), at_ms=at_ms)
    bench.answer_read(*session)
    bench.hear(*bench.asks[-2:])
    face = snapshot_of(bench.state)
    started = bench.state.started_at is not None
    return (face.status, face.supervision) if started else ("-", "-")


def check_facts(bench: CallBench, expected: Facts) -> None:
    agent, customer, direction = expected
    assert (bench.state.agent_party_id, bench.state.customer_party_id) == (party_id(agent), party_id(customer))
    assert bench.state.direction == direction
    assert len(bench.asks) == 2


@pytest.mark.parametrize(("recorded", "session", "expected"), FLOWS)
def test_replay_gives_the_states_written_by_hand(
    recorded: tuple[Recorded, ...], session: Session, expected: Facts
) -> None:
    bench = CallBench()
    states = [feed(bench, raw, session, 2000 + n * 1000) for n, raw in enumerate(sent(recorded))]
    assert states == [(status, supervision) for *_, status, supervision in recorded]
    assert bench.state.last_sequence == len(recorded) + 1
    check_facts(bench, expected)


@pytest.mark.parametrize(("recorded", "session", "expected"), FLOWS)
def test_a_subscription_to_the_agent_alone_gives_the_same_states(
    recorded: tuple[Recorded, ...], session: Session, expected: Facts
) -> None:
    """As the ingestor subscribes: the others' changes do not come, and the sequence has gaps that are no losses."""
    bench, states, wanted = CallBench(), [], []
    for n, (raw, (extension_id, *_, status, supervision)) in enumerate(zip(sent(recorded), recorded, strict=True)):
        if extension_id == AGENT:
            states.append(feed(bench, raw, session, 2000 + n * 1000))
            wanted.append((status, supervision))
    assert states[:-1] == wanted[:-1]
    # Whether the other side has left as well nobody has told: that is for the session's own status to say.
    assert states[-1] == ("answered", "party")
    check_facts(bench, expected)


@pytest.mark.parametrize(("recorded", "session", "expected"), FLOWS)
def test_each_notification_twice_changes_nothing(
    recorded: tuple[Recorded, ...], session: Session, expected: Facts
) -> None:
    bench = CallBench()
    for n, (raw, (*_, status, supervision)) in enumerate(zip(sent(recorded), recorded, strict=True)):
        for _ in range(2):
            assert feed(bench, raw, session, 2000 + n * 1000) == (status, supervision)
    check_facts(bench, expected)


@pytest.mark.parametrize("late", range(9))
@pytest.mark.parametrize(("recorded", "session", "expected"), FLOWS)
def test_one_that_comes_behind_its_successor_changes_nothing_in_the_end(
    recorded: tuple[Recorded, ...], session: Session, expected: Facts, late: int
) -> None:
    bench, notifications = CallBench(), sent(recorded)
    late = min(late, len(notifications) - 2)
    notifications[late : late + 2] = reversed(notifications[late : late + 2])
    for n, raw in enumerate(notifications):
        last = feed(bench, raw, session, 2000 + n * 1000)
    assert last == recorded[-1][3:]
    check_facts(bench, expected)
