"""A call's life as its monitored agents lead it: `CALL_TRANSITIONS` is the whole machine.

What happens to a monitored party is put into a `Happening`; the table gives the next stage, the fact to publish and
what else to do. A happening that has no entry for the stage changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.supervision_orchestrator.domain.effects import FactType


class Stage(StrEnum):
    """Where the call stands. `missed` and `left`: no monitored party rings or talks, before and after an answer."""

    IDLE = "idle"
    RINGING = "ringing"
    MISSED = "missed"
    TALKING = "talking"
    HELD = "held"
    PARKED = "parked"
    LEFT = "left"
    OFFERED = "offered"
    OVER = "over"


class Happening(StrEnum):
    """What a monitored party's change, or the session's end, means for the call."""

    SEEN = "seen"
    RINGS = "rings"
    MISSES = "misses"
    ANSWERS = "answers"
    ANSWERED_BEFORE = "answered_before"
    HOLDS = "holds"
    RESUMES = "resumes"
    PARKS = "parks"
    LEAVES = "leaves"
    HANDS_OVER = "hands_over"
    SESSION_ENDS = "session_ends"
    ACCOUNTED = "accounted"


class Then(StrEnum):
    """What else is done. `credit`: this party's agent is the call's; `wait`: close unless somebody follows."""

    NOTHING = ""
    CREDIT = "credit"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Move:
    """One entry of the table."""

    stage: Stage
    fact: FactType | None = None
    then: Then = Then.NOTHING


ON_CALL = (Stage.TALKING, Stage.HELD, Stage.PARKED)
CALL_TRANSITIONS: dict[tuple[Stage, Happening], Move] = {
    (Stage.IDLE, Happening.SEEN): Move(Stage.RINGING, "started"),
    (Stage.RINGING, Happening.ANSWERS): Move(Stage.TALKING, "answered", Then.CREDIT),
    (Stage.RINGING, Happening.MISSES): Move(Stage.MISSED, None, Then.WAIT),
    (Stage.RINGING, Happening.ANSWERED_BEFORE): Move(Stage.OFFERED, "answered"),
    (Stage.MISSED, Happening.RINGS): Move(Stage.RINGING),
    (Stage.MISSED, Happening.ANSWERS): Move(Stage.TALKING, "answered", Then.CREDIT),
    (Stage.MISSED, Happening.ANSWERED_BEFORE): Move(Stage.LEFT, "answered"),
    (Stage.TALKING, Happening.HOLDS): Move(Stage.HELD, "held"),
    (Stage.TALKING, Happening.PARKS): Move(Stage.PARKED),
    (Stage.HELD, Happening.RESUMES): Move(Stage.TALKING, "resumed"),
    (Stage.HELD, Happening.PARKS): Move(Stage.PARKED),
    (Stage.PARKED, Happening.RESUMES): Move(Stage.TALKING, "resumed"),
    (Stage.PARKED, Happening.HOLDS): Move(Stage.HELD),
    **{(stage, Happening.LEAVES): Move(Stage.LEFT, None, Then.WAIT) for stage in ON_CALL},
    **{(stage, Happening.HANDS_OVER): Move(Stage.TALKING, "transferred", Then.CREDIT) for stage in ON_CALL},
    (Stage.LEFT, Happening.RINGS): Move(Stage.OFFERED),
    (Stage.LEFT, Happening.ANSWERS): Move(Stage.TALKING, "transferred", Then.CREDIT),
    (Stage.OFFERED, Happening.ANSWERS): Move(Stage.TALKING, "transferred", Then.CREDIT),
    (Stage.OFFERED, Happening.MISSES): Move(Stage.LEFT, None, Then.WAIT),
    **{(stage, Happening.SESSION_ENDS): Move(Stage.MISSED, None, Then.WAIT) for stage in (Stage.RINGING, Stage.MISSED)},
    **{
        (stage, Happening.SESSION_ENDS): Move(Stage.LEFT, None, Then.WAIT)
        for stage in (*ON_CALL, Stage.LEFT, Stage.OFFERED)
    },
    **{
        (stage, Happening.ACCOUNTED): Move(Stage.OVER, "ended")
        for stage in Stage
        if stage not in {Stage.IDLE, Stage.OVER}
    },
}
