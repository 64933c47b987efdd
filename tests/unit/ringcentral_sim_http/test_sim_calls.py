"""Scripted calls: order of events, supervision, audio start, end."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
import soundfile

RATE = 8000


@pytest.fixture
def stereo(tmp_path):
    """Two seconds at 16 kHz: the agent a ramp up, the customer the same ramp negated."""
    ramp = np.linspace(0.0, 0.5, 32000, dtype=np.float32)
    path = tmp_path / "talk.flac"
    soundfile.write(path, np.stack([ramp, -ramp], axis=1), 16000)
    return str(path)


def story(heard):
    """(sequence, party number, status) of each notification."""
    found = []
    for message in heard:
        body = message["body"]
        assert len(body["parties"]) == 1
        party = body["parties"][0]
        found.append((body["sequence"], int(party["id"].rsplit("-", 1)[1]), party["status"]["code"]))
    return found


async def test_inbound_call_tells_each_party_in_sequence_from_two(lab, stereo):
    heard = lab.hear()
    session = await lab.dial(audio=stereo, start_audio="answered")
    await lab.clock.advance(5)
    assert story(heard) == [
        (2, 1, "Setup"),
        (3, 2, "Setup"),
        (4, 1, "Answered"),
        (5, 2, "Proceeding"),
        (6, 2, "Answered"),
        (7, 2, "Disconnected"),
        (8, 1, "Disconnected"),
    ]
    customer, agent = heard[0], heard[1]
    assert customer["event"] == "/restapi/v1.0/account/700200001/telephony/sessions"
    assert "extensionId" not in customer["body"]["parties"][0]
    assert customer["body"]["parties"][0]["direction"] == "Outbound"
    assert agent["event"] == "/restapi/v1.0/account/700200001/extension/700200301/telephony/sessions"
    assert (await lab.view(session))["finished"]


async def test_delay_between_change_and_notification_is_that_of_real_streams(lab, stereo):
    heard = lab.hear()
    await lab.dial(audio=stereo, start_audio="answered")
    await lab.clock.advance(6)
    delays = [
        (datetime.fromisoformat(m["timestamp"]) - datetime.fromisoformat(m["body"]["eventTime"])).total_seconds()
        for m in heard
    ]
    assert all(0.013 <= d <= 0.114 for d in delays)
    assert len(set(delays)) > 1


async def test_pick_up_data_only_while_ringing_and_on_the_first_answer(lab, stereo):
    heard = lab.hear("/restapi/v1.0/account/~/extension/700200301/telephony/sessions")
    await lab.dial(audio=stereo, start_audio="answered", holds=[[500, 1000]])
    await lab.clock.advance(6)
    shown = [
        (m["body"]["parties"][0]["status"]["code"], "mobilePickupData" in m["body"]["parties"][0]["status"])
        for m in heard
    ]
    assert shown == [
        ("Setup", False),
        ("Proceeding", True),
        ("Answered", True),
        ("Hold", False),
        ("Answered", False),
        ("Disconnected", False),
    ]


async def test_ivr_call_answers_the_caller_before_the_agent_rings(lab, stereo):
    heard = lab.hear()
    await lab.dial(audio=stereo, flow="ivr", start_audio="answered")
    await lab.clock.advance(8)
    assert story(heard)[:7] == [
        (2, 1, "Setup"),
        (3, 2, "Setup"),
        (4, 1, "Answered"),
        (5, 2, "Disconnected"),
        (6, 3, "Setup"),
        (7, 3, "Proceeding"),
        (8, 3, "Answered"),
    ]


@pytest.mark.parametrize("flow", ["outbound", "internal", "conference", "blind_transfer"])
async def test_every_flow_ends_with_all_parties_disconnected(lab, stereo, flow):
    heard = lab.hear()
    session = await lab.dial(audio=stereo, flow=flow, start_audio="answered", flow_at_ms=300)
    await lab.clock.advance(10)
    last = {party: code for _, party, code in story(heard)}
    assert set(last.values()) == {"Disconnected"}
    assert [s for s, _, _ in story(heard)] == list(range(2, len(heard) + 2))
    assert lab.world.book.any(session).over


async def test_blind_transfer_names_its_reason_and_a_new_party(lab, stereo):
    heard = lab.hear()
    await lab.dial(audio=stereo, flow="blind_transfer", start_audio="answered", flow_at_ms=300)
    await lab.clock.advance(10)
    statuses = [(m["body"]["parties"][0].get("extensionId"), m["body"]["parties"][0]["status"]) for m in heard]
    assert ("700200301", {"code": "Disconnected", "rcc": False, "reason": "BlindTransfer"}) in statuses
    assert ("700200302", "Answered") in [(e, s["code"]) for e, s in statuses]


async def test_missed_call_is_marked_and_plays_nothing(lab):
    heard = lab.hear()
    session = await lab.dial(flow="missed")
    await lab.clock.advance(6)
    missed = [m for m in heard if m["body"]["parties"][0]["missedCall"]]
    assert [m["body"]["parties"][0]["status"]["reason"] for m in missed] == ["NoAnswer"]
    view = await lab.view(session)
    assert view["finished"]
    assert view["audioStartedAt"] is None


async def test_audio_starts_when_both_parties_are_supervised_and_at_one_instant(lab, stereo):
    lab.clock.read_ms = 1.5
    token = await lab.login()
    session = await lab.dial(audio=stereo)
    await lab.clock.advance(3)
    core = session.removeprefix("s-")
    for number in (1, 2):
        reply = await lab.supervise(token, session, f"p-{core}-{number}")
        assert reply.status_code == 201
        assert reply.json()["status"] == {"code": "Answered", "rcc": False, "reason": "Supervising"}
        assert lab.sip.legs == [] or number == 2
        await lab.clock.advance(0.2)
    (customer, starts), (agent, also) = (leg.played for leg in lab.sip.legs)
    assert starts == also
    assert np.abs(customer.read(0, RATE * 2)[-100:].astype(int) + agent.read(0, RATE * 2)[-100:]).max() <= 2
    assert agent.read(0, RATE)[-1] > 4000
    await lab.clock.advance(4)
    assert [leg.byes for leg in lab.sip.legs] == [1, 1]
    view = await lab.view(session)
    assert view["finished"]
    assert [leg["monitoredRole"] for leg in view["legs"]] == ["customer", "agent"]
    assert view["legs"][0]["audioStartedAt"] == view["legs"][1]["audioStartedAt"] == view["audioStartedAt"]


async def test_late_leg_hears_the_call_from_where_it_is(lab, stereo):
    token = await lab.login()
    session = await lab.dial(audio=stereo, start_audio="answered")
    await lab.clock.advance(1.9)
    reply = await lab.supervise(token, session, f"p-{session[2:]}-2")
    assert reply.status_code == 201
    await lab.clock.advance(0.1)
    source, start_at = lab.sip.legs[0].played
    whole = lab.world.calls[session].plan.recording.agent
    position = round((start_at - 1000.9) * RATE)
    assert position > RATE // 2
    assert np.array_equal(source.read(0, 160), whole.read(position, 160))


async def test_unsupervised_call_starts_after_the_time_out(lab, stereo):
    session = await lab.dial(audio=stereo)
    await lab.clock.advance(8.5)
    assert (await lab.view(session))["state"] == "answered"
    await lab.clock.advance(1)
    assert (await lab.view(session))["state"] == "playing"


async def test_transfer_ends_the_leg_on_the_agent_who_left(lab, stereo):
    token = await lab.login()
    session = await lab.dial(audio=stereo, flow="blind_transfer", start_audio="answered", flow_at_ms=1500)
    await lab.clock.advance(1)
    for number in (1, 2):
        assert (await lab.supervise(token, session, f"p-{session[2:]}-{number}")).status_code == 201
    await lab.clock.advance(1.8)
    assert [leg.byes for leg in lab.sip.legs] == [0, 1]


async def test_hang_up_ends_the_call_early(lab):
    session = await lab.dial(duration_ms=60_000, start_audio="answered")
    await lab.clock.advance(2)
    assert (await lab.http.post(f"/sim/calls/{session}/hangup")).status_code == 200
    await lab.clock.advance(1)
    assert (await lab.view(session))["finished"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"flow": "nonsense"}, "flow"),
        ({"agent": "1"}, "agent"),
        ({"holds": [[500, 100]]}, "holds"),
        ({"surprise": 1}, "surprise"),
        ({"start_audio": "soon"}, "start_audio"),
    ],
)
async def test_a_call_that_cannot_be_played_is_refused_in_one_line(lab, body, word):
    reply = await lab.http.post("/sim/calls", json=body)
    assert reply.status_code == 400
    assert word in reply.json()["error"]
    assert "\n" not in reply.json()["error"]


def _write(path, kind):
    match kind:
        case "mono":
            soundfile.write(path, np.zeros(800, dtype=np.float32), 8000)
        case "three":
            soundfile.write(path, np.zeros((800, 3), dtype=np.float32), 8000)
        case "zero":
            soundfile.write(path, np.zeros((0, 2), dtype=np.float32), 8000)
        case "empty":
            path.write_bytes(b"")
        case "garbage":
            path.write_bytes(b"this is not audio" * 10)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("mono", "mono"),
        ("three", "3 channels"),
        ("zero", "zero length"),
        ("empty", "empty"),
        ("garbage", "cannot be read"),
        ("absent", "no such file"),
    ],
)
async def test_bad_audio_says_what_is_wanted(lab, tmp_path, kind, word):
    path = tmp_path / "talk.wav"
    _write(path, kind)
    reply = await lab.http.post("/sim/calls", json={"audio": str(path)})
    assert reply.status_code == 400
    assert word in reply.json()["error"]
    assert "left channel the agent, right channel the customer" in reply.json()["error"]
