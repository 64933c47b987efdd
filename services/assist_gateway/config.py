"""Settings of the assist gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, field_validator

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
        validation_alias="ASSIST_GATEWAY_JWT_KEY",
        description="key that signs the viewers' tokens (HS256), at least 32 characters",
    )
    jwt_issuer: str = Field(
        "", validation_alias="ASSIST_GATEWAY_JWT_ISSUER", description="issuer that tokens must name; empty: any"
    )
    jwt_audience: str = Field(
        "", validation_alias="ASSIST_GATEWAY_JWT_AUDIENCE", description="audience that tokens must name; empty: any"
    )
    history_ms: int = Field(
        HOUR_MS,
        ge=0,
        validation_alias="ASSIST_GATEWAY_HISTORY_MS",
        description="at start, read transcripts, suggestions and the like of so long",
    )
    state_history_ms: int = Field(
        24 * HOUR_MS,
        ge=0,
        validation_alias="ASSIST_GATEWAY_STATE_HISTORY_MS",
        description="at start, read calls' states of so long: as long as the longest call, for it names the agent",
    )
    keep_ended_ms: int = Field(
        HOUR_MS,
        ge=0,
        validation_alias="ASSIST_GATEWAY_KEEP_ENDED_MS",
        description="forget a call so long after its end",
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

    @field_validator("jwt_key")
    @classmethod
    def _key_is_long_enough(cls, key: SecretStr) -> SecretStr:
        if len(key.get_secret_value()) < LEAST_KEY_LENGTH:
            raise ValueError(f"must have at least {LEAST_KEY_LENGTH} characters")
        return key
