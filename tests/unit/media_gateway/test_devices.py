from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from services.chassis.errors import Fatal, SettingError, Transient
from services.chassis.ringcentral import RingCentralRefused
from services.chassis.settings import load
from services.media_gateway.adapters.device_directory import RestDeviceDirectory
from services.media_gateway.app import worker_configuration
from services.media_gateway.config import MediaGatewaySettings

ENVIRON = {
    "RINGCENTRAL_CLIENT_ID": "id",
    "RINGCENTRAL_CLIENT_SECRET": "secret",
    "RINGCENTRAL_JWT": "jwt",
    "MEDIA_GATEWAY_MEDIA_HOST": "192.0.2.5",
}
SIP_INFO = {
    "domain": "sip.example.test:5060",
    "userName": "15550100200",
    "password": "s3cr3t",
    "authorizationId": "801",
    "outboundProxies": [
        {"region": "NA", "proxy": "sip20.example.test:5090", "proxyTLS": "sip20.example.test:5096"},
        {"region": "EMEA", "proxy": "sip40.example.test:5090"},
    ],
}


class FakeRest:
    """Two devices; `refusal` is raised instead of any reply."""

    def __init__(self, refusal: RingCentralRefused | None = None, info: dict[str, Any] | None = None) -> None:
        self.refusal = refusal
        self.info = SIP_INFO if info is None else info
        self.queries: list[Mapping[str, str] | None] = []

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        if self.refusal is not None:
            raise self.refusal
        self.queries.append(query)
        yield {"id": "801", "type": "OtherPhone", "status": "Offline", "extension": {"id": 700}}
        yield {"id": 802, "type": "OtherPhone", "status": "Online", "extension": {"id": 700}}

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self.info


def settings(**environ: str) -> MediaGatewaySettings:
    return load(MediaGatewaySettings, ENVIRON | environ)


def directory(rest: FakeRest, **environ: str) -> RestDeviceDirectory:
    told = settings(**environ)
    return RestDeviceDirectory(told, told.device_ids, client=rest)  # type: ignore[arg-type]


async def test_all_existing_phones_of_the_supervisor_register() -> None:
    rest = FakeRest()
    devices = await directory(rest).sip_devices()
    assert [(d.device_id, d.extension_id, d.domain) for d in devices] == [
        ("801", "700", "sip.example.test"),
        ("802", "700", "sip.example.test"),
    ]
    assert rest.queries == [{"type": "OtherPhone"}]
    assert devices[0].instance_id != devices[1].instance_id


async def test_only_the_named_ones_and_a_wrong_name_is_told() -> None:
    devices = await directory(FakeRest(), MEDIA_GATEWAY_DEVICE_IDS=" 802 ,").sip_devices()
    assert [d.device_id for d in devices] == ["802"]
    with pytest.raises(Fatal, match=r"MEDIA_GATEWAY_DEVICE_IDS.*999"):
        await directory(FakeRest(), MEDIA_GATEWAY_DEVICE_IDS="802,999").sip_devices()


@pytest.mark.parametrize(("status", "error"), [(0, Transient), (429, Transient), (503, Transient), (403, Fatal)])
async def test_what_a_refusal_means(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        await directory(FakeRest(RingCentralRefused(status, "CMN-401"))).sip_devices()


async def test_sip_info_without_a_field_is_told_by_the_fields_name() -> None:
    with pytest.raises(Fatal, match="801 has no password"):
        await directory(FakeRest(info={k: v for k, v in SIP_INFO.items() if k != "password"})).sip_devices()


async def test_the_worker_is_told_the_proxy_of_its_transport() -> None:
    device = (await directory(FakeRest()).sip_devices())[0]
    assert worker_configuration(device, settings()).proxy == "sip20.example.test:5096"
    plain = worker_configuration(device, settings(MEDIA_GATEWAY_SIP_TRANSPORT="udp"))
    assert (plain.proxy, plain.transport) == ("sip20.example.test:5090", "udp")
    named = worker_configuration(device, settings(MEDIA_GATEWAY_SIP_PROXY="192.0.2.9:5096"))
    assert (named.proxy, named.media_host) == ("192.0.2.9:5096", "192.0.2.5")
    assert "s3cr3t" not in repr(device)


async def test_no_proxy_for_the_transport_names_the_setting() -> None:
    device = (await directory(FakeRest(info={**SIP_INFO, "outboundProxies": []})).sip_devices())[0]
    with pytest.raises(SettingError, match="MEDIA_GATEWAY_SIP_PROXY"):
        worker_configuration(device, settings())


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"MEDIA_GATEWAY_SIP_TRANSPORT": "ws"}, "MEDIA_GATEWAY_SIP_TRANSPORT"),
        ({"MEDIA_GATEWAY_RTP_PORT_FIRST": "40000"}, "MEDIA_GATEWAY_RTP_PORT_LAST"),
        ({"MEDIA_GATEWAY_CHUNK_MS": "5"}, "MEDIA_GATEWAY_CHUNK_MS"),
    ],
)
def test_a_wrong_setting_is_named(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingError, match=named):
        settings(**environ)


async def test_each_identity_of_the_pool_brings_its_own_devices() -> None:
    pool = '["one", {"jwt": "two", "device_ids": ["902"]}]'
    many = RestDeviceDirectory(settings(RINGCENTRAL_JWTS=pool), "")
    first, second = many._supervisors
    first._client = FakeRest()  # type: ignore[assignment]
    second._client = OtherRest()  # type: ignore[assignment]

    devices = await many.sip_devices()

    assert [(d.device_id, d.extension_id) for d in devices] == [("801", "700"), ("802", "700"), ("902", "701")]

    first._client = FakeRest(RingCentralRefused(403, "CMN-401"))  # type: ignore[assignment]
    assert [d.device_id for d in await many.sip_devices()] == ["902"]


class OtherRest(FakeRest):
    """Another supervisor's two devices."""

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        for device_id in ("901", "902"):
            yield {"id": device_id, "type": "OtherPhone", "status": "Offline", "extension": {"id": 701}}
