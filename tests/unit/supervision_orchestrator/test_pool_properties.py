"""A floor of calls, two supervisors and a RingCentral that refuses, limits and loses: what must hold whatever comes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts import records, topics
from services.supervision_orchestrator.adapters.desk import Desk
from services.supervision_orchestrator.adapters.incoming import inbox_inputs
from services.supervision_orchestrator.adapters.ledger import Ledger
from services.supervision_orchestrator.adapters.rows import decode_row
from services.supervision_orchestrator.domain.budgets import Budgets, Limits
from services.supervision_orchestrator.domain.call import ACTIVE
from services.supervision_orchestrator.domain.effects import ReadSession, Supervise
from services.supervision_orchestrator.domain.floor import Device, Floor, Supervisor
from services.supervision_orchestrator.domain.inputs import (
    Input,
    LegDown,
    LegInvited,
    LegUp,
    TelephonyPartyChanged,
)
from services.supervision_orchestrator.domain.roster import Membership, Roster
from services.supervision_orchestrator.domain.stages import ON_CALL, Stage

LIMIT, WINDOW_MS, PENALTY_MS, SLOTS = 8, 60_000, 30_000, 4
EAST, BOTH = "900", "901"
AGENTS = {"700": ("E",), "701": ("W",), "702": ("E", "W")}
OWNERS = {1: "", 2: "700", 3: "701", 4: "702", 5: "", 6: EAST}
CALLS = ("s-1", "s-2", "s-3")


def floor() -> Floor:
    def member(groups: Sequence[str], *, monitors: bool) -> tuple[Membership, ...]:
        return tuple(Membership(group_id=g, monitored=not monitors, monitoring=monitors) for g in groups)

    entries = {a: member(g, monitors=False) for a, g in AGENTS.items()}
    entries |= {EAST: member("E", monitors=True), BOTH: member("EW", monitors=True)}
    return Floor(
        roster=Roster(entries),
        supervisors=(Supervisor(extension_id=EAST), Supervisor(extension_id=BOTH)),
        devices=tuple(
            Device(device_id=f"d{s}", supervisor_extension_id=s, online=True, free_slots=SLOTS, slots=SLOTS)
            for s in (EAST, BOTH)
        ),
    )  # fmt: skip


@dataclass
class Sent:
    call_id: str
    request: ReadSession | Supervise
    at: datetime


@dataclass
class Platform:
    """The floor's RingCentral, gateway and broker; every check is made when a request is sent."""

    rows: dict[bytes, bytes] = field(default_factory=dict)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    clock: FakeClock = field(default_factory=FakeClock)
    sent: list[Sent] = field(default_factory=list)
    history: list[Sent] = field(default_factory=list)
    penalties: dict[str, datetime] = field(default_factory=dict)
    truth: dict[str, dict[int, str]] = field(default_factory=lambda: {c: {} for c in CALLS})
    sequences: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CALLS, 1))
    standing: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    told: list[Input] = field(default_factory=list)
    heard_of: int = 0
    legs: count[int] = field(default_factory=count)
    answered: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.floor = floor()
        self.start()

    def start(self) -> None:
        self.ledger = Ledger(Budgets(Limits(per_window={"light": LIMIT}, window_ms=WINDOW_MS, spare=0)))
        self.desk = Desk(
            self.rows, self.publisher, self.clock, floor=lambda: self.floor, start_requests=self.send,
            ledger=self.ledger,
        )  # fmt: skip
        self.desk.rebuild()

    def send(self, call_id: str, requests: Sequence[ReadSession | Supervise]) -> None:
        now = self.clock.now()
        for request in requests:
            supervisor = request.supervisor
            assert self.penalties.get(supervisor, now) <= now, "a request inside a penalty"
            recent = [s for s in self.history if s.request.supervisor == supervisor
                      and s.at > now - timedelta(milliseconds=WINDOW_MS)]  # fmt: skip
            assert len(recent) < LIMIT, "a request beyond the limit"
            if isinstance(request, Supervise):
                self.check(call_id, request)
            sent = Sent(call_id, request, now)
            self.history.append(sent)
            self.sent.append(sent)

    def check(self, call_id: str, request: Supervise) -> None:
        assert self.floor.roster.may_supervise(request.supervisor, request.agent_extension_id), "outside the groups"
        legs = sum(device == request.device_id for _, _, _, device in self.standing.values())
        assert legs < SLOTS, "a leg more than the device takes"
        place = (request.supervisor, request.device_id)
        reply_timeout = timedelta(milliseconds=self.floor.policy.reply_timeout_ms)
        for other in self.sent:
            asked = other.request
            if other.call_id != call_id or not isinstance(asked, Supervise):
                continue
            if other.at + reply_timeout <= self.clock.now():
                continue
            assert asked.party_id != request.party_id, "two requests of one party at once"
            assert (asked.supervisor, asked.device_id) == place, "two supervisors or devices of one call"
        for leg_call, party, supervisor, device in self.standing.values():
            if leg_call == call_id:
                assert party != request.party_id, "a request of a party that is heard"
                assert (supervisor, device) == place, "another supervisor or device than its legs have"

    def take(self, call_id: str, *events: Input) -> None:
        self.told += events
        self.desk.take(call_id, events)

    def deliver(self) -> None:
        """The inbox, in order, until it is empty."""
        while self.heard_of < len(self.publisher.messages):
            message = self.publisher.messages[self.heard_of]
            self.heard_of += 1
            if message.topic.name == topics.SUPERVISION_INBOX.name and message.key in CALLS:
                self.desk.take(message.key, inbox_inputs(message.key, message.value))

    def look(self) -> None:
        """What must hold of every row between two moves."""
        for row in self.rows.values():
            state = decode_row(row)
            assert (state.stage in ON_CALL) == state.agent_talks(), "a stage that its parties belie"
            assert state.stage is not Stage.OVER or state.over
            bound = {t.device_id for t in state.targets if t.phase in ACTIVE or t.reply_due is not None}
            assert len(bound) <= 1, "a call on two devices"

    def wait(self, ms: int) -> None:
        for _ in range(ms // 500):
            self.clock.advance_ms(500)
            self.desk.publish_due_timers()
            self.desk.wake()
            self.deliver()

    def change(self, call_id: str, n: int, code: str, reason: str, *, lost: bool = False) -> None:
        self.sequences[call_id] += 1
        self.truth[call_id][n] = code
        event = TelephonyPartyChanged(
            call_id=call_id, event_id=f"{call_id}-{self.sequences[call_id]}", sequence=self.sequences[call_id],
            at=self.clock.now(), party_id=f"p{n}", code=code, reason=reason, extension_id=OWNERS[n],
            direction="Outbound" if n == 1 else "Inbound",
            peer_call_id=CALLS[(CALLS.index(call_id) + 1) % 3] if code == "Gone" else "",
        )  # fmt: skip
        if lost:
            return
        self.take(call_id, event)

    def answer(self, which: int, how: str) -> None:
        if not self.sent:
            return
        sent = self.sent.pop(which % len(self.sent))
        request, now = sent.request, self.clock.now()
        place = "read" if isinstance(request, ReadSession) else request.party_id or "session"
        reply = records.SupervisionReply(
            reply_id=f"{sent.call_id}:{place}:{request.attempt}", call_id=sent.call_id, kind="refused", at=now,
            attempt=request.attempt, party_id="" if isinstance(request, ReadSession) else request.party_id,
        )  # fmt: skip
        reply = msgspec.structs.replace(reply, supervisor_extension_id=request.supervisor)
        fields: dict[str, object]
        match how:
            case "lost":
                return
            case "limited":
                self.penalties[request.supervisor] = now + timedelta(milliseconds=PENALTY_MS)
                fields = {"status": 429, "retry_after_ms": PENALTY_MS, "retryable": True}
            case "broken":
                fields = {"status": 503, "retryable": True}
            case "refused" if isinstance(request, Supervise):
                fields = {"status": 403, "error_code": "CMN-408"}
            case _ if isinstance(request, ReadSession):
                fields = self.session(sent.call_id)
            case _:
                fields = {"kind": "accepted", "status": 200, "supervisor_party_id": "p9"}
                self.answered.append(sent)
        told = {f: getattr(reply, f) for f in reply.__struct_fields__} | fields
        self.publisher.publish(
            topics.SUPERVISION_INBOX, sent.call_id, records.SupervisionReply(**told), event_id=reply.reply_id
        )  # type: ignore[arg-type]
        self.deliver()

    def session(self, call_id: str) -> dict[str, object]:
        parties = tuple(
            records.SessionParty(party_id=f"p{n}", status=code, extension_id=OWNERS[n])
            for n, code in self.truth[call_id].items()
        )
        if not any(code in {"Setup", "Answered", "Hold"} for code in self.truth[call_id].values()):
            return {"kind": "session_gone", "status": 404}
        return {"kind": "session_read", "status": 200, "parties": parties}

    def leg(self, which: int, *, stays: bool) -> None:
        """The audio of an accepted request comes, or goes."""
        if stays and self.answered:
            sent = self.answered.pop(which % len(self.answered))
            asked = sent.request
            assert isinstance(asked, Supervise)
            leg_id = f"{asked.party_id}~{next(self.legs):08x}"
            role = "unknown" if asked.party_id else "mixed"
            more = {"call_id": sent.call_id, "leg_id": leg_id, "at": self.clock.now(), "party_id": asked.party_id}
            self.take(sent.call_id, LegInvited(**more, role=role), LegUp(**more, role=role))
            self.standing[leg_id] = (sent.call_id, asked.party_id, asked.supervisor, asked.device_id)
        elif not stays and self.standing:
            leg_id = sorted(self.standing)[which % len(self.standing)]
            call_id, party, _, _ = self.standing.pop(leg_id)
            down = LegDown(call_id=call_id, leg_id=leg_id, at=self.clock.now(), party_id=party, reason="bye")
            self.take(call_id, replace(down, role="unknown" if party else "mixed"))

    def end(self) -> None:
        for call_id in CALLS:
            for n in (1, 2, 3, 4, 5):
                self.change(call_id, n, "Disconnected", "")
        for leg in range(len(self.standing)):
            self.leg(leg, stays=False)
        for _ in range(60):
            for _ in range(len(self.sent)):
                self.answer(0, "ok")
            self.wait(5_000)

    def play(self, move: tuple[str, int, str]) -> None:
        kind, n, how = move
        match kind:
            case "event" | "unseen":
                call_id, party = CALLS[n % 3], 1 + n // 3 % 6
                code, _, reason = how.partition(":")
                self.change(call_id, party, code, reason, lost=kind == "unseen")
            case "answer":
                self.answer(n, how)
            case "leg":
                self.leg(n, stays=how != "down")
            case "wait":
                self.wait(n * 500)
            case "device":
                phones = list(self.floor.devices)
                phones[n % 2] = replace(phones[n % 2], online=how != "down")
                self.floor = replace(self.floor, devices=tuple(phones))
            case "repeat" if self.told:
                event = self.told[-1 - n % len(self.told)]
                self.desk.take(event.call_id, [event])
            case "kill":
                self.sent, lost = self.sent[: n % (len(self.sent) + 1)], self.sent[n % (len(self.sent) + 1) :]
                assert all(sent in self.history for sent in lost)
                self.start()
            case _:
                pass
        self.deliver()
        self.look()


STATUSES = st.sampled_from(
    ["Setup", "Answered", "Answered", "Answered", "Hold", "Disconnected", "Disconnected:BlindTransfer",
     "Gone:AttendedTransfer", "Parked", "Answered:Supervising"]
)  # fmt: skip
small = st.integers(min_value=0, max_value=40)
moves = st.one_of(
    st.tuples(st.sampled_from(["event", "event", "event", "unseen"]), small, STATUSES),
    st.tuples(
        st.just("answer"), small, st.sampled_from(["ok", "ok", "ok", "ok", "limited", "broken", "refused", "lost"])
    ),
    st.tuples(st.just("leg"), small, st.sampled_from(["up", "up", "down"])),
    st.tuples(st.just("wait"), small, st.just("")),
    st.tuples(st.just("device"), small, st.sampled_from(["down", "up", "up"])),
    st.tuples(st.sampled_from(["repeat", "kill"]), small, st.just("")),
)
ANSWERED = [("event", n, "Answered") for n in (0, 3, 1, 7, 2, 11)]
"""Three calls of a customer with an agent of the east, of the west and of both."""


def accounts(platform: Platform) -> tuple[set[str], Counter[str]]:
    facts = {f.event_id: f for f in platform.publisher.records(topics.CALLS_LIFECYCLE)}.values()
    return {f.call_id for f in facts if f.type == "started"}, Counter(f.call_id for f in facts if f.type == "ended")


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.lists(moves, max_size=50))
def test_whatever_comes_each_call_is_accounted_for_once_and_nothing_forbidden_is_sent(
    answered: bool, played: list[tuple[str, int, str]]
) -> None:
    platform = Platform()

    for move in [*(ANSWERED if answered else []), *played]:
        platform.play(move)
    platform.end()

    eligible, ended = accounts(platform)
    assert set(ended) == eligible
    assert set(ended.values()) <= {1}
    assert platform.ledger.waiting() == 0


def test_floor_without_faults_hears_every_call_within_the_limits() -> None:
    platform = Platform()
    for move in ANSWERED:
        platform.play(move)
    for _ in range(20):
        for _ in range(len(platform.sent)):
            platform.answer(0, "ok")
        while platform.answered:
            platform.leg(0, stays=True)
        platform.wait(5_000)

    assert {(call_id, party) for call_id, party, _, _ in platform.standing.values()} == {
        ("s-1", "p1"), ("s-1", "p2"), ("s-2", "p1"), ("s-2", "p3"), ("s-3", "p1"), ("s-3", "p4"),
    }  # fmt: skip
    platform.end()
    eligible, ended = accounts(platform)
    assert eligible == set(ended) == set(CALLS)
