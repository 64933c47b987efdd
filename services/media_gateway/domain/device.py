"""A supervisor's device, and the port through which the gateway learns its credentials."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Protocol

_NAMESPACE = uuid.UUID("6f1d9a3c-52f7-5b0e-9d53-0c2e7a1b8c44")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """One region's outbound proxies, `host:port`; either may be empty."""

    region: str
    plain: str
    tls: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SipCredentials:
    """What a device registers with."""

    device_id: str
    extension_id: str
    domain: str
    user_name: str
    authorization_id: str
    password: str = field(repr=False)
    proxies: tuple[Proxy, ...]

    def proxy(self, transport: str) -> str:
        """Return the first proxy for `transport` (udp, tcp or tls) as host:port; empty when there is none."""
        for proxy in self.proxies:
            address = proxy.tls if transport == "tls" else proxy.plain
            if address:
                return address
        return ""

    @property
    def instance_id(self) -> str:
        """The device's `+sip.instance`: the same after every restart, another for every device (RFC 5626)."""
        return str(uuid.uuid5(_NAMESPACE, self.device_id))


class DeviceDirectory(Protocol):
    """Where devices come from."""

    async def sip_devices(self) -> list[SipCredentials]:
        """Return the devices to register. Raises Transient or Fatal."""
        ...
