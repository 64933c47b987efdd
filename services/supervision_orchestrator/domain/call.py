"""A call as the orchestrator remembers it: one immutable value, kept as the row of a table keyed by call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.supervision_orchestrator.domain.effects import Direction, Role
from services.supervision_orchestrator.domain.stages import Stage


class PartyStatus(StrEnum):
    """What a party's status code means for us; see `STATUS_OF_CODE`."""

    RINGING = "ringing"
    LIVE = "live"
    HELD = "held"
    PARKED = "parked"
    GONE = "gone"
    OTHER = "other"


STATUS_OF_CODE = {
    "Setup": PartyStatus.RINGING,
    "Proceeding": PartyStatus.RINGING,
    "Answered": PartyStatus.LIVE,
    "Hold": PartyStatus.HELD,
    "Parked": PartyStatus.PARKED,
    "Disconnected": PartyStatus.GONE,
    "Gone": PartyStatus.GONE,
    "VoiceMail": PartyStatus.GONE,
    "VoiceMailScreening": PartyStatus.GONE,
    "FaxReceive": PartyStatus.GONE,
}
ON_THE_CALL = frozenset({PartyStatus.LIVE, PartyStatus.HELD, PartyStatus.PARKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A participant; supervisors' parties are never kept. `sequence` -1: known from REST alone."""

    party_id: str
    status: PartyStatus
    sequence: int = -1
    extension_id: str = ""
    direction: str = ""
    monitored: bool = False


class Phase(StrEnum):
    """Where getting one party's (or the session's) audio stands; see `targets.TRANSITIONS`."""

    WANTED = "wanted"
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    INVITED = "invited"
    UP = "up"
    REFUSED = "refused"
    RELEASED = "released"


ACTIVE = frozenset({Phase.REQUESTED, Phase.ACCEPTED, Phase.INVITED, Phase.UP})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLeg:
    """A leg of a target that has not gone down. `gap_ms` is audio missing since it came up."""

    leg_id: str
    up_at: datetime | None = None
    gap_ms: int = 0
    gap_media_time_ms: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A party to be heard, or the session (`party_id` empty).

    `due`: when the phase's wait is over (the next try, the missing invite, the missing audio). `reply_due`: set while
    a POST is unanswered; no second one is made meanwhile, whatever happens to the leg. `leg_seen`: this attempt's
    INVITE came.
    """

    party_id: str
    role: Role
    phase: Phase = Phase.WANTED
    attempt: int = 0
    failures: int = 0
    due: datetime | None = None
    reply_due: datetime | None = None
    leg_seen: bool = False
    device_id: str = ""
    supervisor_party_id: str = ""
    legs: tuple[OpenLeg, ...] = ()
    ever_up: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A stretch in which a role was heard, less `gap_ms` somewhere inside."""

    role: Role
    start: datetime
    end: datetime
    gap_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the last try brought no audio: an outcome reason and a short code."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """A request that an identity has had answered; kept so that a restart knows what was sent within the window."""

    supervisor: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty:
    """RingCentral's 429: the identity is silent until then."""

    supervisor: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """All of a call. `started_at` None: nobody monitored has been seen in it, and nothing is kept.

    `read_due`: when to read the session next, or, while `reading`, when its answer is overdue. `close_due`: when a
    call without monitored parties is to be closed. `over`: its terminal record is out. `supervisor` and `device_id`:
    the call's booking, which changes only while nothing of it stands; `booked_legs` are still to be asked for.
    `own_supervisor`: the identity that has a party in the session by the last reading; RingCentral refuses all others.
    `away_since`: no agent is on the call from then on; `away_ms`: the sum of such stretches before another came.
    `waiting`: why the call is not let in now; empty when it does not wait. `followed`: a transfer led here, and whether
    anybody monitored takes part is not known yet. `unseen`: a monitored party has gone, and whether it had answered
    nobody told.
    """

    call_id: str
    stage: Stage = Stage.IDLE
    supervisor: str = ""
    device_id: str = ""
    booked_legs: int = 0
    reader: str = ""
    waiting: str = ""
    holds: int = 0
    checked_at: datetime | None = None
    consent: str = ""
    own_supervisor: str = ""
    other_supervisors: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    spent: tuple[Spent, ...] = ()
    penalties: tuple[Penalty, ...] = ()
    followed: bool = False
    unseen: bool = False
    parties: tuple[Party, ...] = ()
    agent_party_id: str = ""
    agent_extension_id: str = ""
    customer_party_id: str = ""
    direction: Direction = "unknown"
    queue_call: bool = False
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    session_gone: bool = False
    left_by_transfer: bool = False
    away_since: datetime | None = None
    away_ms: int = 0
    mode: str = ""
    targets: tuple[Target, ...] = ()
    spans: tuple[Span, ...] = ()
    closed_legs: tuple[str, ...] = ()
    reads: int = 0
    reading: bool = False
    read_failures: int = 0
    read_due: datetime | None = None
    close_due: datetime | None = None
    forget_due: datetime | None = None
    failure: Failure | None = None
    last_sequence: int = -1
    revision: int = 0
    over: bool = False

    def party(self, party_id: str) -> Party | None:
        """The party by its id."""
        return next((p for p in self.parties if p.party_id == party_id), None)

    def target(self, party_id: str) -> Target | None:
        """The target by its party id; empty for the session's."""
        return next((t for t in self.targets if t.party_id == party_id), None)

    def participants(self) -> tuple[Party, ...]:
        """Parties on the call now, supervisors not counted."""
        return tuple(p for p in self.parties if p.status in ON_THE_CALL)

    def goes_on(self) -> bool:
        """Whether anybody at all rings or talks."""
        return any(p.status in ON_THE_CALL or p.status is PartyStatus.RINGING for p in self.parties)

    def monitored_present(self) -> bool:
        """Whether a monitored party rings or talks."""
        return any(p.monitored and p.status is not PartyStatus.GONE for p in self.parties)

    def agent_talks(self) -> bool:
        """Whether the credited agent is on the call."""
        agent = self.party(self.agent_party_id)
        return agent is not None and agent.status in ON_THE_CALL

    def is_bound(self) -> bool:
        """Whether anything of the call stands, or may, with its supervisor and device."""
        return any(t.phase in ACTIVE or t.legs or t.reply_due for t in self.targets)

    def wants_audio(self) -> bool:
        """Whether the agent is there to be heard and something is not asked for yet."""
        if not self.agent_talks() or self.close_due is not None or self.over:
            return False
        return self.mode == "" or any(t.phase is Phase.WANTED and t.reply_due is None for t in self.targets)


def next_due(state: CallState) -> datetime | None:
    """When the state next needs a TimerDue; None: never.

    What a target waits for counts only where time alone will move it: one that wants asking is asked after a
    reading, so while a reading runs or backs off, or the call waits or closes, its own wait is nobody's business.
    """
    if state.over:
        return state.forget_due
    dues = [state.read_due, state.close_due]
    asking = not state.reading and state.read_failures == 0 and state.close_due is None and not state.waiting
    for target in state.targets:
        if target.phase is Phase.RELEASED:
            continue
        dues.append(target.reply_due)
        if target.phase is not Phase.WANTED or (asking and target.reply_due is None):
            dues.append(target.due)
    return min((due for due in dues if due is not None), default=None)
