"""The line protocol between the gateway and its SIP worker: one JSON object a line, either way.

This module is the whole of what the two processes share; the worker's SIP library stays on its side.
Keys and passwords travel here, so the link is a socket pair that only the two processes hold.
"""

from __future__ import annotations

import msgspec


class Message(msgspec.Struct, frozen=True, tag_field="type", omit_defaults=True):
    """A line of the protocol."""


class Ids(msgspec.Struct, frozen=True, omit_defaults=True):
    """A party of a telephony session as an INVITE names it."""

    call_id: str | None = None
    party_id: str | None = None


class AgreedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One media line both sides agreed on: our port, the peer's address, SRTP keys (base64) when secure."""

    port: int
    remote_host: str
    remote_port: int
    payload_type: int
    direction: str
    suite: str | None = None
    receive_key: str | None = None
    send_key: str | None = None
    party: Ids | None = None


class Configure(Message, frozen=True, tag="configure"):
    """First line to the worker: the device to register. `proxy` is `host:port`."""

    device_id: str
    user_name: str
    domain: str
    authorization_id: str
    password: str
    proxy: str
    transport: str
    tls_verify: bool
    tls_ca_file: str
    instance_id: str
    register_s: int
    bind_host: str
    media_host: str


class GrantPorts(Message, frozen=True, tag="grant_ports"):
    """RTP ports whose sockets the gateway has open; each serves one media line of one call."""

    ports: list[int]


class Answer(Message, frozen=True, tag="answer"):
    """Answer the call with 200."""

    call: int


class Decline(Message, frozen=True, tag="decline"):
    """Refuse the call."""

    call: int
    status_code: int = 603


class HangUp(Message, frozen=True, tag="hang_up"):
    """End the call with BYE."""

    call: int


class Stop(Message, frozen=True, tag="stop"):
    """End all calls, unregister, exit."""


class Ready(Message, frozen=True, tag="ready"):
    """The SIP library is up and takes `capacity` calls at once."""

    capacity: int


class Alive(Message, frozen=True, tag="alive"):
    """The worker's loop turns."""


class Registration(Message, frozen=True, tag="registration"):
    """The outcome of a REGISTER; `expires_s` is what the server granted."""

    online: bool
    status_code: int
    expires_s: int = 0


class InviteReceived(Message, frozen=True, tag="invite_received"):
    """A call is offered; it rings until Answer or Decline. `ports` were taken from the granted ones."""

    call: int
    sip_call_id: str
    ports: list[int]
    monitored: Ids | None = None
    own: Ids | None = None
    line_parties: list[Ids | None] = []
    has_offer: bool = True


class MediaAgreed(Message, frozen=True, tag="media_agreed"):
    """What was negotiated, at the answer and again at each re-INVITE."""

    call: int
    lines: list[AgreedLine]


class Confirmed(Message, frozen=True, tag="confirmed"):
    """The peer acknowledged our answer."""

    call: int


class Ended(Message, frozen=True, tag="ended"):
    """The call is over; its ports are free. `by_peer` when a BYE or CANCEL ended it."""

    call: int
    status_code: int
    by_peer: bool


ToWorker = Configure | GrantPorts | Answer | Decline | HangUp | Stop
FromWorker = Ready | Alive | Registration | InviteReceived | MediaAgreed | Confirmed | Ended

_encoder = msgspec.json.Encoder()
_to_worker: msgspec.json.Decoder[ToWorker] = msgspec.json.Decoder(ToWorker)
_from_worker: msgspec.json.Decoder[FromWorker] = msgspec.json.Decoder(FromWorker)


def encode(message: Message) -> bytes:
    """Return the line for `message`, newline included."""
    return _encoder.encode(message) + b"\n"


def decode_to_worker(line: bytes) -> ToWorker:
    """Read a line sent by the gateway. Raises msgspec.MsgspecError when it is not of the protocol."""
    return _to_worker.decode(line)


def decode_from_worker(line: bytes) -> FromWorker:
    """Read a line sent by the worker. Raises msgspec.MsgspecError when it is not of the protocol."""
    return _from_worker.decode(line)
