"""Wire formats: framing, SDP, the INVITE's headers, G.711, RTP."""

from __future__ import annotations

import random
import struct
import warnings

import numpy as np
import pytest
from pylibsrtp import Policy, Session

from services.ringcentral_sim.sip import sdp
from services.ringcentral_sim.sip.dialog import correlation_headers
from services.ringcentral_sim.sip.g711 import encode_a_law, encode_mu_law
from services.ringcentral_sim.sip.messages import PING, StreamFramer, via_seen_from
from services.ringcentral_sim.sip.options import Impairments, SuperviseOffer
from services.ringcentral_sim.sip.rtp import Network, Packetizer, protection
from services.ringcentral_sim.sip.sdp import Crypto, MediaLine

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

KEY = bytes(range(30))
MESSAGES = [b"A b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody", PING, b"C d SIP/2.0\r\nl:0\r\n\r\n"]


@pytest.mark.parametrize("step", [1, 3, 7, 1000])
def test_a_stream_is_cut_into_messages_however_it_arrives(step: int) -> None:
    stream = b"".join(MESSAGES)
    framer = StreamFramer()
    cut = [message for at in range(0, len(stream), step) for message in framer.feed(stream[at : at + step])]
    assert cut == MESSAGES


def test_a_stream_without_end_is_given_up() -> None:
    with pytest.raises(ValueError, match="header"):
        StreamFramer().feed(b"x" * 70_000)


def test_via_tells_the_client_how_it_is_seen() -> None:
    seen = via_seen_from("SIP/2.0/TLS 10.0.0.5:40112;rport;branch=z9hG4bKa;alias", ("1.2.3.4", 99))
    assert seen == "SIP/2.0/TLS 10.0.0.5:40112;rport=99;branch=z9hG4bKa;alias;received=1.2.3.4"


@pytest.mark.parametrize(
    ("headers", "party", "expected"),
    [
        ("all", "p-2", "session-id=s-1; party-id=p-2"),
        ("reordered", "p-2", "party-id=p-2; session-id=s-1"),
        ("all", None, "session-id=s-1"),
    ],
)
def test_monitoring_ids_come_in_every_order(headers: str, party: str | None, expected: str) -> None:
    offer = SuperviseOffer(
        device_id="d",
        caller_number="+1",
        supervisor_party_id="p-6",
        monitored_party_id=party,
        session_id="s-1",
        headers=headers,  # type: ignore[arg-type]
    )
    assert dict(correlation_headers(offer)) == {
        "p-rc-api-ids": "party-id=p-6;session-id=s-1",
        "p-rc-api-monitoring-ids": expected,
    }


def offered(**changes: object) -> MediaLine:
    fields: dict[str, object] = {"host": "10.0.0.1", "port": 50400, "payload_types": (111, 9, 0, 8, 101)}
    return MediaLine(**{**fields, **changes})  # type: ignore[arg-type]


def test_what_is_rendered_reads_back() -> None:
    secured = offered(
        profile="RTP/SAVP",
        cryptos=tuple(Crypto(tag=tag, suite=suite, key=KEY) for tag, suite in enumerate(sdp.SUITES, 1)),
    )
    body = sdp.render([secured, offered(direction="recvonly")], host="10.0.0.1", session=7)
    assert sdp.parse(body) == (secured, offered(direction="recvonly"))
    assert b"a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:AAEC" in body


@pytest.mark.parametrize("row", ["m=audio", "c=IN", "m=audio 1 RTP/AVP 0\r\na=crypto:1 X inline:!"])
def test_a_description_that_cannot_be_read_is_an_error(row: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        sdp.parse(f"v=0\r\n{row}\r\n".encode())


def test_the_answers_first_sendable_codec_and_its_crypto_tag_count() -> None:
    ours = offered(cryptos=(Crypto(tag=1, suite=sdp.SUITES[0], key=KEY), Crypto(tag=2, suite=sdp.SUITES[1], key=KEY)))
    theirs = offered(host="10.9.9.9", port=4000, payload_types=(8, 0), direction="recvonly")
    assert sdp.settle(ours, theirs) is None
    keyed = offered(
        port=4000,
        payload_types=(8, 0),
        direction="sendonly",
        cryptos=(Crypto(tag=2, suite=sdp.SUITES[1], key=b""),),
    )
    agreed = sdp.settle(ours, keyed)
    assert agreed is not None
    assert (agreed.payload_type, agreed.crypto, agreed.sending) == (8, ours.cryptos[1], False)


@pytest.mark.parametrize("changes", [{"port": 0}, {"payload_types": (9, 111)}, {"media": "video"}])
def test_a_line_that_we_cannot_serve_settles_to_nothing(changes: dict[str, object]) -> None:
    assert sdp.settle(offered(), offered(**changes)) is None


def test_our_answer_echoes_the_tag_and_mirrors_the_direction() -> None:
    theirs = offered(
        profile="RTP/SAVP",
        direction="sendonly",
        cryptos=(
            Crypto(tag=3, suite="AES_256_CM_HMAC_SHA1_80", key=b"x"),
            Crypto(tag=5, suite=sdp.SUITES[0], key=b"y"),
        ),
    )
    ours = sdp.answer_to(theirs, host="h", port=40000, key=KEY)
    assert ours.cryptos == (Crypto(tag=5, suite=sdp.SUITES[0], key=KEY),)
    assert (ours.payload_types, ours.direction) == ((0,), "recvonly")


def test_companding_agrees_with_the_reference_for_every_sample() -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    assert encode_mu_law(every) == audioop.lin2ulaw(every.tobytes(), 2)
    assert encode_a_law(every) == audioop.lin2alaw(every.tobytes(), 2)


def test_packets_are_numbered_and_only_the_first_is_marked() -> None:
    packetizer = Packetizer(8, random.Random(1))
    first, second = (struct.unpack("!BBHII", packetizer.packet(b"x" * 160)[:12]) for _ in range(2))
    packetizer.skip(320)
    third = struct.unpack("!BBHII", packetizer.packet(b"x" * 160)[:12])
    assert (first[0], first[1], second[1]) == (0x80, 0x88, 0x08)
    assert (second[2] - first[2], third[2] - second[2]) == (1, 1)
    assert ((second[3] - first[3]) % 2**32, (third[3] - second[3]) % 2**32) == (160, 480)
    assert first[4] == second[4] == third[4]


@pytest.mark.parametrize(
    ("suite", "profile", "tag_bytes"),
    [
        (sdp.SUITES[0], Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 10),
        (sdp.SUITES[1], Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 4),
    ],
)
def test_both_suites_protect(suite: str, profile: int, tag_bytes: int) -> None:
    packet = Packetizer(0, random.Random(1)).packet(b"x" * 160)
    sealed = protection(Crypto(tag=1, suite=suite, key=KEY))(packet)
    assert len(sealed) == len(packet) + tag_bytes
    receiver = Session(Policy(key=KEY, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
    assert receiver.unprotect(sealed) == packet


def test_the_network_is_repeatable_and_loses_about_what_it_should() -> None:
    impairments = Impairments(loss=0.25, reorder=0.1, jitter_ms=10, seed=3)
    fates = [Network(impairments, leg=1) for _ in range(2)]
    drawn = [[network.delay_s() for _ in range(4000)] for network in fates]
    assert drawn[0] == drawn[1]
    lost = drawn[0].count(None) / 4000
    assert 0.22 < lost < 0.28
    delays = [delay for delay in drawn[0] if delay is not None]
    assert 0.07 < sum(delay >= 0.03 for delay in delays) / len(delays) < 0.13


def test_a_perfect_network_delays_nothing() -> None:
    network = Network(Impairments(), leg=1)
    assert {network.delay_s() for _ in range(100)} == {0.0}
