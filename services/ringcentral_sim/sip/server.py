"""The SIP server of the simulator: takes registrations, places supervise calls. Shell code on one asyncio loop."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sipmessage import Message, Request, Response

from services.ringcentral_sim.sip import certificate
from services.ringcentral_sim.sip.accounts import SipAccount
from services.ringcentral_sim.sip.dialog import open_dialog
from services.ringcentral_sim.sip.leg import SuperviseLeg
from services.ringcentral_sim.sip.media import Pacer, PcmSource, RtpLine, open_line
from services.ringcentral_sim.sip.messages import ALLOW, SUPPORTED, answer, with_body
from services.ringcentral_sim.sip.negotiation import LegMedia
from services.ringcentral_sim.sip.options import (
    Impairments,
    InviteRefused,
    InviteTimeout,
    SipOptions,
    SuperviseOffer,
)
from services.ringcentral_sim.sip.registrar import Binding, Registrar
from services.ringcentral_sim.sip.rtp import Network
from services.ringcentral_sim.sip.sdp import MASTER_KEY_BYTES
from services.ringcentral_sim.sip.transport import Address, Flow, StreamFlow, Transport, UdpEndpoint

__all__ = [
    "Impairments",
    "InviteRefused",
    "InviteTimeout",
    "PcmSource",
    "SipAddresses",
    "SipOptions",
    "SipServer",
    "SuperviseLeg",
    "SuperviseOffer",
]

log = structlog.get_logger()

_REMEMBERED_RESPONSES = 512
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")


@dataclass(frozen=True, slots=True, kw_only=True)
class SipAddresses:
    """Where the server listens."""

    udp: Address
    tcp: Address
    tls: Address


class SipServer:
    """RingCentral's SIP edge for `accounts`. Ports given as 0 are chosen by the system."""

    def __init__(
        self,
        accounts: Sequence[SipAccount],
        *,
        host: str,
        udp_port: int,
        tcp_port: int,
        tls_port: int,
        options: SipOptions,
    ) -> None:
        self._accounts = {account.device_id: account for account in accounts}
        self._host = host
        self._public_host = options.public_host or host
        self._ports = (udp_port, tcp_port, tls_port)
        self._options = options
        self._registrar: Registrar[Flow] = Registrar(accounts, options, secrets.token_bytes(16))
        self._rng = random.SystemRandom()
        self._legs: dict[str, SuperviseLeg] = {}
        self._legs_placed = 0
        self._responses: OrderedDict[tuple[str, str, str], bytes] = OrderedDict()
        self._streams: set[StreamFlow] = set()
        self._listeners: list[asyncio.Server] = []
        self._udp: UdpEndpoint | None = None
        self.certificate_pem = b""

    async def start(self) -> SipAddresses:
        """Bind the three ports. OSError when one is taken."""
        self._loop = asyncio.get_running_loop()
        self._pacer = Pacer(self._loop)
        domains = frozenset(account.domain for account in self._accounts.values())
        self.certificate_pem, key_pem = certificate.self_signed(self._public_host, domains, datetime.now(UTC))
        context = certificate.server_context(self.certificate_pem, key_pem)
        udp_port, tcp_port, tls_port = self._ports
        _, self._udp = await self._loop.create_datagram_endpoint(
            lambda: UdpEndpoint(self, self._public_host), local_addr=(self._host, udp_port)
        )
        tcp = await self._loop.create_server(lambda: self._accept("TCP"), self._host, tcp_port)
        tls = await self._loop.create_server(lambda: self._accept("TLS"), self._host, tls_port, ssl=context)
        self._listeners = [tcp, tls]
        return SipAddresses(
            udp=self._udp.address,
            tcp=tcp.sockets[0].getsockname()[:2],
            tls=tls.sockets[0].getsockname()[:2],
        )

    async def stop(self) -> None:
        """Drop all calls and connections and release the ports."""
        for leg in tuple(self._legs.values()):
            leg.abandon()
        self._legs.clear()
        for listener in self._listeners:
            listener.close()
        for stream in tuple(self._streams):
            stream.close()
        if self._udp is not None:
            self._udp.close()
        for listener in self._listeners:
            await listener.wait_closed()

    def is_registered(self, device_id: str) -> bool:
        """Whether the device can be called now."""
        return self._binding(device_id) is not None

    def drop_connections(self, device_id: str) -> None:
        """Reset the connection that the device is registered over, if it is one: a fault to test against."""
        binding = self._binding(device_id)
        if binding is not None and isinstance(binding.flow, StreamFlow):
            binding.flow.close()

    async def invite(self, offer: SuperviseOffer) -> SuperviseLeg:
        """Place a supervise call; returns once it is answered and acknowledged.

        InviteRefused: the device said no, or is not there (480). InviteTimeout: no final answer in time.
        """
        binding = self._binding(offer.device_id)
        if binding is None:
            raise InviteRefused(480, "Temporarily Unavailable")
        account = self._accounts[offer.device_id]
        flow = binding.flow
        media = await self._open_media(offer, secure=flow.transport == "TLS")
        dialog = open_dialog(
            offer,
            transport=flow.transport,
            sent_by=flow.sent_by,
            remote=f"<sip:{account.user_name}@{account.domain}>",
            contact_uri=binding.uri,
            call_id=secrets.token_hex(16),
            tag=f"{self._public_host}-{flow.sent_by[1]}-{secrets.token_hex(6)}",
            branch=_new_branch(),
            sequence=self._rng.randrange(1, 100_000),
        )
        leg = SuperviseLeg(
            offer,
            flow,
            dialog,
            media,
            options=self._options,
            new_branch=_new_branch,
            vsa=f"Ky{secrets.token_hex(8)}",
            on_gone=self._forget,
        )
        self._legs[leg.call_id] = leg
        leg.place()
        await leg.answered()
        return leg

    def on_message(self, flow: Flow, data: bytes) -> None:
        """One message from a client; what cannot be read is dropped."""
        try:
            message = Message.parse(data)
            if any(message.headers.get(name) is None for name in _MANDATORY):
                raise ValueError("a mandatory header is missing")
            if isinstance(message, Response):
                if (leg := self._legs.get(message.call_id)) is not None:
                    leg.on_response(message)
            elif message.method != "ACK":
                self._on_request(flow, message)
        except ValueError:
            log.warning("sip_message_unreadable", transport=flow.transport)

    def on_closed(self, flow: Flow) -> None:
        """A connection is gone, and with it what was registered over it."""
        if isinstance(flow, StreamFlow):
            self._streams.discard(flow)
        self._registrar.drop_flow(flow)
        for leg in tuple(self._legs.values()):
            if leg.flow == flow:
                leg.on_flow_closed()

    def _forget(self, leg: SuperviseLeg) -> None:
        self._legs.pop(leg.call_id, None)

    def _accept(self, transport: Transport) -> StreamFlow:
        flow = StreamFlow(self, transport, self._public_host)
        self._streams.add(flow)
        return flow

    def _binding(self, device_id: str) -> Binding[Flow] | None:
        return self._registrar.newest(device_id, self._loop.time())

    async def _open_media(self, offer: SuperviseOffer, *, secure: bool) -> LegMedia:
        informations: list[str | None] = [None]
        if offer.two_media_lines:
            parties = (offer.supervisor_party_id, offer.monitored_party_id)
            informations = [f"{offer.session_id} party-id={party}" for party in parties]
        self._legs_placed += 1
        lines: list[RtpLine] = []
        for place in range(len(informations)):
            network = Network(self._options.impairments, self._legs_placed * 2 + place)
            lines.append(await open_line(self._host, self._options.rtp_ports, self._pacer, network, self._rng))
        return LegMedia(
            lines,
            informations,
            host=self._public_host,
            secure=secure,
            session=self._rng.getrandbits(31),
            options=self._options,
            key=lambda: secrets.token_bytes(MASTER_KEY_BYTES),
        )

    def _on_request(self, flow: Flow, request: Request) -> None:
        branch = request.headers["Via"].partition("branch=")[2].partition(";")[0]
        transaction = (branch, request.method, request.call_id)
        if (known := self._responses.get(transaction)) is not None:
            flow.send(known)
            return
        if request.method == "REGISTER":
            flow.send(bytes(answer(request, 100, "Trying", flow.peer)))
        try:
            response = bytes(self._respond(flow, request))
        except ValueError:
            code, phrase = (488, "Not Acceptable Here") if request.method == "INVITE" else (400, "Bad Request")
            response = bytes(answer(request, code, phrase, flow.peer, to_tag=secrets.token_hex(5)))
        self._responses[transaction] = response
        if len(self._responses) > _REMEMBERED_RESPONSES:
            self._responses.popitem(last=False)
        flow.send(response)

    def _respond(self, flow: Flow, request: Request) -> Response:
        def reply(code: int, phrase: str) -> Response:
            return answer(request, code, phrase, flow.peer, to_tag=secrets.token_hex(5))

        leg = self._legs.get(request.call_id)
        match request.method:
            case "REGISTER":
                return self._register(flow, request, reply(200, "OK"))
            case "OPTIONS":
                response = reply(200, "OK")
                response.headers.set("Allow", ALLOW)
                response.headers.set("Supported", SUPPORTED)
                return response
            case "BYE" if leg is not None:
                # Answered first, so that the reply is on its way whatever the end of the leg sets off.
                self._loop.call_soon(leg.on_bye)
                return reply(200, "OK")
            case "INVITE" if leg is not None:
                response = reply(200, "OK")
                with_body(response, leg.on_reinvite(request, flow), "application/sdp")
                return _refreshed(response, request, leg)
            case "UPDATE" if leg is not None and leg.on_update(request, flow):
                return _refreshed(reply(200, "OK"), request, leg)
            case "INFO" | "MESSAGE" | "NOTIFY" if leg is not None or request.method == "MESSAGE":
                return reply(200, "OK")
            case "INVITE":
                return reply(403, "Forbidden")
            case "SUBSCRIBE" | "PUBLISH" | "REFER":
                return reply(405, "Method Not Allowed")
            case _:
                return reply(481, "Call/Transaction Does Not Exist")

    def _register(self, flow: Flow, request: Request, response: Response) -> Response:
        outcome = self._registrar.register(request, flow, self._loop.time())
        log.info("sip_register_answered", transport=flow.transport, status=outcome.code)
        response.code, response.phrase = outcome.code, outcome.phrase
        for name, value in outcome.headers:
            response.headers.add(name, value)
        return response


def _refreshed(response: Response, request: Request, leg: SuperviseLeg) -> Response:
    """Complete a 200 within a dialog: our Contact, and the session timer as the client asked (RFC 4028)."""
    response.headers.set("Contact", leg.contact)
    response.headers.set("Supported", SUPPORTED)
    expires = request.headers.get("Session-Expires")
    if expires is not None:
        response.headers.set("Session-Expires", expires if "refresher" in expires else f"{expires};refresher=uac")
        response.headers.set("Require", "timer")
    return response


def _new_branch() -> str:
    return f"z9hG4bK{secrets.token_hex(10)}"
