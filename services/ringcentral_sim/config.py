"""Settings of the simulator, read from RINGCENTRAL_SIM_* variables; every credential is an obvious fake."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.ringcentral_sim.domain.company import APP_PERMISSIONS
from services.ringcentral_sim.domain.errors import ErrorShape
from services.ringcentral_sim.fault_options import FaultOptions


class SimulatorSettings(BaseSettings):
    """One frozen settings object; times are in the unit that the name ends with, and simulated (see `domain.pace`)."""

    model_config = SettingsConfigDict(env_prefix="RINGCENTRAL_SIM_", frozen=True, extra="ignore", validate_default=True)

    host: str = Field("127.0.0.1", description="address the HTTP server binds")
    port: int = Field(8090, ge=0, le=65535, description="HTTP port; 0 takes a free one")
    public_url: str = Field("", description="base URL to advertise; empty takes the request's own")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="lowest level logged")
    seed: int = Field(7, description="seed of the event delays")

    client_id: str = Field("sim-client-id", description="the app's client id")
    client_secret: str = Field("sim-client-secret", description="the app's client secret")
    jwt: str = Field("sim-jwt-supervisor", description="JWT of the supervisor extension 700200300")
    app_permissions: str = Field(
        " ".join(sorted(APP_PERMISSIONS)), description="the app's permissions, the scope of its logins (else CMN-401)"
    )
    issue_refresh_tokens: bool = Field(False, description="app setting: whether logins get a refresh token")
    access_token_ttl_s: int = Field(3600, ge=1, description="default life of an access token")
    max_sessions: int = Field(5, ge=1, description="parallel OAuth sessions a user; the oldest dies beyond it")

    rate_light: int = Field(50, ge=1, description="Light requests a minute and user")
    rate_medium: int = Field(40, ge=1, description="Medium requests a minute and user")
    rate_heavy: int = Field(10, ge=1, description="Heavy requests a minute and user")
    rate_auth: int = Field(5, ge=1, description="Auth requests a minute and user")
    rate_penalty_s: float = Field(60.0, ge=0, description="penalty, restarted by each request in it")

    more_agents: int = Field(0, ge=0, le=500, description="monitored agents beyond the five of the seed")
    supervisors: int = Field(
        0, ge=0, le=200, description="supervisors beyond the two of the seed (sim-jwt-supervisor-N)"
    )
    error_shape: ErrorShape = Field("errors", description="error bodies: errors, both, top, oauth, html, empty, mixed")
    faults: str = Field("", description="faults to begin with: JSON as POST /sim/faults takes it")
    speed: float = Field(1.0, gt=0, le=200, description="simulated seconds in a real one; above 1 needs media=paper")
    media: Literal["sip", "paper"] = Field("sip", description="supervision by real SIP, or by messages on /sim/media")
    max_legs_per_device: int = Field(0, ge=0, description="supervise calls a device takes before 486; 0 is no limit")

    sip_enabled: bool = Field(True, description="false starts no SIP server: supervision is then refused")
    sip_host: str = Field("127.0.0.1", description="address the SIP and RTP sockets bind")
    sip_public_host: str = Field(
        "", description="host that sip-info and SDP name; empty takes sip_host, or this host's address for 0.0.0.0"
    )
    sip_port: int = Field(5090, ge=0, le=65535, description="SIP over UDP and TCP; 0 takes a free one")
    sip_tls_port: int = Field(5096, ge=0, le=65535, description="SIP over TLS; 0 takes a free one")
    sip_max_expires_s: int = Field(60, ge=5, description="longest registration granted")
    sip_silence_bye_s: float | None = Field(None, gt=0, description="BYE a leg whose client sends no RTP so long")
    rtp_first_port: int = Field(0, ge=0, le=65535, description="first RTP port; 0 takes any free ones")
    rtp_last_port: int = Field(0, ge=0, le=65535, description="last RTP port")
    sip_domain: str = Field("sip.sim.example", description="SIP domain and digest realm")

    ws_recovery_buffer: int = Field(100, ge=1, description="notifications kept for recovery")
    ws_recovery_timeout_s: float = Field(180.0, ge=0, description="window in which a connection may be recovered")
    ws_idle_timeout_s: float = Field(1800.0, gt=0, description="silence of the client that ends in WSG-902")
    ws_absolute_timeout_s: float = Field(86400.0, gt=0, description="life of a connection, ended by WSG-903")
    ws_token_ttl_s: int = Field(30, ge=1, description="life of a wstoken; it works once")

    webhook_allow_http: bool = Field(True, description="accept http:// webhook addresses (SUB-523 otherwise)")
    webhook_timeout_s: float = Field(3.0, gt=0, description="time a webhook address has to answer")
    webhook_blacklist_after_s: float = Field(600.0, ge=0, description="failing for so long blacklists a webhook")

    max_filters: int = Field(0, ge=0, description="event filters a subscription takes (CMN-101 beyond); 0 is no limit")
    webhook_token_header: Literal["Verification-Token", "validation-token"] = Field(
        "Verification-Token", description="header that brings the verification token: the documentation shows both"
    )

    active_calls_lag_s: float = Field(5.0, ge=0, description="active-calls shows a call this late")
    active_calls_linger_s: float = Field(120.0, ge=0, description="active-calls keeps a finished call so long")
    call_log_lag_s: float = Field(20.0, ge=0, description="the call log shows a call so long after its end")
    event_delay_min_ms: int = Field(14, ge=0, description="shortest time from a change to its notification")
    event_delay_max_ms: int = Field(113, ge=0, description="longest time from a change to its notification")
    invite_delay_ms: int = Field(50, ge=0, description="from the supervise reply to the INVITE")

    start_audio: Literal["answered", "supervised"] = Field(
        "supervised", description="the conversation starts when answered, or when both parties are supervised"
    )
    start_audio_timeout_ms: int = Field(8000, ge=0, description="longest wait of start_audio=supervised")
    audio_root: Path | None = Field(None, description="folder that relative audio paths start from")

    @field_validator("faults")
    @classmethod
    def _readable(cls, text: str) -> str:
        if text:
            try:
                FaultOptions.model_validate_json(text)
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(map(str, first["loc"])) or "not JSON"
                raise ValueError(f"{where}: {first['msg']}") from None
        return text

    @field_validator("media")
    @classmethod
    def _no_fast_sip(cls, media: str, info: ValidationInfo) -> str:
        if media == "sip" and info.data.get("speed", 1.0) != 1.0:
            raise ValueError("a speed other than 1 needs media=paper: SIP and RTP run in real time")
        return media

    def first_faults(self) -> FaultOptions:
        """The faults to begin with."""
        return FaultOptions.model_validate_json(self.faults or "{}")
