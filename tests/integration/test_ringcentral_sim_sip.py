"""The simulator's SIP side against a soft phone on real sockets: UDP, TCP and TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from services.ringcentral_sim.sip.accounts import SipAccount
from services.ringcentral_sim.sip.g711 import encode_a_law, encode_mu_law
from services.ringcentral_sim.sip.options import Impairments
from services.ringcentral_sim.sip.server import (
    InviteRefused,
    InviteTimeout,
    SipAddresses,
    SipOptions,
    SipServer,
    SuperviseOffer,
)
from tests.peers.sip_ua import SipUa

ACCOUNT = SipAccount(
    device_id="801000000001",
    auth_id="801000000999",
    user_name="15550100200",
    password="correct horse",
    domain="sip.example.com",
)
TRANSPORTS = ("UDP", "TCP", "TLS")
SILENCE = b"\xff"

NewPhone = Callable[..., Awaitable[SipUa]]


class Tone:
    """A PcmSource: a tone that glides up from 300 Hz, so that no stretch of it is like another."""

    def __init__(self, seconds: float) -> None:
        at = np.arange(round(seconds * 8000)) / 8000
        self.pcm: NDArray[np.int16] = (20_000 * np.sin(2 * np.pi * (300 + 200 * at) * at + 0.1)).astype(np.int16)

    def read(self, position_samples: int, count: int) -> NDArray[np.int16]:
        """Samples of the tone; fewer at its end."""
        return self.pcm[position_samples : position_samples + count]


class Bench:
    """A started server and the phones made for it."""

    def __init__(self, server: SipServer, addresses: SipAddresses) -> None:
        self.server, self.addresses = server, addresses
        self.phones: list[SipUa] = []

    async def phone(self, transport: str, *, password: str = ACCOUNT.password) -> SipUa:
        """A connected, unregistered phone of the account."""
        address = getattr(self.addresses, transport.lower())
        phone = SipUa(
            transport,
            address,
            user=ACCOUNT.user_name,
            auth_id=ACCOUNT.auth_id,
            password=password,
            domain=ACCOUNT.domain,
        )
        await phone.start()
        self.phones.append(phone)
        return phone

    async def registered(self, transport: str) -> SipUa:
        """A registered phone."""
        phone = await self.phone(transport)
        assert (await phone.register()).code == 200
        return phone


@pytest.fixture
def options() -> SipOptions:
    """Options of the bench; parametrized where a test needs others."""
    return SipOptions()


@pytest.fixture
async def bench(options: SipOptions) -> AsyncIterator[Bench]:
    """A server on free ports."""
    server = SipServer([ACCOUNT], host="127.0.0.1", udp_port=0, tcp_port=0, tls_port=0, options=options)
    made = Bench(server, await server.start())
    try:
        yield made
    finally:
        for phone in made.phones:
            phone.close()
        await server.stop()


def supervise(**changes: object) -> SuperviseOffer:
    """An offer for the account's device."""
    fields: dict[str, object] = {
        "device_id": ACCOUNT.device_id,
        "caller_number": "+15550100111",
        "supervisor_party_id": "p-a0d7f1c2z19a-6",
        "monitored_party_id": "p-a0d7f1c2z19a-2",
        "session_id": "s-a0d7f1c2z19a",
    }
    return SuperviseOffer(**{**fields, **changes})  # type: ignore[arg-type]


async def until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event to wait for
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_tone_arrives_sample_exact_and_bye_ends_the_call(bench: Bench, transport: str) -> None:
    phone = await bench.registered(transport)
    leg = await bench.server.invite(supervise())
    call = await phone.calls.get()
    assert await leg.latched(2)
    tone = Tone(3.0)
    expected = encode_mu_law(tone.pcm).strip(SILENCE)

    leg.play(tone, asyncio.get_running_loop().time() + 0.1)
    await until(lambda: expected in call.payloads())
    await leg.bye()

    assert call.payloads().strip(SILENCE) == expected
    assert await leg.ended() == "bye_sent"
    assert call.ended.is_set()
    assert call.undecodable == 0
    assert call.payload_types == {0}
    assert ("RTP/SAVP" in call.offer_sdp) == (transport == "TLS")
    _assert_one_unbroken_stream(call.packets)
    assert leg.packets_sent == len(call.packets)


def _assert_one_unbroken_stream(packets: list[tuple[int, int, bool, bytes]]) -> None:
    assert [marker for _, _, marker, _ in packets] == [True] + [False] * (len(packets) - 1)
    for (before, at, _, payload), (sequence, timestamp, _, _) in pairwise(packets):
        assert sequence == (before + 1) % 2**16
        assert timestamp == (at + 160) % 2**32
        assert len(payload) == 160


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_the_invite_says_what_ringcentral_says(bench: Bench, transport: str) -> None:
    phone = await bench.registered(transport)
    leg = await bench.server.invite(supervise())
    invite = (await phone.calls.get()).invite
    assert str(invite.uri) == phone.contact
    assert invite.headers["P-RC-API-IDS"] == "party-id=p-a0d7f1c2z19a-6;session-id=s-a0d7f1c2z19a"
    assert invite.headers["p-rc-api-monitoring-ids"] == "session-id=s-a0d7f1c2z19a; party-id=p-a0d7f1c2z19a-2"
    assert invite.headers["Alert-Info"] == "Auto Answer"
    assert invite.headers["Call-Info"].endswith(";purpose=info;Answer-After=0")
    assert invite.headers["Session-Expires"] == "14400;refresher=uac"
    assert invite.user_agent == "RC_SIPWRP_25.111"
    assert "m=audio" in invite.body.decode()
    assert "111 9 0 18 96 8 109 101" in invite.body.decode()
    assert leg.call_id == invite.call_id


async def test_the_password_is_checked(bench: Bench) -> None:
    phone = await bench.phone("UDP", password="wrong")
    assert (await phone.register()).code == 403
    assert not bench.server.is_registered(ACCOUNT.device_id)
    with pytest.raises(InviteRefused, match="480"):
        await bench.server.invite(supervise())


@pytest.mark.parametrize("options", [SipOptions(max_expires_s=47)])
async def test_expires_is_shortened_and_zero_unregisters(bench: Bench) -> None:
    phone = await bench.phone("TCP")
    assert "expires=47" in (await phone.register(3600)).headers["Contact"]
    assert bench.server.is_registered(ACCOUNT.device_id)
    assert (await phone.register(0)).headers.get("Contact") is None
    assert not bench.server.is_registered(ACCOUNT.device_id)


@pytest.mark.parametrize("options", [SipOptions(max_expires_s=1)])
async def test_a_registration_that_is_not_refreshed_lapses(bench: Bench) -> None:
    await bench.registered("UDP")
    await until(lambda: not bench.server.is_registered(ACCOUNT.device_id))


async def test_the_newest_registration_takes_the_call(bench: Bench) -> None:
    older, newer = await bench.registered("UDP"), await bench.registered("TLS")
    assert (await older.register()).code == 200
    await bench.server.invite(supervise())
    assert (await newer.calls.get()).secure
    assert older.calls.empty()


async def test_a_sixth_instance_is_one_too_many(bench: Bench) -> None:
    for _ in range(5):
        await bench.registered("UDP")
    response = await (await bench.phone("UDP")).register()
    assert (response.code, response.phrase) == (603, "Too Many Contacts")


async def test_a_closed_connection_takes_its_registration_with_it(bench: Bench) -> None:
    phone = await bench.registered("TCP")
    phone.close()
    await until(lambda: not bench.server.is_registered(ACCOUNT.device_id))


@pytest.mark.parametrize("code", [480, 486, 603])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_refusal_is_reported_and_acknowledged(bench: Bench, transport: str, code: int) -> None:
    phone = await bench.registered(transport)
    phone.answer_code = code
    with pytest.raises(InviteRefused) as refusal:
        await bench.server.invite(supervise())
    assert (refusal.value.status, refusal.value.reason) == (code, "No")
    await until(lambda: phone.requests[-1] == "ACK")


@pytest.mark.parametrize("options", [SipOptions(answer_timeout_s=0.5, t1_s=0.1)])
async def test_a_deaf_phone_gets_the_invite_again_and_then_no_more(bench: Bench) -> None:
    phone = await bench.registered("UDP")
    phone.deaf = True
    with pytest.raises(InviteTimeout):
        await bench.server.invite(supervise())
    assert len(phone.invites) >= 2
    assert len(set(phone.invites)) == 1


@pytest.mark.parametrize("options", [SipOptions(answer_timeout_s=0.3)])
@pytest.mark.parametrize("transport", ["UDP", "TLS"])
async def test_a_phone_that_only_rings_is_cancelled(bench: Bench, transport: str) -> None:
    phone = await bench.registered(transport)
    phone.answer_code = 180
    with pytest.raises(InviteTimeout):
        await bench.server.invite(supervise())
    await until(lambda: "CANCEL" in phone.requests and phone.requests[-1] == "ACK")


@pytest.mark.parametrize("options", [SipOptions(silence_bye_s=0.5)])
async def test_a_phone_that_sends_no_audio_is_dropped_when_so_asked(bench: Bench) -> None:
    phone = await bench.registered("UDP")
    leg = await bench.server.invite(supervise())
    call = await phone.calls.get()
    async with asyncio.timeout(5):
        assert await leg.ended() == "bye_sent"
    assert call.ended.is_set()


async def test_a_reinvite_that_cannot_be_read_is_not_acceptable(bench: Bench) -> None:
    phone = await bench.registered("TCP")
    await bench.server.invite(supervise())
    call = await phone.calls.get()
    assert (await phone.in_dialog(call, "INVITE", b"m=audio")).code == 488
    assert (await phone.in_dialog(call, "INVITE")).code == 200


async def test_a_late_offer_is_answered_in_the_ack(bench: Bench) -> None:
    phone = await bench.registered("TLS")
    leg = await bench.server.invite(supervise(late_offer=True))
    call = await phone.calls.get()
    assert call.invite.body == b""
    assert await leg.latched(2)
    tone = Tone(0.4)
    leg.play(tone, asyncio.get_running_loop().time() + 0.05)
    expected = encode_mu_law(tone.pcm).strip(SILENCE)
    await until(lambda: expected in call.payloads())
    assert call.undecodable == 0


async def test_of_two_media_lines_one_may_be_refused(bench: Bench) -> None:
    phone = await bench.registered("UDP")
    leg = await bench.server.invite(supervise(two_media_lines=True))
    call = await phone.calls.get()
    assert call.offer_sdp.count("m=audio") == 2
    assert "i=s-a0d7f1c2z19a party-id=p-a0d7f1c2z19a-2" in call.offer_sdp
    assert await leg.latched(2)
    await until(lambda: len(call.packets) > 5)


async def test_the_answers_codec_is_sent(bench: Bench) -> None:
    phone = await bench.registered("UDP")
    phone.codec = 8
    leg = await bench.server.invite(supervise())
    call = await phone.calls.get()
    assert await leg.latched(2)
    tone = Tone(0.2)
    leg.play(tone, asyncio.get_running_loop().time() + 0.05)
    await until(lambda: encode_a_law(tone.pcm) in call.payloads())
    assert call.payload_types == {8}


async def test_an_answer_without_a_codec_of_ours_ends_the_call(bench: Bench) -> None:
    phone = await bench.registered("UDP")
    phone.codec = 9
    with pytest.raises(InviteRefused, match="488"):
        await bench.server.invite(supervise())
    call = await phone.calls.get()
    async with asyncio.timeout(5):
        await call.ended.wait()


@pytest.mark.parametrize("options", [SipOptions(latch_fallback_s=0.3)])
async def test_without_a_latch_audio_goes_to_the_sdp_address(bench: Bench) -> None:
    phone = await bench.registered("UDP")
    phone.auto_latch = False
    leg = await bench.server.invite(supervise())
    call = await phone.calls.get()
    assert not await leg.latched(0.1)
    assert not call.packets
    await until(lambda: len(call.packets) > 3)


async def test_the_phone_may_refresh_hold_and_hang_up(bench: Bench) -> None:
    phone = await bench.registered("TCP")
    leg = await bench.server.invite(supervise())
    call = await phone.calls.get()
    await until(lambda: len(call.packets) > 2)
    for method in ("OPTIONS", "INFO", "UPDATE"):
        assert (await phone.in_dialog(call, method, session_expires="90")).code == 200
    held = await phone.in_dialog(call, "INVITE", phone.sdp(call, "inactive"))
    assert b"a=inactive" in held.body
    await asyncio.sleep(0.1)
    count = len(call.packets)
    await asyncio.sleep(0.2)
    assert len(call.packets) == count
    resumed = await phone.in_dialog(call, "INVITE", phone.sdp(call))
    assert b"a=sendonly" in resumed.body
    await until(lambda: len(call.packets) > count + 2)
    assert (await phone.in_dialog(call, "BYE")).code == 200
    assert await leg.ended() == "bye_received"
    assert (await phone.in_dialog(call, "UPDATE")).code == 481


async def test_a_reinvite_heals_a_dialog_whose_connection_was_reset(bench: Bench) -> None:
    phone = await bench.registered("TLS")
    leg = await bench.server.invite(supervise())
    call = await phone.calls.get()
    bench.server.drop_connections(ACCOUNT.device_id)
    await until(lambda: not bench.server.is_registered(ACCOUNT.device_id))
    count = len(call.packets)
    await phone.start()
    assert (await phone.register()).code == 200
    assert (await phone.in_dialog(call, "UPDATE")).code == 481
    assert (await phone.in_dialog(call, "INVITE", phone.sdp(call))).code == 200
    await until(lambda: len(call.packets) > count + 2)
    await leg.bye()
    assert call.ended.is_set()


async def test_a_bye_over_a_lost_connection_is_lost(bench: Bench) -> None:
    phone = await bench.registered("TCP")
    leg = await bench.server.invite(supervise())
    call = await phone.calls.get()
    bench.server.drop_connections(ACCOUNT.device_id)
    await until(lambda: not bench.server.is_registered(ACCOUNT.device_id))
    await leg.bye()
    assert await leg.ended() == "bye_lost"
    assert not call.ended.is_set()


@pytest.mark.parametrize("options", [SipOptions(impairments=Impairments(loss=0.3, reorder=0.2, seed=7))])
async def test_a_bad_network_loses_and_reorders(bench: Bench) -> None:
    phone = await bench.registered("UDP")
    leg = await bench.server.invite(supervise())
    call = await phone.calls.get()
    await until(lambda: len(call.packets) >= 50)
    sequences = [sequence for sequence, _, _, _ in call.packets]
    assert sequences != sorted(sequences)
    assert leg.packets_lost > 0


async def test_keepalives_are_answered(bench: Bench) -> None:
    phone = await bench.phone("TLS")
    phone.send(b"\r\n\r\n")
    await until(lambda: phone.pongs == 1)
    target = f"sip:{ACCOUNT.domain}"
    assert (await phone.request("OPTIONS", target, f"<{target}>", "<sip:x@y.com>;tag=1", "c1", {})).code == 200


async def test_sixteen_legs_at_once_stay_whole(bench: Bench) -> None:
    phone = await bench.registered("TLS")
    legs = await asyncio.gather(*(bench.server.invite(supervise()) for _ in range(16)))
    calls = [phone.by_call_id[leg.call_id] for leg in legs]
    assert all(await asyncio.gather(*(leg.latched(5) for leg in legs)))
    tone = Tone(1.0)
    start_at = asyncio.get_running_loop().time() + 0.2
    for leg in legs:
        leg.play(tone, start_at)
    expected = encode_mu_law(tone.pcm).strip(SILENCE)
    await until(lambda: all(expected in call.payloads() for call in calls))
    await asyncio.gather(*(leg.bye() for leg in legs))
    assert all(call.ended.is_set() for call in calls)
