"""What the run is made of: sizes from the environment, waits in compressed time, faults.

Time is compressed by `speed`: the simulator's calls, windows and penalties are, and so must be the product's waits.
Every one that is scaled stands here, in the product's own numbers; `floor` is the least that processes which share
two cores can keep in real milliseconds, because the machine is not compressed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run. `hours` are simulated; 0 takes as many as the calls need at 2,000 in four hours."""

    calls: int = 2000
    seed: int = 1
    speed: float = 12.5
    kill: bool = False
    faults: str = "both"
    hours: float = 0.0
    agents: int = 300
    supervisors: int = 60
    groups: int = 12
    per_group: int = 5
    slots: int = 4
    partitions: int = 4

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> Options:
        """From CALLS, SEED, SPEED, KILL, FAULTS, HOURS, AGENTS, SUPERVISORS, PER_GROUP, SLOTS, PARTITIONS."""
        env = os.environ if environ is None else environ
        own = cls()
        given = {
            f.name: _like(getattr(own, f.name), env[f.name.upper()])
            for f in fields(cls)
            if f.name != "groups" and env.get(f.name.upper())
        }
        made = replace(own, **given)
        if made.faults not in ("both", "clean", "faults"):
            raise ValueError("FAULTS is both, clean or faults")
        return made

    @property
    def day_hours(self) -> float:
        """Length of the day in simulated hours."""
        return self.hours or max(4.0 * self.calls / 2000, 0.5)

    def shown(self) -> dict[str, Any]:
        """For the result."""
        return {**asdict(self), "hours": self.day_hours}


def _like(default: Any, text: str) -> Any:
    return text != "0" if isinstance(default, bool) else type(default)(text)


# Setting: (the product's own milliseconds, least real milliseconds).
WAITS_MS: Mapping[str, tuple[int, int]] = {
    "SUPERVISION_ORCHESTRATOR_RETRY_FIRST_MS": (1_000, 20),
    "SUPERVISION_ORCHESTRATOR_RETRY_MAX_MS": (30_000, 100),
    "SUPERVISION_ORCHESTRATOR_REPLY_TIMEOUT_MS": (20_000, 1_500),
    "SUPERVISION_ORCHESTRATOR_INVITE_TIMEOUT_MS": (10_000, 400),
    "SUPERVISION_ORCHESTRATOR_RTP_TIMEOUT_MS": (8_000, 400),
    "SUPERVISION_ORCHESTRATOR_CLOSE_MS": (3_000, 300),
    "SUPERVISION_ORCHESTRATOR_RECHECK_MS": (120_000, 500),
    "SUPERVISION_ORCHESTRATOR_RING_MS": (15_000, 300),
    "SUPERVISION_ORCHESTRATOR_COVERED_GAP_MS": (3_000, 0),
    "SUPERVISION_ORCHESTRATOR_TOO_SHORT_MS": (3_000, 0),
    "SUPERVISION_ORCHESTRATOR_HEALTHY_MS": (10_000, 50),
    "SUPERVISION_ORCHESTRATOR_FORGET_MS": (24 * 3_600_000, 0),
    "SUPERVISION_ORCHESTRATOR_QUEUE_MS": (5_000, 50),
    "SUPERVISION_ORCHESTRATOR_YIELD_MS": (60_000, 100),
    "SUPERVISION_ORCHESTRATOR_TIMER_RESOLUTION_MS": (50, 20),
    "SUPERVISION_ORCHESTRATOR_RATE_WINDOW_MS": (60_000, 100),
    "SUPERVISION_ORCHESTRATOR_RATE_WINDOW_MARGIN_MS": (1_000, 100),
    "EVENT_INGESTOR_HEARTBEAT_MS": (30_000, 2_000),
    "EVENT_INGESTOR_PING_MS": (10_000, 2_000),
    "EVENT_INGESTOR_POLL_MS": (30_000, 100),
    "EVENT_INGESTOR_HYDRATE_AGAIN_MS": (15_000, 100),
    "EVENT_INGESTOR_ROSTER_REFRESH_MS": (30_000, 500),
    "EVENT_INGESTOR_RECONCILE_MS": (60_000, 200),
    "EVENT_INGESTOR_AGE_GUARD_MS": (15_000, 100),
    "EVENT_INGESTOR_CALL_LOG_MS": (300_000, 500),
    "EVENT_INGESTOR_CALL_LOG_LOOKBACK_MS": (900_000, 500),
    "RINGCENTRAL_TIMEOUT_MS": (10_000, 1_000),
    "RINGCENTRAL_LOGIN_HOLD_MS": (2_000, 50),
    "RINGCENTRAL_LOGIN_REFUSED_MS": (30_000, 200),
    "RINGCENTRAL_PENALTY_MS": (30_000, 200),
}
# Constants that are no settings, by module: seconds or milliseconds, with the least real value.
CONSTANTS: Mapping[str, Mapping[str, float]] = {
    "services.event_ingestor.domain.connection": {
        "REPLY_WITHIN_MS": 1_000,
        "RETRY_MS": 0,
        "RESUBSCRIBE_MS": 50,
        "DISABLED_AGAIN_MS": 500,
        "REPLAY_MS": 500,
        "HEALTHY_MS": 500,
    },
    "services.event_ingestor.adapters.hydration": {
        "RETRY_MS": 50,
        "LONGEST_RETRY_MS": 200,
        "PACE_S": 0.01,
        "SETTLE_S": 0.03,
    },
    "services.event_ingestor.app": {"MS_PER_MEDIUM_REQUEST": 20, "ROSTER_RETRY_MS": 100},
    "services.chassis.ringcentral.login": {"MARGIN_S": 0},
}
# The gateway double's own: a registration is refreshed, silence is reported.
REGISTER_S = 50.0
SILENCE_S = 5.0


def waits(speed: float) -> dict[str, str]:
    """The product's settings in compressed time."""
    return {name: str(max(round(ms / speed), least, 0)) for name, (ms, least) in WAITS_MS.items()}


def simulator(options: Options) -> dict[str, str]:
    """The simulator's settings. Lives that no fault is about are out of the way of a compressed day."""
    return {
        "RINGCENTRAL_SIM_SPEED": str(options.speed),
        "RINGCENTRAL_SIM_MEDIA": "paper",
        "RINGCENTRAL_SIM_SEED": str(options.seed),
        "RINGCENTRAL_SIM_LOG_LEVEL": "warning",
        "RINGCENTRAL_SIM_WS_IDLE_TIMEOUT_S": "1000000",
        "RINGCENTRAL_SIM_WS_ABSOLUTE_TIMEOUT_S": "1000000",
        "RINGCENTRAL_SIM_WS_TOKEN_TTL_S": "600",
        "RINGCENTRAL_SIM_ACCESS_TOKEN_TTL_S": "1000000",
    }


def floor(options: Options) -> dict[str, Any]:
    """POST /sim/floor."""
    return {
        "seed": options.seed,
        "agents": options.agents,
        "calls": options.calls,
        "hours": options.day_hours,
        "supervisors": options.supervisors,
        "groups": options.groups,
        "per_group": options.per_group,
        "outside": options.agents // 20,
        "start": False,
    }


def all_faults(options: Options) -> dict[str, Any]:
    """POST /sim/faults: every kind, and the six shapes of errors. Windows come several times a day, in its seconds."""
    day_s = options.day_hours * 3600

    def windows(times: int, first: float, for_s: float, share: float = 1.0) -> dict[str, float]:
        return {"share": share, "from_s": day_s * first, "every_s": day_s / times, "for_s": for_s}

    return {
        "error_shape": "mixed",
        "chances": {
            "event_lost": 0.01,
            "event_repeated": 0.03,
            "event_reordered": 0.03,
            "ws_cut": windows(8, 0.05, 10),
            "ws_cut_long": windows(2, 0.2, 240),
            "rate_storm": 0.003,
            "http_error": 0.01,
            "http_slow": 0.01,
            "http_half": 0.005,
            "token_killed": windows(6, 0.12, 1),
            "invite_before": 0.05,
            "invite_late": 0.03,
            "invite_none": 0.02,
            "headers_omitted": 0.03,
            "headers_reordered": 0.05,
            "late_offer": 0.05,
            "two_media_lines": 0.03,
            "device_offline": windows(5, 0.1, 60, 0.2),
            "registration_stolen": windows(5, 0.17, 60, 0.2),
            "bye_lost": 0.02,
        },
    }
