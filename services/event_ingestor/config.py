"""The ingestor's settings."""

from __future__ import annotations

from pydantic import Field

from services.chassis.settings import RingCentralSettings, ServiceSettings


class EventIngestorSettings(ServiceSettings, RingCentralSettings):
    """Read from the environment; see `--help`."""

    roster_refresh_ms: int = Field(
        30_000,
        ge=500,
        validation_alias="EVENT_INGESTOR_ROSTER_REFRESH_MS",
        description="time between readings of the monitoring groups; longer when there are many",
    )
    heartbeat_ms: int = Field(
        30_000,
        ge=1_000,
        validation_alias="EVENT_INGESTOR_HEARTBEAT_MS",
        description="silence of the gateway after which a heartbeat is sent",
    )
    ping_ms: int = Field(
        10_000,
        ge=500,
        validation_alias="EVENT_INGESTOR_PING_MS",
        description="time between WebSocket pings, and the longest wait for a pong",
    )
    hydrate_again_ms: int = Field(
        15_000,
        ge=0,
        validation_alias="EVENT_INGESTOR_HYDRATE_AGAIN_MS",
        description="a second reading of active calls so long after the first, because their list lags; 0: none",
    )
    poll_ms: int = Field(
        30_000,
        ge=0,
        validation_alias="EVENT_INGESTOR_POLL_MS",
        description="while no events come, active calls are read this often; 0: never",
    )
    call_log_ms: int = Field(
        300_000,
        ge=0,
        validation_alias="EVENT_INGESTOR_CALL_LOG_MS",
        description="time between readings of the call log, for calls that came and went unseen; 0: never",
    )
    call_log_lookback_ms: int = Field(
        900_000,
        ge=0,
        validation_alias="EVENT_INGESTOR_CALL_LOG_LOOKBACK_MS",
        description="how much further back than the last certain moment the call log is read, because it lags",
    )
    dedupe_limit: int = Field(
        20_000,
        ge=100,
        validation_alias="EVENT_INGESTOR_DEDUPE_LIMIT",
        description="notifications remembered to drop duplicates",
    )
