"""How calls are detected: a setting that the ingestor follows and `earshot doctor` checks."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.settings import BY_NAME

Mode = Literal["websocket", "webhook", "presence"]
LEAST_TOKEN = 16


class DetectionSettings(BaseSettings):
    """Which events tell of calls, and where webhooks are to come; mix into a service's settings."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_prefix=BY_NAME)

    mode: Mode = Field(
        "websocket",
        validation_alias="EVENT_INGESTOR_MODE",
        description="how calls are detected: websocket or webhook (telephony session events), or presence (presence "
        "events over WebSocket, each change read by REST)",
    )
    webhook_url: str = Field(
        "",
        validate_default=True,
        validation_alias="EVENT_INGESTOR_WEBHOOK_URL",
        description="public https address, with its path, under which RingCentral reaches the webhook endpoint",
    )
    webhook_verification_token: SecretStr = Field(
        SecretStr(""),
        validate_default=True,
        validation_alias="EVENT_INGESTOR_WEBHOOK_VERIFICATION_TOKEN",
        description=f"secret that each webhook must bring, of your own making, {LEAST_TOKEN} characters or more",
    )

    @field_validator("webhook_url")
    @classmethod
    def _address_is_one(cls, url: str, info: ValidationInfo) -> str:
        parts = urlsplit(url)
        if info.data.get("mode") == "webhook" and not (parts.scheme in ("https", "http") and parts.hostname):
            raise ValueError("must be an address such as https://earshot.example.com/webhook in mode webhook")
        return url

    @field_validator("webhook_verification_token")
    @classmethod
    def _token_is_long_enough(cls, token: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("mode") == "webhook" and len(token.get_secret_value()) < LEAST_TOKEN:
            raise ValueError(f"must be a secret of {LEAST_TOKEN} characters or more in mode webhook")
        return token
