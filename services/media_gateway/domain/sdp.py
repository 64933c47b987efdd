"""Session descriptions (RFC 4566, 3264, 4568): read the peer's, write ours.

Ours names our own RTP sockets, one codec and telephone events. Media lines we do not take are answered with
port 0, so that the answer has as many lines as the offer.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

SUITE = "AES_CM_128_HMAC_SHA1_80"
SUITES = (SUITE, "AES_CM_128_HMAC_SHA1_32")
KEY_BYTES = 30
_CODECS = {"0": "PCMU", "8": "PCMA"}
_ANSWERED_DIRECTION = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


@dataclass(frozen=True, slots=True)
class Crypto:
    """One SDES line: `key` is the 30 bytes of master key and salt."""

    tag: int
    suite: str
    key: bytes


@dataclass(frozen=True, slots=True)
class MediaLine:
    """One `m=` line of the peer. `payload_type` is the G.711 variant to use, None when it offers none."""

    kind: str
    host: str
    port: int
    profile: str
    formats: tuple[str, ...]
    payload_type: int | None
    event_payload_type: int | None
    direction: str
    crypto: Crypto | None
    information: str | None

    @property
    def usable(self) -> bool:
        """Whether we can listen to this line."""
        secure = self.profile == "RTP/SAVP"
        known = self.profile in ("RTP/AVP", "RTP/SAVP")
        return (
            self.kind == "audio"
            and self.port > 0
            and known
            and self.payload_type is not None
            and (self.crypto is not None or not secure)
        )


@dataclass(frozen=True, slots=True)
class LocalLine:
    """What we say about one line: our port, and our SDES line when the profile is secure."""

    port: int
    crypto: Crypto | None


def parse_sdp(text: str) -> tuple[MediaLine, ...]:
    """Return the media lines of `text` in order; unknown attributes are ignored."""
    session: list[str] = []
    sections: list[list[str]] = []
    for raw in text.replace("\r\n", "\n").split("\n"):
        line = raw.strip()
        if line.startswith("m="):
            sections.append([line])
        elif line:
            (sections[-1] if sections else session).append(line)
    host = _connection(session) or ""
    session_direction = _direction(session) or "sendrecv"
    return tuple(_media(section, host, session_direction) for section in sections)


def choose_lines(
    lines: tuple[MediaLine, ...], parties: tuple[str | None, ...], own_party: str | None, limit: int
) -> tuple[int, ...]:
    """Return the indexes of the lines to listen to: the first usable one, more only when each names its party.

    A line that carries our own party is passed over when there is another.
    """
    usable = [index for index, line in enumerate(lines) if line.usable]
    if own_party is not None:
        usable = [index for index in usable if parties[index] != own_party] or usable
    named: dict[str, int] = {}
    for index in usable:
        party = parties[index]
        if party is not None:
            named.setdefault(party, index)
    if len(named) > 1:
        return tuple(sorted(named.values()))[:limit]
    return tuple(usable[:1])


def build_answer(offer: tuple[MediaLine, ...], ours: dict[int, LocalLine], host: str) -> str:
    """Return our answer: lines in `ours` (by index in the offer) are taken, the others refused."""
    text = _session(host)
    for index, line in enumerate(offer):
        local = ours.get(index)
        if local is None or line.payload_type is None:
            text.append(f"m={line.kind} 0 {line.profile} {line.formats[0] if line.formats else '0'}")
            continue
        direction = _ANSWERED_DIRECTION[line.direction]
        text += _audio(local, line.profile, line.payload_type, line.event_payload_type, direction)
    return "\r\n".join(text) + "\r\n"


def build_offer(local: LocalLine, host: str) -> str:
    """Return our offer of one audio line, for an INVITE that came without a description."""
    profile = "RTP/SAVP" if local.crypto else "RTP/AVP"
    return "\r\n".join(_session(host) + _audio(local, profile, 0, 101, "sendrecv")) + "\r\n"


def _session(host: str) -> list[str]:
    return ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]


def _audio(local: LocalLine, profile: str, codec: int, events: int | None, direction: str) -> list[str]:
    formats = f"{codec}" if events is None else f"{codec} {events}"
    out = [f"m=audio {local.port} {profile} {formats}", f"a=rtpmap:{codec} {_CODECS[str(codec)]}/8000"]
    if events is not None:
        out += [f"a=rtpmap:{events} telephone-event/8000", f"a=fmtp:{events} 0-15"]
    out += ["a=ptime:20", f"a={direction}"]
    if local.crypto is not None:
        key = base64.b64encode(local.crypto.key).decode()
        out.append(f"a=crypto:{local.crypto.tag} {local.crypto.suite} inline:{key}")
    return out


def _media(section: list[str], session_host: str, session_direction: str) -> MediaLine:
    words = section[0][2:].split()
    kind, port, profile, formats = words[0], int(words[1].split("/")[0]), words[2], tuple(words[3:])
    information = next((line[2:] for line in section if line.startswith("i=")), None)
    codec = next((int(name) for name in formats if name in _CODECS), None)
    host = _connection(section) or session_host
    return MediaLine(
        kind=kind,
        host=host,
        port=port,
        profile=profile,
        formats=formats,
        payload_type=codec,
        event_payload_type=_events(section),
        direction=_direction(section) or session_direction,
        crypto=_crypto(section),
        information=information,
    )


def _connection(section: list[str]) -> str | None:
    for line in section:
        if line.startswith("c="):
            return line.split()[2].split("/")[0]
    return None


def _direction(section: list[str]) -> str | None:
    for line in section:
        if line[2:] in _ANSWERED_DIRECTION and line.startswith("a="):
            return line[2:]
    return None


def _events(section: list[str]) -> int | None:
    for line in section:
        if line.startswith("a=rtpmap:") and line.lower().split()[-1].startswith("telephone-event/8000"):
            return int(line[len("a=rtpmap:") :].split()[0])
    return None


def _crypto(section: list[str]) -> Crypto | None:
    best: Crypto | None = None
    for line in section:
        if not line.startswith("a=crypto:"):
            continue
        words = line[len("a=crypto:") :].split()
        if len(words) < 3 or words[1] not in SUITES or not words[2].startswith("inline:"):
            continue
        key = base64.b64decode(words[2][len("inline:") :].split("|")[0])
        if len(key) == KEY_BYTES and (best is None or SUITES.index(words[1]) < SUITES.index(best.suite)):
            best = Crypto(int(words[0]), words[1], key)
    return best
