"""The supervisor's devices and their SIP credentials, by RingCentral's REST API."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from services.chassis.errors import Fatal, Transient
from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.chassis.settings import RingCentralSettings
from services.media_gateway.domain.device import Proxy, SipCredentials

log = structlog.get_logger()
DEVICES_PATH = "/restapi/v1.0/account/~/extension/~/device"
# "Existing Phone" in the portal: the one kind that a third party's SIP stack may register as.
DEVICE_TYPE = "OtherPhone"
HOPELESS = frozenset({400, 403, 404})


class RestDeviceDirectory:
    """A DeviceDirectory: the Existing Phone devices of the extension that owns the JWT."""

    def __init__(self, settings: RingCentralSettings, device_ids: str, client: RingCentralClient | None = None) -> None:
        """`device_ids` are separated by commas, empty for all; `client` stands in for RingCentral's in tests."""
        self._client = client or RingCentralClient(settings)
        self._wanted = tuple(name.strip() for name in device_ids.split(",") if name.strip())

    async def sip_devices(self) -> list[SipCredentials]:
        """Return the devices to register, those named by MEDIA_GATEWAY_DEVICE_IDS or all."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> list[SipCredentials]:
        try:
            records = list(self._client.pages(DEVICES_PATH, {"type": DEVICE_TYPE}))
            chosen = [r for r in records if not self._wanted or str(r.get("id")) in self._wanted]
            missing = set(self._wanted) - {str(r.get("id")) for r in chosen}
            if missing:
                named = ", ".join(sorted(missing))
                raise Fatal(f"MEDIA_GATEWAY_DEVICE_IDS: the supervisor has no Existing Phone device {named}")
            return [self._credentials(record) for record in chosen]
        except RingCentralRefused as refusal:
            if refusal.status in HOPELESS:
                raise Fatal(f"RingCentral refused the device list: {refusal}") from None
            raise Transient(str(refusal), retry_after_ms=refusal.retry_after_ms) from None

    def _credentials(self, record: dict[str, Any]) -> SipCredentials:
        device_id = str(record["id"])
        info = self._client.get(f"/restapi/v1.0/account/~/device/{device_id}/sip-info")
        return sip_credentials(device_id, str((record.get("extension") or {}).get("id", "")), info)


def sip_credentials(device_id: str, extension_id: str, info: dict[str, Any]) -> SipCredentials:
    """Return the credentials in a sip-info reply. Raises Fatal, naming the field, when one is missing."""
    try:
        return SipCredentials(
            device_id=device_id,
            extension_id=extension_id,
            domain=str(info["domain"]).partition(":")[0],
            user_name=str(info["userName"]),
            authorization_id=str(info["authorizationId"]),
            password=str(info["password"]),
            proxies=tuple(
                Proxy(region=str(p.get("region", "")), plain=str(p.get("proxy", "")), tls=str(p.get("proxyTLS", "")))
                for p in info.get("outboundProxies") or ()
            ),
        )
    except KeyError as error:
        raise Fatal(f"sip-info of device {device_id} has no {error.args[0]}") from None
