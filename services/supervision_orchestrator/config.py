"""Settings of the supervision orchestrator."""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import RingCentralSettings, ServiceSettings
from services.supervision_orchestrator.domain.budgets import Limits
from services.supervision_orchestrator.domain.policy import Policy
from services.supervision_orchestrator.domain.rules import Hours, Rules

PREFIX = "SUPERVISION_ORCHESTRATOR_"
DEFAULTS = Policy()
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


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
        description="the extension of RINGCENTRAL_JWT's supervisor; empty: asked for, as it is for each of a pool",
    )
    request_threads: int = Field(
        8, ge=1, validation_alias=f"{PREFIX}REQUEST_THREADS", description="requests to RingCentral at a time"
    )
    retry_first_ms: int = Field(
        DEFAULTS.retry_first_ms,
        ge=1,
        validation_alias=f"{PREFIX}RETRY_FIRST_MS",
        description="wait before the first retry; doubles from there",
    )
    retry_max_ms: int = Field(
        DEFAULTS.retry_max_ms, ge=1, validation_alias=f"{PREFIX}RETRY_MAX_MS", description="longest wait for a retry"
    )
    reply_timeout_ms: int = Field(
        DEFAULTS.reply_timeout_ms,
        ge=10,
        validation_alias=f"{PREFIX}REPLY_TIMEOUT_MS",
        description="a request without an answer by then is lost; more than RINGCENTRAL_TIMEOUT_MS",
    )
    invite_timeout_ms: int = Field(
        DEFAULTS.invite_timeout_ms,
        ge=10,
        validation_alias=f"{PREFIX}INVITE_TIMEOUT_MS",
        description="from an accepted request to its INVITE",
    )
    rtp_timeout_ms: int = Field(
        DEFAULTS.rtp_timeout_ms,
        ge=10,
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
        ge=50,
        validation_alias=f"{PREFIX}RECHECK_MS",
        description="how often a living call's session is read, so that a lost end is found",
    )
    ring_ms: int = Field(
        DEFAULTS.ring_ms,
        ge=50,
        validation_alias=f"{PREFIX}RING_MS",
        description="how often the session of a ringing agent is read, so that a lost answer is found",
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

    healthy_ms: int = Field(
        DEFAULTS.healthy_ms,
        ge=0,
        validation_alias=f"{PREFIX}HEALTHY_MS",
        description="a leg that stood so long begins its retries anew",
    )
    forget_ms: int = Field(
        DEFAULTS.forget_ms,
        ge=1,
        validation_alias=f"{PREFIX}FORGET_MS",
        description="from the terminal record until the row goes",
    )
    queue_ms: int = Field(
        DEFAULTS.queue_ms,
        ge=10,
        validation_alias=f"{PREFIX}QUEUE_MS",
        description="a call that waits for room tries again after so long, if not woken before",
    )
    yield_ms: int = Field(
        DEFAULTS.yield_ms,
        ge=10,
        validation_alias=f"{PREFIX}YIELD_MS",
        description="how often a call that another supervisor listens to is looked at",
    )
    timer_resolution_ms: int = Field(
        50, ge=1, validation_alias=f"{PREFIX}TIMER_RESOLUTION_MS", description="how often due timers are looked for"
    )
    rate_light: int = Field(
        50,
        ge=1,
        validation_alias=f"{PREFIX}RATE_LIGHT",
        description="light requests a window and identity, until a reply names the limit; divide by replicas",
    )
    rate_medium: int = Field(
        40,
        ge=1,
        validation_alias=f"{PREFIX}RATE_MEDIUM",
        description="medium requests a window and identity, until a reply names the limit; divide by replicas",
    )
    rate_heavy: int = Field(
        10,
        ge=1,
        validation_alias=f"{PREFIX}RATE_HEAVY",
        description="heavy requests a window and identity, until a reply names the limit; divide by replicas",
    )
    rate_auth: int = Field(
        5,
        ge=1,
        validation_alias=f"{PREFIX}RATE_AUTH",
        description="auth requests a window and identity, until a reply names the limit; divide by replicas",
    )
    rate_window_ms: int = Field(
        DEFAULTS.rate_window_ms,
        ge=10,
        validation_alias=f"{PREFIX}RATE_WINDOW_MS",
        description="the sliding window of the rate limits",
    )
    rate_window_margin_ms: int = Field(
        1_000,
        ge=0,
        validation_alias=f"{PREFIX}RATE_WINDOW_MARGIN_MS",
        description="added to the window, for clocks that differ",
    )
    rate_spare: int = Field(
        5,
        ge=0,
        validation_alias=f"{PREFIX}RATE_SPARE",
        description="requests of each window left to the other services of the identity; at most a quarter",
    )
    agents: str = Field(
        "",
        validation_alias=f"{PREFIX}AGENTS",
        description="extensions to supervise, separated by commas; empty: all monitored ones",
    )
    groups: str = Field(
        "",
        validation_alias=f"{PREFIX}GROUPS",
        description="monitoring groups whose agents are supervised, by id; empty: all",
    )
    queues: str = Field(
        "",
        validation_alias=f"{PREFIX}QUEUES",
        description="queues by extension id, * for any: only their calls are supervised; empty: all calls",
    )
    known_queues: str = Field(
        "",
        validation_alias=f"{PREFIX}KNOWN_QUEUES",
        description="further queues by extension id: legs of calls that came by one, or by one of QUEUES, name it, as"
        " TRANSCRIBER_QUEUES needs",
    )
    directions: str = Field(
        "", validation_alias=f"{PREFIX}DIRECTIONS", description="of inbound, outbound, internal; empty: all"
    )
    hours: str = Field(
        "",
        validation_alias=f"{PREFIX}HOURS",
        description="such as mon-fri 08:00-18:00; sat 09:00-12:00, when a call must be answered; empty: always",
    )
    time_zone: str = Field("UTC", validation_alias=f"{PREFIX}TIME_ZONE", description="IANA zone of the hours")
    consent: Literal["required", "not_required"] = Field(
        "not_required",
        validation_alias=f"{PREFIX}CONSENT",
        description="required: only calls whose consent was recorded are supervised",
    )
    yield_to_human: bool = Field(
        True,
        validation_alias=f"{PREFIX}YIELD_TO_HUMAN",
        description="keep away from a call while a human supervisor listens",
    )

    @field_validator("hours")
    @classmethod
    def _hours_can_be_read(cls, text: str) -> str:
        read_hours(text)
        return text

    @field_validator("directions")
    @classmethod
    def _directions_are_known(cls, text: str) -> str:
        if unknown := _names(text) - {"inbound", "outbound", "internal"}:
            raise ValueError(f"knows inbound, outbound and internal, not {', '.join(sorted(unknown))}")
        return text

    @field_validator("time_zone")
    @classmethod
    def _time_zone_exists(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("is no IANA time zone such as Europe/Berlin") from None
        return name

    def rules(self) -> Rules:
        """Which calls are to be supervised."""
        return Rules(
            agents=_names(self.agents),
            groups=_names(self.groups),
            queues=_names(self.queues),
            known_queues=_names(self.known_queues),
            directions=_names(self.directions),
            hours=read_hours(self.hours),
            zone=ZoneInfo(self.time_zone),
            consent_required=self.consent == "required",
            yield_to_human=self.yield_to_human,
        )

    def limits(self) -> Limits:
        """RingCentral's rate limits as far as no reply has named them."""
        return Limits(
            per_window={
                "light": self.rate_light, "medium": self.rate_medium, "heavy": self.rate_heavy, "auth": self.rate_auth
            },
            window_ms=self.rate_window_ms,
            window_margin_ms=self.rate_window_margin_ms,
            spare=self.rate_spare,
        )  # fmt: skip

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
            ring_ms=self.ring_ms,
            healthy_ms=self.healthy_ms,
            forget_ms=self.forget_ms,
            queue_ms=self.queue_ms,
            yield_ms=self.yield_ms,
            rate_window_ms=self.rate_window_ms + self.rate_window_margin_ms,
            covered_gap_ms=self.covered_gap_ms,
            too_short_ms=self.too_short_ms,
        )


def read_hours(text: str) -> tuple[Hours, ...]:
    """`mon-fri 08:00-18:00; sat,sun 22:00-02:00`. Raises ValueError."""
    return tuple(_stretch(part.strip()) for part in text.split(";") if part.strip())


def _stretch(text: str) -> Hours:
    match text.lower().split():
        case [days, hours] if hours.count("-") == 1:
            start, end = hours.split("-")
            try:
                return Hours(days=_days(days), start=_moment(start), end=_moment(end))
            except ValueError:
                pass
    raise ValueError(f"must be like mon-fri 08:00-18:00; sat 09:00-12:00, not {text!r}")


def _moment(text: str) -> time:
    return time.max if text == "24:00" else time.fromisoformat(text)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, _, last = part.partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        found |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return frozenset(found)


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split(",") if name.strip())
