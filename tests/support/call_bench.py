"""One call driven by hand: the state machine with a clock, a floor and everything it ever asked for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from services.chassis.testing.fake_clock import START
from services.supervision_orchestrator.domain.call import CallState, next_due
from services.supervision_orchestrator.domain.decide import decide
from services.supervision_orchestrator.domain.effects import (
    Effect,
    Forget,
    Outcome,
    PublishFact,
    PublishSnapshot,
    PublishStep,
    ReadSession,
    Supervise,
)
from services.supervision_orchestrator.domain.floor import Device, Floor, Supervisor
from services.supervision_orchestrator.domain.inputs import (
    Input,
    LegDown,
    LegInvited,
    LegUp,
    ReadParty,
    SessionGone,
    SessionRead,
    SuperviseAccepted,
    SuperviseRefused,
    TelephonyPartyChanged,
    TimerDue,
)
from services.supervision_orchestrator.domain.roster import Membership, Roster

CALL = "s-a0d7f1c2z19a"
AGENT, OTHER_AGENT, SUPERVISOR, IVR = "700200301", "700200302", "700200300", "700200900"
DEVICE = "801000000001"


def member(*, monitored: bool = False, monitoring: bool = False) -> tuple[Membership, ...]:
    return (Membership(group_id="31", monitored=monitored, monitoring=monitoring),)


def floor(*, online: bool = True, free_slots: int = 4, supervised: bool = True) -> Floor:
    entries = {
        AGENT: member(monitored=True),
        OTHER_AGENT: member(monitored=True),
        SUPERVISOR: member(monitoring=supervised),
    }
    device = Device(device_id=DEVICE, supervisor_extension_id=SUPERVISOR, online=online, free_slots=free_slots)
    return Floor(roster=Roster(entries), devices=(device,), supervisors=(Supervisor(extension_id=SUPERVISOR),))


def party_id(n: int) -> str:
    return f"p-a0d7f1c2z19a-{n}"


def change(sequence: int, n: int, code: str, extension_id: str = "", *, at_ms: int | None = None, **more: Any) -> Input:
    return TelephonyPartyChanged(
        call_id=CALL,
        event_id=f"uuid-{sequence}-{n}-{code}",
        sequence=sequence,
        at=START + timedelta(milliseconds=sequence * 1000 if at_ms is None else at_ms),
        party_id=party_id(n),
        code=code,
        extension_id=extension_id,
        direction=more.pop("direction", "Outbound" if n == 1 else "Inbound"),
        **more,
    )


def read_party(n: int, code: str = "Answered", extension_id: str = "", reason: str = "") -> ReadParty:
    direction = "Outbound" if n == 1 else "Inbound"
    return ReadParty(party_id=party_id(n), code=code, extension_id=extension_id, direction=direction, reason=reason)


class CallBench:
    """Feeds inputs to `decide` and keeps what came out."""

    def __init__(self, floor_: Floor | None = None) -> None:
        self.state = CallState(call_id=CALL)
        self.floor = floor_ or floor()
        self.now = START
        self.effects: list[Effect] = []

    def feed(self, *events: Input, at_ms: int | None = None) -> tuple[Effect, ...]:
        """Take inputs, at `at_ms` after the start when given; what the last one caused."""
        effects: tuple[Effect, ...] = ()
        if at_ms is not None:
            self.now = START + timedelta(milliseconds=at_ms)
        for event in events:
            self.state, effects = decide(self.state, event, self.now, self.floor)
            self.effects += effects
        return effects

    def tick(self, ms: int = 0) -> tuple[Effect, ...]:
        """Let time pass and give the timer that is due, if any, as the shell would."""
        self.now += timedelta(milliseconds=ms)
        due = next_due(self.state)
        if due is None or due > self.now:
            return ()
        return self.feed(TimerDue(call_id=CALL))

    def run_timers(self, until_ms: int) -> None:
        """Give every timer up to then, at its time; none may ask for itself again at once."""
        until = START + timedelta(milliseconds=until_ms)
        while (due := next_due(self.state)) is not None and due <= until:
            self.now = max(self.now, due)
            self.feed(TimerDue(call_id=CALL))
            after = next_due(self.state)
            assert after is None or after > self.now, "a timer that is due at once again"
        self.now = until

    def answer_read(self, *parties: ReadParty) -> tuple[Effect, ...]:
        """Answer the latest reading."""
        return self.feed(SessionRead(call_id=CALL, attempt=self.state.reads, at=self.now, parties=parties))

    def answer_gone(self) -> tuple[Effect, ...]:
        """Answer the latest reading: no such session."""
        return self.feed(SessionGone(call_id=CALL, attempt=self.state.reads, at=self.now))

    def accept(self, ask: Supervise, n: int = 7) -> tuple[Effect, ...]:
        reply = SuperviseAccepted(
            call_id=CALL, party_id=ask.party_id, attempt=ask.attempt, at=self.now, supervisor_party_id=party_id(n)
        )
        return self.feed(reply)

    def refuse(
        self, ask: Supervise, status: int, error_code: str = "", *, retryable: bool, retry_after_ms: int = 0
    ) -> tuple[Effect, ...]:
        reply = SuperviseRefused(
            call_id=CALL, party_id=ask.party_id, attempt=ask.attempt, at=self.now, status=status,
            error_code=error_code, retryable=retryable, retry_after_ms=retry_after_ms,
        )  # fmt: skip
        return self.feed(reply)

    def invite(self, party: str, tag: str = "00000001", role: str = "unknown") -> None:
        self.feed(LegInvited(call_id=CALL, leg_id=f"{party}~{tag}", at=self.now, party_id=party, role=role))

    def up(self, party: str, tag: str = "00000001", role: str = "unknown") -> None:
        self.feed(LegUp(call_id=CALL, leg_id=f"{party}~{tag}", at=self.now, party_id=party, role=role))

    def down(self, party: str, tag: str = "00000001", reason: str = "bye", role: str = "unknown") -> None:
        leg_id = f"{party}~{tag}"
        self.feed(LegDown(call_id=CALL, leg_id=leg_id, at=self.now, party_id=party, reason=reason, role=role))

    def hear(self, *asks: Supervise) -> None:
        """Everything goes well for these requests."""
        for ask in asks:
            self.accept(ask)
            self.invite(ask.party_id, f"{ask.attempt:08x}")
            self.up(ask.party_id, f"{ask.attempt:08x}")

    @property
    def asks(self) -> list[Supervise]:
        return [e for e in self.effects if isinstance(e, Supervise)]

    @property
    def reads(self) -> list[ReadSession]:
        return [e for e in self.effects if isinstance(e, ReadSession)]

    @property
    def facts(self) -> list[str]:
        return [e.type for e in self.effects if isinstance(e, PublishFact)]

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(e.type, e.role) for e in self.effects if isinstance(e, PublishStep)]

    @property
    def reasons(self) -> list[str]:
        return [e.reason for e in self.effects if isinstance(e, PublishStep) and e.reason]

    @property
    def outcomes(self) -> list[Outcome]:
        return [e.outcome for e in self.effects if isinstance(e, PublishFact) and e.outcome is not None]

    @property
    def snapshots(self) -> int:
        return sum(isinstance(e, PublishSnapshot) for e in self.effects)

    @property
    def forgotten(self) -> bool:
        return any(isinstance(e, Forget) for e in self.effects)


def at(ms: int) -> datetime:
    """So long after the start."""
    return START + timedelta(milliseconds=ms)
