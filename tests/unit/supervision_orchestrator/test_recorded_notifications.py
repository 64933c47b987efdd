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


def notification(sequence: int, extension_id: str, n: int, code: str) -> bytes:
    """As in the payload's description: one party each, no extension on PSTN parties, pick-up data while it rings."""
    at = format_utc(START + timedelta(seconds=sequence))
    status: dict[str, Any] = {"code": code, "rcc": False}
    if code == "Proceeding" and extension_id:
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


@pytest.mark.parametrize(("recorded", "session", "expected"), FLOWS)
def test_replay_gives_the_states_written_by_hand(
    recorded: tuple[Recorded, ...], session: tuple[ReadParty, ...], expected: tuple[int, int, str]
) -> None:
    bench = CallBench()
    states = []
    for sequence, (extension_id, n, code, _, _) in enumerate(recorded, start=2):
        bench.feed(*telephony_inputs(CALL, notification(sequence, extension_id, n, code)), at_ms=sequence * 1000)
        bench.answer_read(*session)
        bench.hear(*bench.asks[-2:])
        face = snapshot_of(bench.state)
        started = bench.state.started_at is not None
        states.append((face.status if started else "-", face.supervision if started else "-"))

    agent, customer, direction = expected
    wanted = [(status, supervision) for *_, status, supervision in recorded]
    assert states == wanted
    assert (bench.state.agent_party_id, bench.state.customer_party_id) == (party_id(agent), party_id(customer))
    assert (bench.state.direction, bench.state.last_sequence) == (direction, len(recorded) + 1)
    assert len(bench.asks) == 2
