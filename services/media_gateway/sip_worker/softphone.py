"""pjsua2 behind a small face: one account, signalling only, media on the gateway's own sockets.

All calls into the library come from the one thread that owns the `Softphone`; its callbacks run inside `turn`
and are wrapped, because an exception that leaves one can end the process. The library's own media sees a loop
transport: `onCallSdpCreated` puts the gateway's ports and keys into every description before it is sent.
"""

from __future__ import annotations

import ctypes
import importlib.util
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pjsua2 as pj
import structlog

from services.media_gateway.domain.sdp import choose_lines, parse_sdp
from services.media_gateway.domain.sip_link import Configure, Ended, InviteReceived, Message, Ready, Registration
from services.media_gateway.domain.sip_text import (
    MONITORING_HEADER,
    OWN_HEADER,
    body,
    header,
    parse_api_ids,
    parse_line_party,
)
from services.media_gateway.sip_worker.calls import CallMedia, SipCall, ids_of

log = structlog.get_logger()

_TRANSPORTS = {
    "udp": pj.PJSIP_TRANSPORT_UDP,
    "tcp": pj.PJSIP_TRANSPORT_TCP,
    "tls": pj.PJSIP_TRANSPORT_TLS,
}


def most_calls() -> int:
    """Return how many calls the library was compiled for (asking for more is silently clamped)."""
    extension = importlib.util.find_spec("pjsua2._pjsua2")
    assert extension is not None
    return int(ctypes.CDLL(str(extension.origin)).pjsua_call_get_max_count())


class _Account(pj.Account):  # type: ignore[misc]
    """Forwards the account's callbacks."""

    def __init__(self, softphone: Softphone) -> None:
        super().__init__()
        self._softphone = softphone

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        guarded(self._softphone.on_registration, int(prm.code), int(prm.expiration))

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        guarded(self._softphone.on_incoming, int(prm.callId), str(prm.rdata.wholeMsg), str(prm.rdata.srcAddress))


def guarded(callback: Callable[..., None], *arguments: Any) -> None:
    """Run a callback's work; an error is logged by its type and goes no further."""
    try:
        callback(*arguments)
    except Exception as error:  # noqa: BLE001 - leaving a pjsua2 callback by exception may abort the process
        log.error("sip_callback_failed", callback=callback.__name__, error=type(error).__name__)


class Softphone:
    """One registered device. Not thread-safe."""

    def __init__(self, configuration: Configure, send: Callable[[Message], None]) -> None:
        """Start the library and register. Raises `pj.Error` when the library refuses."""
        self.configuration = configuration
        self.send = send
        self.calls: dict[int, SipCall] = {}
        self._ended: list[SipCall] = []
        self._ports: deque[int] = deque()
        self._next_call = 1
        self._registered = False
        self._proxy_hosts = _addresses(configuration.proxy.rpartition(":")[0])
        self._endpoint = pj.Endpoint()
        self._endpoint.libCreate()
        self._endpoint.libInit(_endpoint_configuration())
        self._endpoint.transportCreate(_TRANSPORTS[configuration.transport], _transport_configuration(configuration))
        self._endpoint.libStart()
        self._endpoint.audDevManager().setNoDev()
        for codec in self._endpoint.codecEnum2():
            priority = {"PCMU/8000/1": 255, "PCMA/8000/1": 254}.get(codec.codecId, 0)
            self._endpoint.codecSetPriority(codec.codecId, priority)
        self._account: _Account | None = None
        self._to_end: list[tuple[SipCall, int]] = []
        send(Ready(capacity=most_calls()))

    @property
    def deciding(self) -> bool:
        """Whether a call waits for Answer or Decline."""
        return any(not call.decided for call in self.calls.values())

    def grant(self, ports: list[int]) -> None:
        """Take ports for calls to come. The first ones let the device register: an INVITE may follow at once."""
        self._ports.extend(ports)
        if self._account is None:
            self._account = _Account(self)
            self._account.create(_account_configuration(self.configuration))

    @property
    def account(self) -> Any:
        """The library's account; there is one by the time there are calls."""
        return self._account

    def turn(self, wait_ms: int) -> None:
        """Let the library work for at most `wait_ms`."""
        self._endpoint.libHandleEvents(0 if self._to_end else wait_ms)
        to_end, self._to_end = self._to_end, []
        for call, status_code in to_end:
            guarded(call.end, status_code)
        self._ended.clear()

    def end_later(self, call: SipCall, status_code: int) -> None:
        """End a call from within a callback about it, where the library cannot bear it (it aborts)."""
        call.decided = True
        self._to_end.append((call, status_code))

    def answer(self, number: int) -> None:
        """Answer with 200. A call that is gone by now is passed over."""
        call = self.calls.get(number)
        if call is not None:
            guarded(call.answer_ok)

    def decline(self, number: int, status_code: int) -> None:
        """Refuse with `status_code`."""
        call = self.calls.get(number)
        if call is not None:
            guarded(call.end, status_code)

    def hang_up(self, number: int) -> None:
        """End with BYE."""
        call = self.calls.get(number)
        if call is not None:
            guarded(call.end, 0)

    def stop(self, deadline: float) -> None:
        """BYE all calls, unregister, tear the library down; `deadline` on the monotonic clock."""
        for call in list(self.calls.values()):
            guarded(call.end, 0)
        while self.calls and time.monotonic() < deadline:
            self.turn(20)
        if self._account is not None and self._registered:
            guarded(self._account.setRegistration, False)
            while self._registered and time.monotonic() < deadline:
                self.turn(20)
        self.calls.clear()
        self._ended.clear()
        if self._account is not None:
            guarded(self._account.shutdown)
        guarded(self._endpoint.libDestroy)

    def on_registration(self, status_code: int, expires_s: int) -> None:
        """Report the outcome of a REGISTER."""
        online = 200 <= status_code < 300 and expires_s > 0
        self._registered = online
        if online:
            self._proxy_hosts |= _addresses(self.configuration.proxy.rpartition(":")[0])
        self.send(Registration(online=online, status_code=status_code, expires_s=expires_s if online else 0))

    def on_incoming(self, call_id: int, message: str, source: str) -> None:
        """Offer an INVITE of our proxy to the gateway; refuse any other."""
        call = SipCall(self, call_id, self._next_call)
        self._next_call += 1
        self.calls[call.number] = call
        if source.rpartition(":")[0].strip("[]") not in self._proxy_hosts:
            log.warning("invite_refused", reason="not_from_proxy")
            self.end_later(call, 403)
            return
        offer = parse_sdp(body(message))
        parties = tuple(parse_line_party(line.information) for line in offer)
        names = tuple(ids.party_id if ids else None for ids in parties)
        own = parse_api_ids(header(message, OWN_HEADER))
        chosen = choose_lines(offer, names, own.party_id if own else None, limit=2)
        if offer and not chosen:
            log.warning("invite_refused", reason="no_usable_media")
            self.end_later(call, 488)
            return
        wanted = max(1, len(chosen))
        if len(self._ports) < wanted:
            log.warning("invite_refused", reason="no_rtp_port")
            self.end_later(call, 486)
            return
        ports = [self._ports.popleft() for _ in range(wanted)]
        call.media = CallMedia(ports=ports, offer=offer, chosen=chosen, parties=parties)
        self.send(
            InviteReceived(
                call=call.number,
                sip_call_id=header(message, "Call-ID") or header(message, "i") or "",
                ports=ports,
                monitored=ids_of(parse_api_ids(header(message, MONITORING_HEADER))),
                own=ids_of(own),
                line_parties=[ids_of(parties[index]) for index in chosen],
                has_offer=bool(offer),
            )
        )

    def on_ended(self, call: SipCall, status_code: int) -> None:
        """Forget a call; its object lives until the current turn is over, as the library still uses it."""
        if self.calls.pop(call.number, None) is None:
            return
        self._ended.append(call)
        if call.media is not None:
            self.send(Ended(call=call.number, status_code=status_code, by_peer=not call.ended_by_us))


def _addresses(host: str) -> set[str]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {str(entry[4][0]) for entry in found}


def _endpoint_configuration() -> Any:
    """The low-idle recipe: no threads of the library's own, no sound device, no media clock."""
    configuration = pj.EpConfig()
    configuration.uaConfig.threadCnt = 0
    configuration.uaConfig.mainThreadOnly = True
    configuration.uaConfig.userAgent = "Earshot"
    configuration.uaConfig.maxCalls = most_calls()
    configuration.medConfig.hasIoqueue = False
    configuration.medConfig.threadCnt = 0
    configuration.logConfig.level = 0
    configuration.logConfig.consoleLevel = 0
    return configuration


def _transport_configuration(configuration: Configure) -> Any:
    transport = pj.TransportConfig()
    transport.boundAddress = configuration.bind_host
    if configuration.transport == "tls":
        transport.tlsConfig.verifyServer = configuration.tls_verify
        if configuration.tls_verify:
            transport.tlsConfig.CaListFile = configuration.tls_ca_file
    return transport


def _account_configuration(configuration: Configure) -> Any:
    account = pj.AccountConfig()
    transport = configuration.transport
    suffix = "" if transport == "udp" else f";transport={transport}"
    account.idUri = f"sip:{configuration.user_name}@{configuration.domain}"
    account.regConfig.registrarUri = f"sip:{configuration.domain}{suffix}"
    account.regConfig.timeoutSec = configuration.register_s
    account.regConfig.retryIntervalSec = 5
    account.regConfig.firstRetryIntervalSec = 1
    account.regConfig.randomRetryIntervalSec = 2
    account.sipConfig.proxies.append(f"sip:{configuration.proxy}{suffix};lr")
    account.sipConfig.authCreds.append(
        pj.AuthCredInfo("digest", "*", configuration.authorization_id, 0, configuration.password)
    )
    instance = f"<urn:uuid:{configuration.instance_id}>"
    if transport == "udp":
        # The library leaves the instance out over UDP; RingCentral counts bindings by it on any transport.
        account.natConfig.sipOutboundUse = 0
        account.regConfig.contactParams = f';reg-id=1;+sip.instance="{instance}"'
    else:
        account.natConfig.sipOutboundUse = 1
        account.natConfig.sipOutboundInstanceId = instance
    account.mediaConfig.useLoopMedTp = True
    if transport == "tls":
        account.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
        account.mediaConfig.srtpSecureSignaling = 0
    return account
