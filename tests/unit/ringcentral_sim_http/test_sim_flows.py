"""Each flow's notifications, in order: sequence from 2, one party each, as the real streams that are known."""

from __future__ import annotations

import pytest

from services.ringcentral_sim.domain.flow_table import FLOWS

DIRECT = "2:-1 Setup · 3:-2 Setup · 4:-1 Answered · 5:-2 Proceeding · 6:-2 Answered"
BY_MENU = "2:-1 Setup · 3:-2 Setup · 4:-1 Answered · 5:-2 Disconnected"

# What is written is `sequence:-party code(reason)`; the second session of a flow has its own sequence.
STORIES = {
    "inbound": (f"{DIRECT} · 7:-2 Disconnected · 8:-1 Disconnected",),
    # The three calls of the recorded data set, with their hold.
    "ivr+hold": (
        f"{BY_MENU} · 6:-3 Setup · 7:-3 Proceeding · 8:-3 Answered · 9:-3 Hold · 10:-3 Answered"
        " · 11:-3 Disconnected · 12:-1 Disconnected",
    ),
    "internal+hold": (f"{DIRECT} · 7:-1 Hold · 8:-1 Answered · 9:-1 Disconnected · 10:-2 Disconnected",),
    "outbound+hold": (
        "2:-1 Setup · 3:-2 Proceeding · 4:-1 Proceeding · 5:-2 Answered · 6:-1 Answered · 7:-1 Hold · 8:-1 Answered"
        " · 9:-1 Disconnected · 10:-2 Disconnected",
    ),
    "queue_simulring": (
        f"{BY_MENU} · 6:-3 Setup · 7:-4 Setup · 8:-5 Setup · 9:-3 Proceeding · 10:-4 Proceeding · 11:-5 Proceeding"
        " · 12:-4 Answered(AgentAnswered) · 13:-3 Disconnected · 14:-5 Disconnected"
        " · 15:-4 Disconnected · 16:-1 Disconnected",
    ),
    "mute": (f"{DIRECT} · 7:-2 Answered · 8:-2 Answered · 9:-2 Disconnected · 10:-1 Disconnected",),
    "conference": (
        f"{DIRECT} · 7:-3 Setup · 8:-3 Proceeding · 9:-3 Answered"
        " · 10:-3 Disconnected · 11:-2 Disconnected · 12:-1 Disconnected",
    ),
    "third_party": (
        f"{DIRECT} · 7:-3 Setup · 8:-3 Proceeding · 9:-3 Answered · 10:-3 Disconnected"
        " · 11:-2 Disconnected · 12:-1 Disconnected",
    ),
    "blind_transfer": (
        f"{DIRECT} · 7:-2 Disconnected(BlindTransfer) · 8:-3 Setup · 9:-3 Proceeding · 10:-3 Answered"
        " · 11:-3 Disconnected · 12:-1 Disconnected",
    ),
    "attended_transfer": (
        f"{DIRECT} · 7:-2 Hold · 8:-3 Answered(AttendedTransfer) · 9:-2 Gone(AttendedTransfer)>second-1"
        " · 10:-3 Disconnected · 11:-1 Disconnected",
        "2:-1 Setup · 3:-2 Setup · 4:-1 Answered · 5:-2 Proceeding · 6:-2 Answered"
        " · 7:-2 Gone(AttendedTransfer)>main-3 · 8:-1 Disconnected(AttendedTransfer)",
    ),
    "park": (
        f"{DIRECT} · 7:-2 Parked(ParkLocation) · 8:-3 Answered(Pickup) · 9:-2 Disconnected(Pickup)"
        " · 10:-3 Disconnected · 11:-1 Disconnected",
        "2:-1 Setup · 3:-1 Proceeding · 4:-1 Gone(Pickup)>main-3",
    ),
    "missed": (
        "2:-1 Setup · 3:-2 Setup · 4:-1 Answered · 5:-2 Proceeding · 6:-2 Disconnected(NoAnswer) · 7:-1 Disconnected",
    ),
    "abandoned": (
        "2:-1 Setup · 3:-2 Setup · 4:-1 Answered · 5:-2 Proceeding · 6:-1 Disconnected · 7:-2 Disconnected(Cancelled)",
    ),
    "voicemail": (
        "2:-1 Setup · 3:-2 Setup · 4:-1 Answered · 5:-2 Proceeding · 6:-2 VoiceMail(NoAnswer)"
        " · 7:-1 Disconnected · 8:-2 Disconnected",
    ),
}


def told(heard, session, names):
    """The story of one session."""
    steps = []
    for message in heard:
        body = message["body"]
        if body["telephonySessionId"] != session:
            continue
        (party,) = body["parties"]
        status = party["status"]
        reason = f"({status['reason']})" if "reason" in status else ""
        peer = ""
        if "peerId" in status:
            other = status["peerId"]
            peer = f">{names[other['telephonySessionId']]}-{other['partyId'].rsplit('-', 1)[1]}"
        steps.append(f"{body['sequence']}:-{party['id'].rsplit('-', 1)[1]} {status['code']}{reason}{peer}")
    return " · ".join(steps)


@pytest.mark.parametrize("story", STORIES)
async def test_a_flow_is_told_in_this_order(lab, story):
    flow, _, hold = story.partition("+")
    heard = lab.hear()
    session = await lab.dial(
        flow=flow,
        duration_ms=20_000,
        flow_at_ms=1000,
        start_audio="answered",
        holds=[[500, 900]] if hold else [],
    )
    await lab.clock.advance(40)
    lines = lab.world.calls[session].lines
    names = {line_id: line for line, line_id in lines.items()}
    assert [told(heard, line_id, names) for line_id in lines.values()] == list(STORIES[story])


def test_every_flow_has_its_story():
    assert {story.partition("+")[0] for story in STORIES} == set(FLOWS)


async def test_a_mute_shows_in_the_party_and_ends(lab):
    heard = lab.hear()
    await lab.dial(flow="mute", duration_ms=8000, flow_at_ms=1000, start_audio="answered")
    await lab.clock.advance(20)
    shown = [m["body"]["parties"][0]["muted"] for m in heard if m["body"]["sequence"] >= 6]
    assert shown == [False, True, False, False, False]


async def test_rest_names_the_peer_session_by_its_s_id_and_a_parked_call_its_place(lab):
    token = await lab.login()
    session = await lab.dial(flow="attended_transfer", duration_ms=30_000, flow_at_ms=1000, start_audio="answered")
    await lab.clock.advance(12)
    parties = (await lab.call("GET", f"/account/~/telephony/sessions/{session}", token)).json()["parties"]
    second = lab.world.calls[session].lines["second"]
    assert parties[1]["status"]["code"] == "Gone"
    assert parties[1]["status"]["peerId"] == {"sessionId": second, "partyId": f"p-{second[2:]}-1"}
    assert (await lab.call("GET", f"/account/~/telephony/sessions/{second}", token)).status_code == 404
    heard = lab.hear()
    await lab.dial(flow="park", duration_ms=30_000, flow_at_ms=1000, start_audio="answered")
    await lab.clock.advance(4)
    assert [m["body"]["parties"][0]["park"] for m in heard][-1] == {"id": "801"}


async def test_queue_calls_say_so(lab):
    heard = lab.hear()
    await lab.dial(flow="queue_simulring", duration_ms=1000, start_audio="answered")
    await lab.clock.advance(20)
    queued = {m["body"]["parties"][0]["id"][-2:] for m in heard if m["body"]["parties"][0]["queueCall"]}
    assert queued == {"-3", "-4", "-5"}


async def test_a_supervised_consultation_ends_with_it(lab):
    token = await lab.login()
    session = await lab.dial(flow="attended_transfer", duration_ms=30_000, flow_at_ms=1000, start_audio="answered")
    await lab.clock.advance(5)
    second = lab.world.calls[session].lines["second"]
    assert (await lab.supervise(token, second, f"p-{second[2:]}-1")).status_code == 201
    await lab.clock.advance(1)
    assert [leg.byes for leg in lab.sip.legs] == [0]
    await lab.clock.advance(4)
    assert [leg.byes for leg in lab.sip.legs] == [1]
