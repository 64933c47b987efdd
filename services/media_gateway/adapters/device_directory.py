"""The supervisors' devices and their SIP credentials, by RingCentral's REST API."""

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
    """A DeviceDirectory: the Existing Phone devices of each supervisor's extension."""

    def __init__(self, settings: RingCentralSettings, device_ids: str, client: RingCentralClient | None = None) -> None:
        """`device_ids` are separated by commas, empty for all; `client` stands in for the one supervisor's in tests."""
        identities = settings.supervisor_identities()
        self._supervisors = [
            _Supervisor(client or RingCentralClient(settings, jwt=identity.jwt), identity.device_ids)
            for identity in identities
        ]
        self._wanted = tuple(name.strip() for name in device_ids.split(",") if name.strip())

    async def sip_devices(self) -> list[SipCredentials]:
        """Return the devices to register, those named by MEDIA_GATEWAY_DEVICE_IDS or all."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> list[SipCredentials]:
        found: dict[str, SipCredentials] = {}
        refused: list[RingCentralRefused] = []
        for supervisor in self._supervisors:
            try:
                for credentials in supervisor.devices(self._wanted):
                    found.setdefault(credentials.device_id, credentials)
            except RingCentralRefused as refusal:
                if refusal.status not in HOPELESS:
                    raise Transient(str(refusal), retry_after_ms=refusal.retry_after_ms) from None
                log.error("supervisor_has_no_devices", status=refusal.status, error_code=refusal.error_code)
                refused.append(refusal)
        if len(refused) == len(self._supervisors):
            raise Fatal(f"RingCentral refused the device list: {refused[0]}")
        missing = set(self._wanted) - found.keys()
        if missing:
            named = ", ".join(sorted(missing))
            raise Fatal(f"MEDIA_GATEWAY_DEVICE_IDS: the supervisor has no Existing Phone device {named}")
        return list(found.values())


class _Supervisor:
    """One identity's view of RingCentral; `device_ids` empty: all of its devices."""

    def __init__(self, client: RingCentralClient, device_ids: tuple[str, ...]) -> None:
        self._client = client
        self._device_ids = device_ids

    def devices(self, wanted: tuple[str, ...]) -> list[SipCredentials]:
        """Credentials of this extension's devices; `wanted` empty: of all."""
        records = list(self._client.pages(DEVICES_PATH, {"type": DEVICE_TYPE}))
        return [self._credentials(r) for r in records if self._is_ours(str(r.get("id")), wanted)]

    def _is_ours(self, device_id: str, wanted: tuple[str, ...]) -> bool:
        return all(not chosen or device_id in chosen for chosen in (wanted, self._device_ids))

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
