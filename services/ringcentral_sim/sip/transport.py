"""Flows: the paths on which SIP messages travel, over UDP, TCP and TLS. Bytes in, bytes out; no SIP here.

A flow is where a registration came from, and requests to that client go back on it (RFC 5626). All on one loop.
"""

from __future__ import annotations

import asyncio
from typing import Literal, Protocol, cast

from services.ringcentral_sim.sip.messages import PING, PONG, StreamFramer

Transport = Literal["UDP", "TCP", "TLS"]
Address = tuple[str, int]


class Flow(Protocol):
    """One path to one client; equal to itself, and over UDP to any other to the same address."""

    transport: Transport
    reliable: bool
    peer: Address
    sent_by: Address

    def __hash__(self) -> int: ...

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""

    def send(self, data: bytes) -> None:
        """Send one message; on a closed flow it is lost."""


class Receiver(Protocol):
    """What takes the messages in."""

    def on_message(self, flow: Flow, data: bytes) -> None:
        """One whole message came in on `flow`."""

    def on_closed(self, flow: Flow) -> None:
        """`flow` is gone."""


class UdpFlow:
    """The way to one UDP source address."""

    transport: Transport = "UDP"
    reliable = False

    def __init__(self, endpoint: UdpEndpoint, peer: Address, sent_by: Address) -> None:
        self._endpoint = endpoint
        self.peer = peer
        self.sent_by = sent_by

    @property
    def closed(self) -> bool:
        """False while the server's socket is open."""
        return self._endpoint.closed

    def send(self, data: bytes) -> None:
        """One datagram."""
        self._endpoint.send(data, self.peer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UdpFlow) and other.peer == self.peer

    def __hash__(self) -> int:
        return hash(self.peer)


class UdpEndpoint(asyncio.DatagramProtocol):
    """The UDP port; makes a flow of each source."""

    def __init__(self, receiver: Receiver, public_host: str) -> None:
        self._receiver = receiver
        self._public_host = public_host
        self._transport: asyncio.DatagramTransport | None = None
        self.address: Address = ("", 0)

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        return self._transport is None or self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is bound."""
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """A message or a keepalive; keepalives over UDP ask for no answer."""
        if data.strip(b"\r\n\x00 "):
            peer = (str(addr[0]), int(addr[1]))
            self._receiver.on_message(UdpFlow(self, peer, (self._public_host, self.address[1])), data)

    def send(self, data: bytes, peer: Address) -> None:
        """One datagram to `peer`."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, peer)

    def close(self) -> None:
        """Release the port."""
        if self._transport is not None:
            self._transport.close()


class StreamFlow(asyncio.Protocol):
    """One accepted TCP or TLS connection; answers pings by itself."""

    reliable = True

    def __init__(self, receiver: Receiver, transport: Transport, public_host: str) -> None:
        self.transport = transport
        self.peer: Address = ("", 0)
        self.sent_by: Address = ("", 0)
        self._receiver = receiver
        self._public_host = public_host
        self._framer = StreamFramer()
        self._stream: asyncio.Transport | None = None

    @property
    def closed(self) -> bool:
        """Whether the connection is gone or going."""
        return self._stream is None or self._stream.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._stream = cast(asyncio.Transport, transport)
        self.peer = transport.get_extra_info("peername")[:2]
        self.sent_by = (self._public_host, transport.get_extra_info("sockname")[1])

    def data_received(self, data: bytes) -> None:
        """Bytes of the stream; one that cannot be followed is closed."""
        try:
            messages = self._framer.feed(data)
        except ValueError:
            self.close()
            return
        for message in messages:
            if message == PING:
                self.send(PONG)
            else:
                self._receiver.on_message(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._stream = None
        self._receiver.on_closed(self)

    def send(self, data: bytes) -> None:
        """Write one message."""
        if self._stream is not None and not self._stream.is_closing():
            self._stream.write(data)

    def close(self) -> None:
        """Close at once."""
        if self._stream is not None:
            self._stream.abort()
