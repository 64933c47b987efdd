"""The paper SIP side: register, invite, answer, refuse, stay silent, hang up on either side."""

from __future__ import annotations

import asyncio

import pytest

from services.ringcentral_sim.domain.company import default_company
from services.ringcentral_sim.domain.ports import InviteRefused, SuperviseOffer
from services.ringcentral_sim.paper import PaperLine, PaperSipSide

DEVICE = "801000000001"
OFFER = SuperviseOffer(
    device_id=DEVICE,
    caller_number="+15550100111",
    supervisor_party_id="p-a-3",
    monitored_party_id="p-a-2",
    session_id="s-a",
)


@pytest.fixture
def side(lab):
    company = default_company(sip_domain="sip.example", supervisor_jwt="jwt")
    return PaperSipSide(company, lab.clock)


def registered(side):
    line = PaperLine()
    side.hear(line, {"type": "register", "devices": [DEVICE]})
    assert line.outbox.get_nowait() == {"type": "registered", "devices": [DEVICE]}
    return line


async def invited(side, line, offer=OFFER):
    placing = asyncio.ensure_future(side.invite(offer))
    return placing, await line.outbox.get()


async def test_an_answered_invite_carries_audio_and_ends_with_a_bye(side):
    line = registered(side)
    placing, invite = await invited(side, line)
    assert invite["headers"] == {
        "p-rc-api-ids": "party-id=p-a-3;session-id=s-a",
        "p-rc-api-monitoring-ids": "session-id=s-a; party-id=p-a-2",
    }
    assert (invite["deviceId"], invite["userName"], invite["lateOffer"], invite["mediaLines"]) == (
        DEVICE,
        "15550100101",
        False,
        1,
    )
    side.hear(line, {"type": "answer", "callId": invite["callId"]})
    leg = await placing
    assert await leg.latched(1)
    leg.play(None, 0.0)
    await leg.bye()
    assert [line.outbox.get_nowait()["type"] for _ in range(2)] == ["audio", "bye"]
    assert await leg.ended() == "bye_sent"


async def test_the_client_may_refuse_hang_up_or_never_answer(side, lab):
    line = registered(side)
    placing, invite = await invited(side, line)
    side.hear(line, {"type": "refuse", "callId": invite["callId"], "status": 603})
    with pytest.raises(InviteRefused, match="603"):
        await placing
    placing, invite = await invited(side, line)
    side.hear(line, {"type": "answer", "callId": invite["callId"], "media": False})
    leg = await placing
    side.hear(line, {"type": "bye", "callId": invite["callId"]})
    assert await leg.ended() == "bye_received"
    placing, invite = await invited(side, line)
    await lab.clock.advance(16)
    with pytest.raises(InviteRefused, match="408"):
        await placing
    assert line.outbox.get_nowait() == {"type": "cancel", "callId": invite["callId"]}
    side.hear(line, {"type": "answer", "callId": invite["callId"]})
    assert "481" in line.outbox.get_nowait()["error"]


async def test_media_may_come_after_the_answer_or_never(side, lab):
    line = registered(side)
    placing, invite = await invited(side, line)
    side.hear(line, {"type": "answer", "callId": invite["callId"], "media": False})
    leg = await placing
    waiting = asyncio.ensure_future(leg.latched(3))
    await lab.clock.advance(4)
    assert not await waiting
    side.hear(line, {"type": "media", "callId": invite["callId"]})
    assert await leg.latched(3)


async def test_the_latest_registration_wins_and_dies_with_its_connection(side):
    first, second = registered(side), registered(side)
    placing, invite = await invited(side, second)
    assert first.outbox.empty()
    side.hear(second, {"type": "answer", "callId": invite["callId"]})
    leg = await placing
    side.leave(second)
    assert not side.is_registered(DEVICE)
    with pytest.raises(InviteRefused, match="480"):
        await side.invite(OFFER)
    await leg.bye()  # said to nobody: lost
    assert await leg.ended() == "bye_sent"


async def test_a_lost_bye_is_a_silence(side):
    line = registered(side)
    placing, invite = await invited(side, line)
    side.hear(line, {"type": "answer", "callId": invite["callId"]})
    leg = await placing
    leg.vanish()
    assert line.outbox.get_nowait()["type"] == "silence"
    side.hear(line, {"type": "bye", "callId": invite["callId"]})
    assert "481" in line.outbox.get_nowait()["error"]


async def test_unknown_devices_and_rubbish_are_errors(side):
    line = PaperLine()
    for message in ({"type": "register", "devices": ["1"]}, {"type": "dance"}, {"type": "answer", "callId": "x"}):
        side.hear(line, message)
        assert line.outbox.get_nowait()["type"] == "error"
