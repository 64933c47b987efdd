"""Settings of the supervision orchestrator."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import RingCentralSettings, ServiceSettings
from services.supervision_orchestrator.domain.policy import Policy

PREFIX = "SUPERVISION_ORCHESTRATOR_"
DEFAULTS = Policy()


class OrchestratorSettings(ServiceSettings, RingCentralSettings):
    """Read from the environment; waits in milliseconds."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    app_id: str = Field(
        "supervision-orchestrator",
        validation_alias=f"{PREFIX}APP_ID",
        description="consumer group and name of the table's changelog, after EARSHOT_TOPIC_PREFIX",
    )
    data_dir: Path = Field(
        Path(".run/supervision_orchestrator"), validation_alias=f"{PREFIX}DATA_DIR", description="Faust's work folder"
    )
    changelog_replication: int = Field(
        1, ge=1, validation_alias=f"{PREFIX}CHANGELOG_REPLICATION", description="replicas of the table's changelog"
    )
    supervisor_extension_id: str = Field(
        "",
        validation_alias=f"{PREFIX}SUPERVISOR_EXTENSION_ID",
        description="the supervisor's extension; empty: that of the credentials",
    )
    request_threads: int = Field(
        8, ge=1, validation_alias=f"{PREFIX}REQUEST_THREADS", description="requests to RingCentral at a time"
    )
    retry_first_ms: int = Field(
        DEFAULTS.retry_first_ms,
        ge=10,
        validation_alias=f"{PREFIX}RETRY_FIRST_MS",
        description="wait before the first retry; doubles from there",
    )
    retry_max_ms: int = Field(
        DEFAULTS.retry_max_ms, ge=10, validation_alias=f"{PREFIX}RETRY_MAX_MS", description="longest wait for a retry"
    )
    reply_timeout_ms: int = Field(
        DEFAULTS.reply_timeout_ms,
        ge=100,
        validation_alias=f"{PREFIX}REPLY_TIMEOUT_MS",
        description="a request without an answer by then is lost; more than RINGCENTRAL_TIMEOUT_MS",
    )
    invite_timeout_ms: int = Field(
        DEFAULTS.invite_timeout_ms,
        ge=100,
        validation_alias=f"{PREFIX}INVITE_TIMEOUT_MS",
        description="from an accepted request to its INVITE",
    )
    rtp_timeout_ms: int = Field(
        DEFAULTS.rtp_timeout_ms,
        ge=100,
        validation_alias=f"{PREFIX}RTP_TIMEOUT_MS",
        description="from the INVITE to the first audio",
    )
    close_ms: int = Field(
        DEFAULTS.close_ms,
        ge=0,
        validation_alias=f"{PREFIX}CLOSE_MS",
        description="from the agent's end to the terminal record, for what is still on its way",
    )
    recheck_ms: int = Field(
        DEFAULTS.recheck_ms,
        ge=1_000,
        validation_alias=f"{PREFIX}RECHECK_MS",
        description="how often a living call's session is read, so that a lost end is found",
    )
    covered_gap_ms: int = Field(
        DEFAULTS.covered_gap_ms,
        ge=0,
        validation_alias=f"{PREFIX}COVERED_GAP_MS",
        description="a call that misses no more than this counts as covered",
    )
    too_short_ms: int = Field(
        DEFAULTS.too_short_ms,
        ge=0,
        validation_alias=f"{PREFIX}TOO_SHORT_MS",
        description="a call without audio that lasted less counts as too short",
    )

    def policy(self) -> Policy:
        """The domain's view of the waits."""
        return Policy(
            retry_first_ms=self.retry_first_ms,
            retry_max_ms=self.retry_max_ms,
            reply_timeout_ms=self.reply_timeout_ms,
            invite_timeout_ms=self.invite_timeout_ms,
            rtp_timeout_ms=self.rtp_timeout_ms,
            close_ms=self.close_ms,
            recheck_ms=self.recheck_ms,
            covered_gap_ms=self.covered_gap_ms,
            too_short_ms=self.too_short_ms,
        )
