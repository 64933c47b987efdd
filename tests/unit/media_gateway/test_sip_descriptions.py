from __future__ import annotations

import base64

import pytest

from services.media_gateway.domain.sdp import (
    Crypto,
    LocalLine,
    build_answer,
    build_offer,
    choose_lines,
    parse_sdp,
)
from services.media_gateway.domain.sip_text import ApiIds, body, header, parse_api_ids, parse_line_party

KEY = bytes(range(30))
OTHER_KEY = bytes(range(30, 60))
INLINE = base64.b64encode(KEY).decode()
OFFER = f"""v=0
o=- 1 1 IN IP4 198.51.100.7
s=SmcSip
c=IN IP4 198.51.100.7
t=0 0
m=audio 50400 RTP/SAVP 111 9 0 18 96 8 109 101
a=rtpmap:111 OPUS/48000/2
a=rtpmap:0 pcmu/8000
a=rtpmap:8 pcma/8000
a=rtpmap:101 telephone-event/8000
a=crypto:1 AES_CM_256_HMAC_SHA1_80 inline:{"A" * 60}
a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{base64.b64encode(OTHER_KEY).decode()}
a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}|2^31|1:1
a=sendrecv
"""
TWO_LINES = """v=0
o=- 1 1 IN IP4 198.51.100.7
s=-
c=IN IP4 198.51.100.7
t=0 0
a=sendonly
m=audio 50400 RTP/AVP 0 101
i=s-1 party-id=p-1-6
a=rtpmap:101 telephone-event/8000
m=audio 50402 RTP/AVP 8
i=s-1 party-id=p-1-2
c=IN IP4 198.51.100.8
m=video 50404 RTP/AVP 99
m=audio 50406 RTP/AVP 9
"""


def test_an_offer_is_read() -> None:
    (line,) = parse_sdp(OFFER.replace("\n", "\r\n"))
    assert (line.host, line.port, line.profile, line.direction) == ("198.51.100.7", 50400, "RTP/SAVP", "sendrecv")
    assert (line.payload_type, line.event_payload_type, line.usable) == (0, 101, True)
    assert line.crypto == Crypto(3, "AES_CM_128_HMAC_SHA1_80", KEY), "the longest tag that we can do"


def test_the_answer_takes_one_codec_and_the_offers_crypto_tag() -> None:
    offer = parse_sdp(OFFER)
    answer = build_answer(offer, {0: LocalLine(30002, Crypto(3, "AES_CM_128_HMAC_SHA1_80", OTHER_KEY))}, "192.0.2.5")
    (line,) = parse_sdp(answer)
    assert (line.host, line.port, line.profile, line.formats) == ("192.0.2.5", 30002, "RTP/SAVP", ("0", "101"))
    assert line.crypto == Crypto(3, "AES_CM_128_HMAC_SHA1_80", OTHER_KEY)
    assert answer.endswith("\r\n")
    assert "a=rtcp" not in answer


def test_lines_not_taken_are_answered_with_port_0() -> None:
    offer = parse_sdp(TWO_LINES)
    answer = parse_sdp(build_answer(offer, {1: LocalLine(30004, None)}, "192.0.2.5"))
    assert [(line.kind, line.port) for line in answer] == [("audio", 0), ("audio", 30004), ("video", 0), ("audio", 0)]
    assert answer[1].direction == "recvonly", "sendonly is answered by recvonly"
    assert answer[1].formats == ("8",)


def test_line_addresses_and_session_defaults() -> None:
    first, second, video, wideband = parse_sdp(TWO_LINES)
    assert (first.host, second.host) == ("198.51.100.7", "198.51.100.8")
    assert {first.direction, second.direction} == {"sendonly"}
    assert (video.usable, wideband.usable) == (False, False)


@pytest.mark.parametrize(
    ("parties", "own", "chosen"),
    [
        ((None, None, None, None), None, (0,)),
        (("p-1-6", "p-1-2", None, None), "p-1-6", (1,)),
        (("p-1-7", "p-1-8", None, None), "p-1-6", (0, 1)),
        (("p-1-6", None, None, None), "p-1-6", (1,)),
        (("p-1-2", "p-1-2", None, None), None, (0,)),
    ],
)
def test_which_lines_are_listened_to(parties: tuple[str | None, ...], own: str | None, chosen: tuple[int, ...]) -> None:
    assert choose_lines(parse_sdp(TWO_LINES), parties, own, limit=2) == chosen


def test_a_secure_line_without_a_key_we_can_use_is_refused() -> None:
    assert not parse_sdp(OFFER.replace("AES_CM_128", "AEAD_AES_128"))[0].usable


def test_our_own_offer() -> None:
    (line,) = parse_sdp(build_offer(LocalLine(30002, Crypto(1, "AES_CM_128_HMAC_SHA1_80", KEY)), "192.0.2.5"))
    assert (line.profile, line.formats, line.direction, line.usable) == ("RTP/SAVP", ("0", "101"), "sendrecv", True)


MESSAGE = (
    "INVITE sip:15550100200@192.0.2.5 SIP/2.0\r\n"
    "From: <sip:+15550100111@198.51.100.7>;tag=1\r\n"
    "Call-Id: 198dd3ed\r\n"
    "P-Rc-Api-Monitoring-Ids: session-id=s-1;\r\n  party-id=p-1-2\r\n"
    "\r\n"
    "v=0\r\np-rc-api-ids: party-id=p-in-the-body\r\n"
)


def test_headers_are_found_in_any_case_and_folded_but_not_in_the_body() -> None:
    assert header(MESSAGE, "call-id") == "198dd3ed"
    assert header(MESSAGE, "p-rc-api-monitoring-ids") == "session-id=s-1; party-id=p-1-2"
    assert header(MESSAGE, "p-rc-api-ids") is None
    assert body(MESSAGE).startswith("v=0\n")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("party-id=p-1-2;session-id=s-1", ApiIds("s-1", "p-1-2")),
        (" session-id = s-1 ;  Party-Id= p-1-2 ", ApiIds("s-1", "p-1-2")),
        ("session-id=1;party-id=1-2", ApiIds("s-1", "p-1-2")),
        ("party-id=p-1-2", ApiIds(None, "p-1-2")),
        ("", None),
        (None, None),
        ("party-id=;nonsense", None),
    ],
)
def test_api_ids(text: str | None, ids: ApiIds | None) -> None:
    assert parse_api_ids(text) == ids


def test_the_party_of_a_media_line() -> None:
    assert parse_line_party("s-1 party-id=p-1-7") == ApiIds("s-1", "p-1-7")
    assert parse_line_party("party-id=1-7") == ApiIds(None, "p-1-7")
    assert parse_line_party("a note") is None
