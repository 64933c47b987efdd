"""Session descriptions as RingCentral writes them, and as much reading as its clients' answers need.

Offer and answer per RFC 3264, SRTP keys per RFC 4568. Only audio over `RTP/AVP` and `RTP/SAVP`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

PCMU = 0
PCMA = 8
SENDABLE = (PCMU, PCMA)
SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
MASTER_KEY_BYTES = 30

_FORMATS: dict[int, tuple[str, ...]] = {
    111: (
        "rtpmap:111 OPUS/48000/2",
        "fmtp:111 useinbandfec=1;usedtx=0",
        "rtcp-fb:111 ccm tmmbr",
    ),
    9: ("rtpmap:9 g722/8000",),
    PCMU: ("rtpmap:0 pcmu/8000",),
    18: ("rtpmap:18 g729/8000", "fmtp:18 annexb=no"),
    96: ("rtpmap:96 ilbc/8000", "fmtp:96 mode=20"),
    PCMA: ("rtpmap:8 pcma/8000",),
    109: ("rtpmap:109 OPUS/16000", "fmtp:109 useinbandfec=1"),
    101: ("rtpmap:101 telephone-event/8000", "fmtp:101 0-15"),
}
_OPPOSITE: dict[Direction, Direction] = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """One `a=crypto` line; `key` is master key and salt, 30 bytes."""

    tag: int
    suite: str
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLine:
    """One `m=` line. `port` 0 means refused."""

    host: str
    port: int
    payload_types: tuple[int, ...]
    media: str = "audio"
    profile: str = "RTP/AVP"
    direction: Direction = "sendrecv"
    cryptos: tuple[Crypto, ...] = ()
    information: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What one accepted line came to: where the client listens, what we send, under which of our keys."""

    payload_type: int
    host: str
    port: int
    crypto: Crypto | None
    sending: bool


def render(lines: Sequence[MediaLine], *, host: str, session: int) -> bytes:
    """The description of `lines`."""
    text = ["v=0", f"o=- {session} {session} IN IP4 {host}", "s=SmcSip", f"c=IN IP4 {host}", "t=0 0"]
    for line in lines:
        formats = " ".join(str(payload_type) for payload_type in line.payload_types)
        text.append(f"m={line.media} {line.port} {line.profile} {formats}")
        if line.port == 0:
            continue
        if line.information is not None:
            text.append(f"i={line.information}")
        text += [f"a={a}" for payload_type in line.payload_types for a in _FORMATS.get(payload_type, ())]
        text += [
            f"a=crypto:{crypto.tag} {crypto.suite} inline:{b64encode(crypto.key).decode()}" for crypto in line.cryptos
        ]
        text.append(f"a={line.direction}")
    return "".join(f"{row}\r\n" for row in text).encode()


def parse(body: bytes) -> tuple[MediaLine, ...]:
    """The media lines of a description; ValueError when it cannot be read."""
    lines: list[MediaLine] = []
    host, direction = "", "sendrecv"
    for row in body.decode().splitlines():
        kind, _, value = row.partition("=")
        if kind == "m":
            media, port, profile, *formats = value.split()
            numbers = tuple(int(number) for number in formats if number.isdigit())
            lines.append(
                replace(
                    MediaLine(host=host, port=int(port.partition("/")[0]), payload_types=numbers),
                    media=media,
                    profile=profile,
                    direction=_direction(direction) or "sendrecv",
                )
            )
        elif kind == "c":
            _, _, host_given = value.split()
            if lines:
                lines[-1] = replace(lines[-1], host=host_given)
            else:
                host = host_given
        elif kind == "a" and lines:
            lines[-1] = _with_attribute(lines[-1], value)
        elif kind == "a":
            direction = _direction(value) or direction
    return tuple(lines)


def _direction(value: str) -> Direction | None:
    return next((known for known in _OPPOSITE if known == value), None)


def _with_attribute(line: MediaLine, value: str) -> MediaLine:
    if (direction := _direction(value)) is not None:
        return replace(line, direction=direction)
    if value.startswith("crypto:"):
        tag, suite, inline = value.removeprefix("crypto:").split()[:3]
        key = b64decode(inline.removeprefix("inline:").partition("|")[0], validate=True)
        return replace(line, cryptos=(*line.cryptos, Crypto(tag=int(tag), suite=suite, key=key)))
    return line


def settle(ours: MediaLine, theirs: MediaLine) -> Agreement | None:
    """What our offered line and the client's answer to it agree on; None when there is nothing we can send.

    The client names the crypto line that it chose by its tag; the key that we send under is our own of that tag.
    """
    payload_type = next((number for number in theirs.payload_types if number in SENDABLE), None)
    if theirs.port == 0 or theirs.media != "audio" or payload_type is None:
        return None
    crypto = None
    if ours.cryptos:
        chosen = {crypto.tag for crypto in theirs.cryptos}
        crypto = next((crypto for crypto in ours.cryptos if crypto.tag in chosen), None)
        if crypto is None:
            return None
    return Agreement(
        payload_type=payload_type,
        host=theirs.host,
        port=theirs.port,
        crypto=crypto,
        sending=_sends(theirs),
    )


def answer_to(theirs: MediaLine, *, host: str, port: int, key: bytes) -> MediaLine:
    """Our answer to a line of the client's offer, refused (port 0) when we cannot serve it."""
    payload_type = next((number for number in theirs.payload_types if number in SENDABLE), None)
    crypto = next((crypto for crypto in theirs.cryptos if crypto.suite in SUITES), None)
    if theirs.port == 0 or payload_type is None or (theirs.profile == "RTP/SAVP" and crypto is None):
        return replace(theirs, port=0, host=host, cryptos=())
    return MediaLine(
        host=host,
        port=port,
        payload_types=(payload_type,),
        profile=theirs.profile,
        direction=_OPPOSITE[theirs.direction],
        cryptos=(replace(crypto, key=key),) if crypto is not None else (),
    )


def _sends(theirs: MediaLine) -> bool:
    return theirs.direction in ("sendrecv", "recvonly")
