"""Settings of the assist gateway."""

from __future__ import annotations

from pathlib import Path

import msgspec
from pydantic import Field, SecretStr, field_validator

from services.assist_gateway.domain.access import Role
from services.chassis.errors import SettingError
from services.chassis.settings import ServiceSettings

HOUR_MS = 3_600_000
LEAST_KEY_LENGTH = 32


class AssistGatewaySettings(ServiceSettings):
    """Read from the environment."""

    host: str = Field(
        "0.0.0.0", validation_alias="ASSIST_GATEWAY_HOST", description="address of the WebSocket and the console"
    )
    port: int = Field(
        8080,
        ge=0,
        le=65535,
        validation_alias="ASSIST_GATEWAY_PORT",
        description="their port; 0 takes a free one and logs it",
    )
    jwt_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="ASSIST_GATEWAY_JWT_KEY",
        description="local key that signs the viewers' tokens (HS256), at least 32 characters, for development; empty "
        "with an identity provider",
    )
    jwks_url: str = Field(
        "",
        validation_alias="ASSIST_GATEWAY_JWKS_URL",
        description="address of the identity provider's signing keys (JWKS); empty without a local key: found through "
        "the issuer's discovery document",
    )
    jwt_issuer: str = Field(
        "",
        validation_alias="ASSIST_GATEWAY_JWT_ISSUER",
        description="issuer that tokens must name; required with an identity provider",
    )
    jwt_audience: str = Field(
        "",
        validation_alias="ASSIST_GATEWAY_JWT_AUDIENCE",
        description="audience that tokens must name; required with an identity provider",
    )
    jwt_leeway_ms: int = Field(
        30_000,
        ge=0,
        le=300_000,
        validation_alias="ASSIST_GATEWAY_JWT_LEEWAY_MS",
        description="by how much the provider's clock may differ from ours",
    )
    role_claim: str = Field(
        "role",
        min_length=1,
        validation_alias="ASSIST_GATEWAY_ROLE_CLAIM",
        description="claim with the viewer's role or list of roles; a path such as realm_access.roles is followed",
    )
    extension_claim: str = Field(
        "extension_id",
        min_length=1,
        validation_alias="ASSIST_GATEWAY_EXTENSION_CLAIM",
        description="claim with the viewer's RingCentral extension id; a path is followed",
    )
    roles: str = Field(
        "{}",
        validation_alias="ASSIST_GATEWAY_ROLES",
        description='JSON object: the provider\'s names of our roles, such as {"supervisor": ["team-leads"]}; a role '
        "that is not in it goes by its own name",
    )
    jwks_max_age_ms: int = Field(
        HOUR_MS,
        ge=1_000,
        validation_alias="ASSIST_GATEWAY_JWKS_MAX_AGE_MS",
        description="renew the provider's keys after so long; a key that it withdrew is good no longer than that",
    )
    jwks_pause_ms: int = Field(
        10_000,
        ge=0,
        validation_alias="ASSIST_GATEWAY_JWKS_PAUSE_MS",
        description="ask the provider at most once in so long, whatever tokens come; longer after failures",
    )
    jwks_timeout_ms: int = Field(
        5_000, ge=10, validation_alias="ASSIST_GATEWAY_JWKS_TIMEOUT_MS", description="longest wait for its answer"
    )
    ticket_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="ASSIST_GATEWAY_TICKET_KEY",
        description="key that signs tickets, at least 32 characters, the same for all replicas; empty: made from the "
        "local key, else at start, and good for this replica alone",
    )
    allowed_origins: str = Field(
        "",
        validation_alias="ASSIST_GATEWAY_ALLOWED_ORIGINS",
        description="origins, separated by commas, whose pages may embed <earshot-call> and ask over HTTP",
    )
    recordings: str = Field(
        ".run/recordings",
        validation_alias="ASSIST_GATEWAY_RECORDINGS",
        description="where recordings are found: the recorder's RECORDER_DESTINATION as it is reached from here",
    )
    listen_in: bool = Field(
        True,
        validation_alias="ASSIST_GATEWAY_LISTEN_IN",
        description="whether supervisors and admins may listen to live calls",
    )
    history_ms: int = Field(
        HOUR_MS,
        ge=0,
        validation_alias="ASSIST_GATEWAY_HISTORY_MS",
        description="at start, read transcripts, suggestions and the like of so long",
    )
    wall_ms: int = Field(
        10 * 60_000,
        ge=0,
        validation_alias="ASSIST_GATEWAY_WALL_MS",
        description="take a call from the wall so long after its end; then it is among the finished calls",
    )
    keep_ended_ms: int = Field(
        24 * HOUR_MS,
        ge=0,
        validation_alias="ASSIST_GATEWAY_KEEP_ENDED_MS",
        description="forget a finished call so long after its end; at start, outlines (state, outcome, alerts, "
        "summary, recording) of so long are read",
    )
    queue_limit: int = Field(
        1_000,
        ge=10,
        validation_alias="ASSIST_GATEWAY_QUEUE_LIMIT",
        description="messages that wait for a slow screen before it is given a fresh snapshot instead",
    )
    hello_timeout_ms: int = Field(
        5_000, ge=1, validation_alias="ASSIST_GATEWAY_HELLO_TIMEOUT_MS", description="longest wait for a screen's token"
    )
    console_dir: str = Field(
        str(Path(__file__).parent / "ui" / "dist"),
        validation_alias="ASSIST_GATEWAY_CONSOLE_DIR",
        description="folder of the built web console",
    )

    @field_validator("jwt_key", "ticket_key")
    @classmethod
    def _key_is_long_enough(cls, key: SecretStr) -> SecretStr:
        if key.get_secret_value() and len(key.get_secret_value()) < LEAST_KEY_LENGTH:
            raise ValueError(f"must have at least {LEAST_KEY_LENGTH} characters")
        return key

    @field_validator("roles")
    @classmethod
    def _roles_can_be_read(cls, text: str) -> str:
        role_values(text)
        return text

    def check(self) -> None:
        """What no single setting shows; raises SettingError."""
        local = bool(self.jwt_key.get_secret_value())
        if local and self.jwks_url:
            raise SettingError("ASSIST_GATEWAY_JWT_KEY: must be empty where ASSIST_GATEWAY_JWKS_URL is set")
        if local:
            return
        if not self.jwks_url and not self.jwt_issuer:
            raise SettingError(
                "ASSIST_GATEWAY_JWKS_URL: set it, or ASSIST_GATEWAY_JWT_ISSUER for discovery, or for development "
                "ASSIST_GATEWAY_JWT_KEY"
            )
        for name, value in (("ISSUER", self.jwt_issuer), ("AUDIENCE", self.jwt_audience)):
            if not value:
                raise SettingError(f"ASSIST_GATEWAY_JWT_{name}: is required with an identity provider")


def role_values(text: str) -> dict[str, Role]:
    """Which of the provider's words stands for which role; raises ValueError."""
    try:
        told = msgspec.json.decode(text, type=dict[Role, list[str]])
    except msgspec.DecodeError:
        raise ValueError('must be a JSON object such as {"supervisor": ["team-leads"]}') from None
    roles: tuple[Role, ...] = ("admin", "supervisor", "agent")
    return {word: role for role in roles for word in told.get(role, [role])}
