"""A small soft phone to test the simulator with: registers, answers by itself, latches, and keeps what it hears.

One asyncio loop. It shares no code with the simulator: what both get wrong the same way would go unseen.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import ssl
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from pylibsrtp import Error as SrtpError
from pylibsrtp import Policy, Session
from sipmessage import URI, Message, Request, Response

Address = tuple[str, int]
QUIET_TURNS = 3


@dataclass(slots=True)
class UaCall(asyncio.DatagramProtocol):
    """A call that the phone took: `packets` are (sequence, timestamp, marker, payload) as they arrived."""

    invite: Request
    secure: bool
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    acked: asyncio.Event = field(default_factory=asyncio.Event)
    ack: Request | None = None
    packets: list[tuple[int, int, bool, bytes]] = field(default_factory=list)
    payload_types: set[int] = field(default_factory=set)
    undecodable: int = 0
    offer_sdp: str = ""
    own_key: bytes = field(default_factory=lambda: secrets.token_bytes(30))
    answer_from: str = ""
    transport: asyncio.DatagramTransport | None = None
    _decrypt: Callable[[bytes], bytes] = bytes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The RTP socket is bound."""
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Keep one RTP packet."""
        try:
            packet = self._decrypt(data)
        except SrtpError:
            self.undecodable += 1
            return
        sequence, timestamp = int.from_bytes(packet[2:4], "big"), int.from_bytes(packet[4:8], "big")
        self.payload_types.add(packet[1] & 0x7F)
        self.packets.append((sequence, timestamp, bool(packet[1] & 0x80), packet[12:]))

    def read_remote(self, sdp: str) -> None:
        """Take the simulator's description: where to latch, and the key it sends under."""
        self.offer_sdp = sdp
        if keys := re.findall(r"a=crypto:\d+ AES_CM_128_HMAC_SHA1_80 inline:(\S+)", sdp):
            policy = Policy(key=b64decode(keys[0]), ssrc_type=Policy.SSRC_ANY_INBOUND)
            self._decrypt = Session(policy).unprotect

    def latch(self, data: bytes = b"hello") -> None:
        """Show the simulator where we listen, as real clients do with a dummy datagram."""
        host, port = re.search(r"c=IN IP4 (\S+)", self.offer_sdp), re.search(r"m=audio (\d+)", self.offer_sdp)
        assert host is not None
        assert port is not None
        assert self.transport is not None
        self.transport.sendto(data, (host.group(1), int(port.group(1))))

    async def heard_whole(self) -> None:
        """Wait for the BYE, and read what arrived before it: a turn of the loop reads one datagram a socket."""
        await self.ended.wait()
        heard, quiet_turns = -1, 0
        while quiet_turns < QUIET_TURNS:
            known, heard = heard, len(self.packets) + self.undecodable
            quiet_turns = quiet_turns + 1 if heard == known else 0
            await asyncio.sleep(0)

    def payloads(self) -> bytes:
        """The payloads in the order they were sent."""
        return b"".join(payload for _, _, _, payload in sorted(self.packets))


class SipUa(asyncio.Protocol, asyncio.DatagramProtocol):
    """A soft phone for one account over UDP, TCP or TLS."""

    def __init__(self, transport: str, server: Address, *, user: str, auth_id: str, password: str, domain: str) -> None:
        self.transport, self.server, self.user, self.auth_id = transport, server, user, auth_id
        self.password, self.domain, self.instance = password, domain, f"urn:uuid:{secrets.token_hex(8)}"
        self.calls: asyncio.Queue[UaCall] = asyncio.Queue()
        self.by_call_id: dict[str, UaCall] = {}
        self.answer_code, self.deaf, self.auto_latch = 200, False, True
        self.codec, self.crypto = 0, True
        self.ringing: Request | None = None
        self.invites: list[bytes] = []
        self.replies: asyncio.Queue[Response] = asyncio.Queue()
        self.requests: list[str] = []
        self.pongs, self._buffer, self._cseq, self._call_id = 0, b"", 0, secrets.token_hex(8)
        self._io: asyncio.BaseTransport | None = None
        self.local: Address = ("", 0)

    async def start(self) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        if self.transport == "UDP":
            await loop.create_datagram_endpoint(lambda: self, remote_addr=self.server)
            return
        context = None
        if self.transport == "TLS":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        await loop.create_connection(lambda: self, *self.server, ssl=context)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._io, self.local = transport, transport.get_extra_info("sockname")[:2]

    def close(self) -> None:
        """Vanish without a word."""
        assert self._io is not None
        self._io.close()
        for call in self.by_call_id.values():
            if call.transport is not None:
                call.transport.close()

    def send(self, data: bytes) -> None:
        """Raw bytes to the server."""
        assert self._io is not None
        (self._io.sendto if self.transport == "UDP" else self._io.write)(data)  # type: ignore[attr-defined]

    def datagram_received(self, data: bytes, addr: object) -> None:
        """One message over UDP."""
        self._on_message(data)

    def data_received(self, data: bytes) -> None:
        """A piece of the stream."""
        self._buffer += data
        while self._buffer:
            if self._buffer.startswith(b"\r\n"):
                self.pongs, self._buffer = self.pongs + 1, self._buffer[2:]
                continue
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length:\s*(\d+)", head.lower())
            size = int(length.group(1)) if length else 0
            if not found or len(rest) < size:
                return
            self._buffer = rest[size:]
            self._on_message(head + found + rest[:size])

    @property
    def contact(self) -> str:
        """Our Contact URI."""
        return f"sip:{self.user}@{self.local[0]}:{self.local[1]};transport={self.transport};ob"

    async def register(self, expires: int = 3600) -> Response:
        """REGISTER, proving the password when asked; returns the last answer."""
        response = await self._register(expires, None)
        if response.code != 401:
            return response
        challenge = response.www_authenticate
        assert challenge is not None
        nonce, uri = challenge.parameters["nonce"], f"sip:{self.domain}"
        ha1 = _md5(f"{self.auth_id}:{challenge.parameters['realm']}:{self.password}")
        proof = _md5(f"{ha1}:{nonce}:{_md5(f'REGISTER:{uri}')}")
        who = f'username="{self.auth_id}", realm="{self.domain}"'
        return await self._register(expires, f'Digest {who}, nonce="{nonce}", uri="{uri}", response="{proof}"')

    async def _register(self, expires: int, authorization: str | None) -> Response:
        headers = {
            "Contact": f'<{self.contact}>;reg-id=1;+sip.instance="<{self.instance}>"',
            "Expires": str(expires),
        }
        if authorization:
            headers["Authorization"] = authorization
        aor = f"<sip:{self.user}@{self.domain}>"
        return await self.request("REGISTER", f"sip:{self.domain}", aor, f"{aor};tag=ua", self._call_id, headers)

    async def request(
        self,
        method: str,
        uri: str,
        to: str,
        from_: str,
        call_id: str,
        headers: dict[str, str],
        body: bytes = b"",
    ) -> Response:
        """Send any request and wait for its final answer."""
        self._cseq += 1
        request = Request(method, URI.parse(uri), body)
        sent_by, branch = f"{self.local[0]}:{self.local[1]}", f"z9hG4bK{secrets.token_hex(6)}"
        request.headers.set("Via", f"SIP/2.0/{self.transport} {sent_by};rport;branch={branch}")
        fixed = {"From": from_, "To": to, "Call-ID": call_id, "CSeq": f"{self._cseq} {method}"}
        for name, value in {**fixed, **headers, "Content-Length": str(len(body))}.items():
            request.headers.set(name, value)
        self.send(bytes(request))
        async with asyncio.timeout(5):
            while True:
                response = await self.replies.get()
                if response.code >= 200 and response.cseq.sequence == self._cseq:
                    return response

    async def in_dialog(self, call: UaCall, method: str, body: bytes = b"", session_expires: str = "") -> Response:
        """A request within a call that we took."""
        invite, headers = call.invite, {"Contact": f"<{self.contact}>"}
        if body:
            headers["Content-Type"] = "application/sdp"
        if session_expires:
            headers["Session-Expires"] = session_expires
        return await self.request(
            method,
            str(invite.contact[0].uri),
            invite.headers["From"],
            call.answer_from,
            invite.call_id,
            headers,
            body,
        )

    def _on_message(self, data: bytes) -> None:
        message = Message.parse(data)
        if isinstance(message, Response):
            self.replies.put_nowait(message)
            return
        self.requests.append(message.method)
        call = self.by_call_id.get(message.call_id)
        if message.method == "INVITE":
            self.invites.append(data)
            if call is None and not self.deaf:
                asyncio.get_running_loop().create_task(self._answer(message))
        elif message.method == "ACK" and call is not None:
            call.ack = message
            if message.body:
                call.read_remote(message.body.decode())
                call.latch()
            call.acked.set()
        elif message.method == "BYE" and call is not None:
            self.send(bytes(_reply(message, 200, "OK")))
            call.ended.set()
        elif message.method == "CANCEL":
            self.send(bytes(_reply(message, 200, "OK")))
            if self.ringing is not None:
                self.send(bytes(_reply(self.ringing, 487, "Request Terminated")))

    async def _answer(self, invite: Request) -> None:
        self.send(bytes(_reply(invite, 100, "Trying")))
        if self.answer_code != 200:
            self.ringing = invite if self.answer_code < 200 else None
            self.send(bytes(_reply(invite, self.answer_code, "No")))
            return
        call = UaCall(invite, secure=self.transport == "TLS")
        self.by_call_id[invite.call_id] = call
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: call, local_addr=("127.0.0.1", 0))
        if invite.body:
            call.read_remote(invite.body.decode())
        response = _reply(invite, 200, "OK")
        call.answer_from = response.headers["To"]
        response.headers.set("Contact", f"<{self.contact}>")
        response.headers.set("Content-Type", "application/sdp")
        response.body = self.sdp(call)
        response.headers.set("Content-Length", str(len(response.body)))
        self.send(bytes(response))
        if invite.body and self.auto_latch:
            call.latch()
        self.calls.put_nowait(call)

    def sdp(self, call: UaCall, direction: str = "recvonly") -> bytes:
        """Our description: one codec, and on TLS one key; further audio lines are refused."""
        assert call.transport is not None
        port = call.transport.get_extra_info("sockname")[1]
        key = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{b64encode(call.own_key).decode()}\r\n"
        profile = "RTP/SAVP" if call.secure else "RTP/AVP"
        refused = "".join("m=audio 0 RTP/AVP 0\r\n" for _ in re.findall("m=audio", call.offer_sdp)[1:])
        return (
            f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {port} {profile} {self.codec}\r\n{key if call.secure else ''}a={direction}\r\n{refused}"
        ).encode()


def _reply(request: Request, code: int, phrase: str) -> Response:
    response = Response(code, phrase)
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        response.headers.setlist(name, list(request.headers.getlist(name)))
    if code > 100 and "tag=" not in response.headers["To"]:
        response.headers.set("To", f"{response.headers['To']};tag=phone")
    response.headers.set("Content-Length", "0")
    return response


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
