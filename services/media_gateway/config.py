"""Settings of the media gateway."""

from __future__ import annotations

import ssl
from typing import Literal

from pydantic import Field, model_validator

from services.chassis.settings import RingCentralSettings, ServiceSettings
from services.media_gateway.domain.leg_stream import StreamSettings


def _system_ca_file() -> str:
    return ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"


class MediaGatewaySettings(ServiceSettings, RingCentralSettings):
    """Everything the media gateway reads from its environment."""

    device_ids: str = Field(
        "",
        validation_alias="MEDIA_GATEWAY_DEVICE_IDS",
        description="device ids to register, separated by commas; empty: all Existing Phone devices of the supervisor",
    )
    sip_transport: Literal["udp", "tcp", "tls"] = Field(
        "tls", validation_alias="MEDIA_GATEWAY_SIP_TRANSPORT", description="udp, tcp or tls (tls brings SRTP)"
    )
    sip_proxy: str = Field(
        "",
        validation_alias="MEDIA_GATEWAY_SIP_PROXY",
        description="host:port of the outbound proxy; empty: the first that sip-info names",
    )
    tls_verify: bool = Field(
        True, validation_alias="MEDIA_GATEWAY_TLS_VERIFY", description="check the SIP server's certificate"
    )
    tls_ca_file: str = Field(
        default_factory=_system_ca_file,
        validation_alias="MEDIA_GATEWAY_TLS_CA_FILE",
        description="CA bundle to check it with",
    )
    bind_host: str = Field(
        "0.0.0.0", validation_alias="MEDIA_GATEWAY_BIND_HOST", description="address that SIP and RTP sockets bind"
    )
    media_host: str = Field(
        "",
        validation_alias="MEDIA_GATEWAY_MEDIA_HOST",
        description="address that RTP is asked to come to; empty: ours towards the proxy",
    )
    rtp_port_first: int = Field(
        30000, ge=1024, le=65534, validation_alias="MEDIA_GATEWAY_RTP_PORT_FIRST", description="first RTP port"
    )
    rtp_port_last: int = Field(
        33999, ge=1024, le=65535, validation_alias="MEDIA_GATEWAY_RTP_PORT_LAST", description="last RTP port"
    )
    rtp_port_cool_down_s: float = Field(
        10.0, ge=0, validation_alias="MEDIA_GATEWAY_RTP_PORT_COOL_DOWN_S", description="rest of a port after a leg"
    )
    register_s: int = Field(
        60, ge=10, le=3600, validation_alias="MEDIA_GATEWAY_REGISTER_S", description="registration time asked for"
    )
    chunk_ms: int = Field(
        200, ge=20, le=1000, validation_alias="MEDIA_GATEWAY_CHUNK_MS", description="audio in a record"
    )
    reorder_wait_ms: int = Field(
        80, ge=0, le=1000, validation_alias="MEDIA_GATEWAY_REORDER_WAIT_MS", description="wait for a late packet"
    )
    silence_ms: int = Field(
        5000, ge=500, validation_alias="MEDIA_GATEWAY_SILENCE_MS", description="time without RTP that is reported"
    )
    gap_report_ms: int = Field(
        500, ge=1, validation_alias="MEDIA_GATEWAY_GAP_REPORT_MS", description="shortest gap that is reported by itself"
    )
    drain_s: float = Field(
        2.0,
        ge=0,
        validation_alias="MEDIA_GATEWAY_DRAIN_S",
        description="how long calls may go on after a stop is asked for, before they are ended",
    )

    @model_validator(mode="after")
    def _ports_are_a_range(self) -> MediaGatewaySettings:
        if self.rtp_port_last - self.rtp_port_first < 16:
            raise ValueError("MEDIA_GATEWAY_RTP_PORT_LAST must be at least 16 above MEDIA_GATEWAY_RTP_PORT_FIRST")
        return self

    def stream_settings(self) -> StreamSettings:
        """How legs are received."""
        return StreamSettings(chunk_ms=self.chunk_ms, reorder_wait_ms=self.reorder_wait_ms)
