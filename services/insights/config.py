"""Settings of insights."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings
from services.insights.domain.policy import Policy

DEFAULTS = Policy()


class InsightsSettings(ServiceSettings):
    """Read from the environment; times in milliseconds."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    app_id: str = Field(
        "insights",
        validation_alias="INSIGHTS_APP_ID",
        description="consumer group and name of the table's changelog, after EARSHOT_TOPIC_PREFIX",
    )
    data_dir: Path = Field(
        Path(".run/insights"), validation_alias="INSIGHTS_DATA_DIR", description="Faust's work folder"
    )
    changelog_replication: int = Field(
        1, ge=1, validation_alias="INSIGHTS_CHANGELOG_REPLICATION", description="replicas of the table's changelog"
    )
    kafka_embedded: bool = Field(
        False, validation_alias="KAFKA_EMBEDDED", description="the broker is the demo's embedded one"
    )
    knowledge_dir: Path | None = Field(
        None,
        validation_alias="INSIGHTS_KNOWLEDGE_DIR",
        description="folder of articles (.md, .html, .pdf), looked at for changes; not set: a small sample",
    )
    knowledge_url: str = Field(
        "",
        validation_alias="INSIGHTS_KNOWLEDGE_URL",
        description="where the folder is served: links what names no link of its own",
    )
    rules_file: Path | None = Field(
        None,
        validation_alias="INSIGHTS_RULES_FILE",
        description="YAML file of rules and checklist, looked at for changes; not set: a small general set",
    )
    reload_every_ms: int = Field(
        1_000, ge=100, validation_alias="INSIGHTS_RELOAD_EVERY_MS", description="how often both are looked at"
    )
    min_confidence: float = Field(
        DEFAULTS.min_confidence,
        ge=0,
        le=1,
        validation_alias="INSIGHTS_MIN_CONFIDENCE",
        description="nothing is suggested below it",
    )
    passage_cool_down_ms: int = Field(
        DEFAULTS.passage_cool_down_ms,
        ge=0,
        validation_alias="INSIGHTS_PASSAGE_COOL_DOWN_MS",
        description="a passage is not shown twice within it, in a call",
    )
    article_cool_down_ms: int = Field(
        DEFAULTS.article_cool_down_ms,
        ge=0,
        validation_alias="INSIGHTS_ARTICLE_COOL_DOWN_MS",
        description="nor another passage of the same article",
    )
    suggestion_life_ms: int = Field(
        DEFAULTS.suggestion_life_ms,
        ge=1_000,
        validation_alias="INSIGHTS_SUGGESTION_LIFE_MS",
        description="until when a suggestion is of use",
    )
    dynamics_every_ms: int = Field(
        DEFAULTS.dynamics_every_ms,
        ge=0,
        validation_alias="INSIGHTS_DYNAMICS_EVERY_MS",
        description="least time between two accounts of talk shares in a call",
    )
    digest_every_ms: int = Field(
        DEFAULTS.digest_every_ms,
        ge=0,
        validation_alias="INSIGHTS_SUMMARY_EVERY_MS",
        description="least time between two accounts of the call so far",
    )
    not_said_lag_ms: int = Field(
        DEFAULTS.not_said_lag_ms,
        ge=0,
        validation_alias="INSIGHTS_NOT_SAID_LAG_MS",
        description="how long after a negative rule's time its transcript is waited for, when nobody speaks any more",
    )
    heard_within_ms: int = Field(
        DEFAULTS.heard_within_ms,
        ge=0,
        validation_alias="INSIGHTS_HEARD_WITHIN_MS",
        description="a call first heard later than that after a negative rule's time began is not judged by it",
    )
    model_url: str = Field(
        "",
        validation_alias="INSIGHTS_MODEL_URL",
        description="base URL of an OpenAI-compatible API, such as http://host:8000/v1, that words suggestions and "
        "summaries; empty: none is asked",
    )
    model_name: str = Field("", validation_alias="INSIGHTS_MODEL_NAME", description="the model to ask for there")
    model_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="INSIGHTS_MODEL_API_KEY", description="its key; empty: none is sent"
    )
    model_suggestion_ms: int = Field(
        1_500,
        ge=0,
        validation_alias="INSIGHTS_MODEL_SUGGESTION_MS",
        description="how long it may take to word a suggestion, which then goes out as found; 0: it words none",
    )
    model_summary_ms: int = Field(
        10_000,
        ge=0,
        validation_alias="INSIGHTS_MODEL_SUMMARY_MS",
        description="the same for a summary; 0: it words none",
    )
    summary_grace_ms: int = Field(
        DEFAULTS.summary_grace_ms,
        ge=0,
        validation_alias="INSIGHTS_SUMMARY_GRACE_MS",
        description="how long after a call's end its transcript is waited for",
    )
    keep_closed_ms: int = Field(
        DEFAULTS.keep_closed_ms,
        ge=0,
        validation_alias="INSIGHTS_KEEP_CLOSED_MS",
        description="how long a summed-up call is remembered, so that late records do not begin it anew",
    )

    def policy(self) -> Policy:
        """The domain's view."""
        return Policy(
            min_confidence=self.min_confidence,
            passage_cool_down_ms=self.passage_cool_down_ms,
            article_cool_down_ms=self.article_cool_down_ms,
            suggestion_life_ms=self.suggestion_life_ms,
            dynamics_every_ms=self.dynamics_every_ms,
            digest_every_ms=self.digest_every_ms,
            not_said_lag_ms=self.not_said_lag_ms,
            heard_within_ms=self.heard_within_ms,
            model_suggestion_ms=self.model_suggestion_ms if self.model_url else 0,
            model_summary_ms=self.model_summary_ms if self.model_url else 0,
            summary_grace_ms=self.summary_grace_ms,
            keep_closed_ms=self.keep_closed_ms,
        )
