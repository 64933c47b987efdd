"""The ingestor's settings."""

from __future__ import annotations

from pydantic import Field

from services.chassis.ringcentral.detection import DetectionSettings
from services.chassis.settings import RingCentralSettings, ServiceSettings


class EventIngestorSettings(ServiceSettings, RingCentralSettings, DetectionSettings):
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
    reconcile_ms: int = Field(
        60_000,
        ge=0,
        validation_alias="EVENT_INGESTOR_RECONCILE_MS",
        description="while events come, the list of active calls is compared with them this often; 0: never",
    )
    age_guard_ms: int = Field(
        15_000,
        ge=0,
        validation_alias="EVENT_INGESTOR_AGE_GUARD_MS",
        description="calls of which something was heard more recently are left out of that comparison: the list lags",
    )
    filters_per_subscription: int = Field(
        500,
        ge=1,
        validation_alias="EVENT_INGESTOR_FILTERS_PER_SUBSCRIPTION",
        description="most extensions in one subscription; more are spread over several (a WebSocket connection each)",
    )
    webhook_host: str = Field(
        "0.0.0.0", validation_alias="EVENT_INGESTOR_WEBHOOK_HOST", description="address of the webhook endpoint"
    )
    webhook_port: int = Field(
        8070,
        ge=0,
        le=65535,
        validation_alias="EVENT_INGESTOR_WEBHOOK_PORT",
        description="its port, in mode webhook; 0 takes a free one and logs it",
    )
    webhook_lifetime_s: int = Field(
        604_800,
        ge=2,
        le=315_360_000,
        validation_alias="EVENT_INGESTOR_WEBHOOK_LIFETIME_S",
        description="life of a webhook subscription, renewed when half of it is over",
    )
    webhook_check_ms: int = Field(
        60_000,
        ge=100,
        validation_alias="EVENT_INGESTOR_WEBHOOK_CHECK_MS",
        description="time between looks at the webhook subscriptions: whether they stand, are suspended or run out",
    )
    dedupe_limit: int = Field(
        20_000,
        ge=100,
        validation_alias="EVENT_INGESTOR_DEDUPE_LIMIT",
        description="notifications remembered to drop duplicates",
    )
