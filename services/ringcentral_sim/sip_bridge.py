"""The SIP server behind the core's `SipSide` port: words and errors are translated, nothing else."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from dataclasses import asdict

from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.domain.company import Company
from services.ringcentral_sim.domain.ports import InviteRefused, SipAddresses, SuperviseLeg, SuperviseOffer
from services.ringcentral_sim.sip import options as sip
from services.ringcentral_sim.sip.accounts import SipAccount
from services.ringcentral_sim.sip.server import SipServer

ATTEMPTS = 20


def accounts_of(company: Company) -> list[SipAccount]:
    """Every device that has a SIP password; the authorization id is the device id."""
    return [
        SipAccount(
            device_id=device.id,
            auth_id=device.id,
            user_name=device.user_name,
            password=device.password,
            domain=company.sip_domain,
        )
        for device in company.devices.values()
        if device.password
    ]


def sip_options(settings: SimulatorSettings) -> sip.SipOptions:
    """The SIP side's knobs, from the settings."""
    return sip.SipOptions(
        public_host=advertised_host(settings),
        max_expires_s=settings.sip_max_expires_s,
        rtp_ports=(settings.rtp_first_port, settings.rtp_last_port),
        silence_bye_s=settings.sip_silence_bye_s,
    )


def advertised_host(settings: SimulatorSettings) -> str:
    """The IP address that sip-info and SDP name: SDP takes no 0.0.0.0 and clients resolve no container names."""
    if settings.sip_public_host:
        return socket.gethostbyname(settings.sip_public_host)
    if settings.sip_host == "0.0.0.0":
        return socket.gethostbyname(socket.gethostname())
    return settings.sip_host


class SipBridge:
    """Implements `SipSide` on `SipServer`; UDP and TCP share a port, as a RingCentral `proxy` does."""

    def __init__(self, accounts: Sequence[SipAccount], settings: SimulatorSettings) -> None:
        self._accounts = accounts
        self._settings = settings
        self._server: SipServer | None = None

    async def start(self) -> SipAddresses:
        """Bind; a port of 0 is tried until one is free for UDP and TCP alike."""
        wanted = self._settings.sip_port
        for _ in range(1 if wanted else ATTEMPTS):
            port = wanted or _free_port(self._settings.sip_host)
            server = SipServer(
                self._accounts,
                host=self._settings.sip_host,
                udp_port=port,
                tcp_port=port,
                tls_port=self._settings.sip_tls_port,
                options=sip_options(self._settings),
            )
            try:
                bound = await server.start()
            except OSError:
                await server.stop()
                if wanted:
                    raise
                continue
            self._server = server
            host = advertised_host(self._settings)
            return SipAddresses(udp=(host, bound.udp[1]), tcp=(host, bound.tcp[1]), tls=(host, bound.tls[1]))
        raise OSError(errno.EADDRINUSE, "no port is free for SIP over both UDP and TCP")

    async def stop(self) -> None:
        """Drop calls and release the ports."""
        if self._server is not None:
            await self._server.stop()
            self._server = None

    def is_registered(self, device_id: str) -> bool:
        """A live registration of a known device."""
        return self._server is not None and self._server.is_registered(device_id)

    async def invite(self, offer: SuperviseOffer) -> SuperviseLeg:
        """Place the call; no answer in time counts as 408."""
        if self._server is None:
            raise InviteRefused(503, "Server Stopped")
        try:
            return await self._server.invite(sip.SuperviseOffer(**asdict(offer)))
        except sip.InviteRefused as refused:
            raise InviteRefused(refused.status, refused.reason) from None
        except sip.InviteTimeout:
            raise InviteRefused(408, "Request Timeout") from None

    @property
    def certificate_pem(self) -> bytes:
        """The self-signed certificate of the TLS port; empty before start."""
        return self._server.certificate_pem if self._server is not None else b""


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
