"""One frozen settings class a service, read from the environment.

A service derives from `ServiceSettings` and adds fields whose `validation_alias` is the environment variable's
full name, prefixed by the service (`TRANSCRIBER_MODEL_DIR`). What several services need has no prefix and
stands here. `--help` prints them all from the field descriptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.chassis.errors import SettingError
from services.chassis.identities import SupervisorIdentity, read_identities

# Fields may be given by name in code; in the environment only their full names count, so a stray HOURS or GROUPS of
# somebody's shell is no setting of ours.
BY_NAME = "EARSHOT_FIELD_"
SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class KafkaSettings(BaseSettings):
    """How to reach the broker."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_prefix=BY_NAME)

    kafka_bootstrap_servers: str = Field(
        "127.0.0.1:9092",
        validation_alias="KAFKA_BOOTSTRAP_SERVERS",
        description="host:port[,host:port] of the broker",
    )
    topic_prefix: str = Field(
        "earshot.", validation_alias="EARSHOT_TOPIC_PREFIX", description="put before every topic's name"
    )
    kafka_security_protocol: str = Field(
        "PLAINTEXT",
        validation_alias="KAFKA_SECURITY_PROTOCOL",
        description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL",
    )
    kafka_sasl_mechanism: str = Field(
        "",
        validation_alias="KAFKA_SASL_MECHANISM",
        description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, with SASL",
    )
    kafka_sasl_username: str = Field("", validation_alias="KAFKA_SASL_USERNAME", description="SASL user")
    kafka_sasl_password: SecretStr = Field(
        SecretStr(""), validation_alias="KAFKA_SASL_PASSWORD", description="SASL password"
    )
    kafka_ssl_ca_location: str = Field(
        "", validation_alias="KAFKA_SSL_CA_LOCATION", description="CA bundle for SSL; empty: the system's"
    )
    kafka_client_options: str = Field(
        "{}", validation_alias="KAFKA_CLIENT_OPTIONS", description="JSON object of further librdkafka options"
    )

    @field_validator("kafka_client_options")
    @classmethod
    def _options_are_an_object(cls, text: str) -> str:
        try:
            options = orjson.loads(text)
        except orjson.JSONDecodeError:
            options = None
        if not isinstance(options, dict):
            raise ValueError('must be a JSON object such as {"socket.keepalive.enable": true}')
        return text

    def kafka_options(self) -> dict[str, Any]:
        """Connection options for any librdkafka client."""
        options: dict[str, Any] = {
            "bootstrap.servers": self.kafka_bootstrap_servers,
            "security.protocol": self.kafka_security_protocol,
        }
        if self.kafka_sasl_mechanism:
            options |= {
                "sasl.mechanism": self.kafka_sasl_mechanism,
                "sasl.username": self.kafka_sasl_username,
                "sasl.password": self.kafka_sasl_password.get_secret_value(),
            }
        if self.kafka_ssl_ca_location:
            options["ssl.ca.location"] = self.kafka_ssl_ca_location
        further: dict[str, Any] = orjson.loads(self.kafka_client_options)
        return options | further


class ServiceSettings(KafkaSettings):
    """What every service reads."""

    log_level: str = Field("INFO", validation_alias="LOG_LEVEL", description="DEBUG, INFO, WARNING or ERROR")
    health_host: str = Field(
        "0.0.0.0", validation_alias="HEALTH_HOST", description="address of /healthz, /readyz and /metrics"
    )
    health_port: int = Field(
        9464,
        ge=0,
        le=65535,
        validation_alias="HEALTH_PORT",
        description="their port; 0 takes a free one and logs it",
    )
    group_instance_id: str = Field(
        "",
        validation_alias="KAFKA_GROUP_INSTANCE_ID",
        description="fixed member id of this replica, such as its pod's name: a restart takes its own place at once",
    )
    dead_letter_limit: int = Field(
        100,
        ge=1,
        validation_alias="DEAD_LETTER_LIMIT",
        description="dead letters within a minute after which the service stops, so that a bad deploy drains no topic",
    )


class RingCentralSettings(BaseSettings):
    """Access to RingCentral's REST API; mix into a service's settings."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_prefix=BY_NAME)

    ringcentral_server_url: str = Field(
        "https://platform.ringcentral.com",
        validation_alias="RINGCENTRAL_SERVER_URL",
        description="base URL of the API",
    )
    ringcentral_client_id: str = Field(validation_alias="RINGCENTRAL_CLIENT_ID", description="client id of the app")
    ringcentral_client_secret: SecretStr = Field(
        validation_alias="RINGCENTRAL_CLIENT_SECRET", description="client secret of the app"
    )
    ringcentral_jwt: SecretStr = Field(
        validation_alias="RINGCENTRAL_JWT", description="JWT credential of the supervisor"
    )
    ringcentral_jwts: SecretStr = Field(
        SecretStr(""),
        validation_alias="RINGCENTRAL_JWTS",
        description='pool of supervisors: JWTs separated by commas, or JSON such as [{"jwt": "...", '
        '"device_ids": ["..."]}], or @FILE with either; empty: the one of RINGCENTRAL_JWT',
    )
    ringcentral_timeout_ms: int = Field(
        10_000, ge=10, validation_alias="RINGCENTRAL_TIMEOUT_MS", description="longest wait for a reply"
    )
    ringcentral_login_hold_ms: int = Field(
        2_000, ge=1, validation_alias="RINGCENTRAL_LOGIN_HOLD_MS", description="least wait after a login that failed"
    )
    ringcentral_login_refused_ms: int = Field(
        30_000, ge=1, validation_alias="RINGCENTRAL_LOGIN_REFUSED_MS", description="least wait after a login refused"
    )
    ringcentral_penalty_ms: int = Field(
        30_000, ge=1, validation_alias="RINGCENTRAL_PENALTY_MS", description="silence after a 429 without Retry-After"
    )
    ringcentral_state_dir: Path | None = Field(
        None,
        validation_alias="RINGCENTRAL_STATE_DIR",
        description="folder in which announced penalties outlive a killed process; empty: they do not",
    )

    @field_validator("ringcentral_jwts")
    @classmethod
    def _jwts_can_be_read(cls, jwts: SecretStr) -> SecretStr:
        read_identities(jwts.get_secret_value())
        return jwts

    def supervisor_identities(self) -> tuple[SupervisorIdentity, ...]:
        """The pool of RINGCENTRAL_JWTS, else the one supervisor of RINGCENTRAL_JWT."""
        pool = read_identities(self.ringcentral_jwts.get_secret_value())
        return pool or (SupervisorIdentity(self.ringcentral_jwt),)


def load(settings: type[SettingsT], environ: Mapping[str, str] | None = None) -> SettingsT:
    """Read the settings; raises SettingError with one line a wrong variable.

    `environ` stands in for the process's environment in tests.
    """
    try:
        if environ is None:
            return settings()
        return settings.model_validate(dict(environ))
    except ValidationError as error:
        lines = [
            f"{_variable(settings, problem['loc'][0])}: {_say(problem)}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise SettingError("\n".join(str(line) for line in lines)) from None


def _variable(settings: type[BaseSettings], place: str | int) -> str:
    """The variable's name, also where its default was found wrong."""
    field = settings.model_fields.get(str(place))
    return str(field.validation_alias if field is not None else place)


def _say(problem: Any) -> str:
    if problem["type"] == "missing":
        return "is required and not set"
    return str(problem["msg"]).removeprefix("Value error, ")


def describe(settings: type[BaseSettings]) -> str:
    """A table of the environment variables for `--help`."""
    rows = []
    for field in settings.model_fields.values():
        default = "required" if field.default is PydanticUndefined else f"default {_shown(field.default)}"
        rows.append((str(field.validation_alias), f"{field.description} ({default})"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in sorted(rows))


def _shown(default: object) -> str:
    return "empty" if str(default) == "" else str(default)
