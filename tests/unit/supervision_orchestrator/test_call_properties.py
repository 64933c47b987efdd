"""Whatever comes, in whatever order and however often: one account a call, one request a party at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.testing.fake_clock import START
from services.supervision_orchestrator.adapters.rows import decode_row, encode_row
from services.supervision_orchestrator.domain.call import CallState, next_due
from services.supervision_orchestrator.domain.decide import decide
from services.supervision_orchestrator.domain.effects import Effect, PublishFact, ReadSession, Supervise
from services.supervision_orchestrator.domain.inputs import (
    Input,
    LegDown,
    LegInvited,
    LegUp,
    ReadFailed,
    SessionGone,
    SessionRead,
    SuperviseAccepted,
    SuperviseRefused,
    TimerDue,
)
from tests.support.call_bench import AGENT, CALL, OTHER_AGENT, change, floor, read_party

CODES = st.sampled_from(["Setup", "Proceeding", "Answered", "Hold", "Disconnected", "Gone", "Parked"])
OWNER = {1: "", 2: AGENT, 3: OTHER_AGENT, 4: "", 5: "700200300"}
changes = st.builds(
    lambda sequence, n, code, reason, logged: change(
        sequence, n, code, OWNER[n], reason=reason, after_the_fact=logged and sequence < 0
    ),
    st.integers(min_value=-1, max_value=25),
    st.sampled_from(sorted(OWNER)),
    CODES,
    st.sampled_from(["", "", "", "BlindTransfer", "Supervising"]),
    st.booleans(),
)
sessions = st.lists(
    st.builds(lambda n, code: read_party(n, code, OWNER[n]), st.sampled_from([1, 2, 3, 4]), CODES),
    max_size=4,
    unique_by=lambda party: party.party_id,
).map(tuple)
moves = st.one_of(
    changes.map(lambda event: ("event", event)),
    st.tuples(st.just("wait"), st.sampled_from([10, 300, 1_000, 5_000, 30_000])),
    st.tuples(st.just("read"), sessions),
    st.tuples(st.sampled_from(["gone", "read_failed", "accept", "refuse", "retry", "invite", "up", "down", "restart"]),
              st.integers(min_value=0, max_value=5)),
    st.tuples(st.just("repeat"), st.integers(min_value=0, max_value=8)),
)  # fmt: skip


SUPERVISED: list[tuple[str, object]] = [
    ("event", change(0, 2, "Answered", AGENT)),
    ("read", (read_party(1), read_party(2, "Answered", AGENT))),
]
"""Puts half of the examples where requests are under way."""


@dataclass
class World:
    """The state machine with a model of what is under way for each party."""

    state: CallState = field(default_factory=lambda: CallState(call_id=CALL))
    now: object = START
    unanswered: set[str] = field(default_factory=set)
    standing: dict[str, set[str]] = field(default_factory=dict)
    asks: list[Supervise] = field(default_factory=list)
    ended: int = 0
    eligible: bool = False
    history: list[Input] = field(default_factory=list)

    def feed(self, event: Input) -> None:
        self.history.append(event)
        over_before = self.state.over
        if isinstance(event, TimerDue):  # a reply that never came stops being awaited when it is overdue
            overdue = [t.party_id for t in self.state.targets if t.reply_due is not None and t.reply_due <= self.now]
            self.unanswered -= set(overdue)
        self.state, effects = decide(self.state, event, self.now, floor())
        assert not (over_before and effects and not self.state.forget_due), "nothing follows the account"
        for effect in effects:
            self.check(effect)

    def check(self, effect: Effect) -> None:
        match effect:
            case Supervise(party_id=party):
                assert party not in self.unanswered, "two requests of one party at once"
                assert not self.standing.get(party), "a request of a party that is heard"
                assert not self.ended
                assert self.state.target(party) is not None
                self.unanswered.add(party)
                self.asks.append(effect)
            case PublishFact(type="started"):
                assert not self.eligible
                self.eligible = True
            case PublishFact(type="ended"):
                self.ended += 1
                assert effect.outcome is not None
                assert 0 <= effect.outcome.gap_ms <= effect.outcome.duration_ms
            case ReadSession():
                assert not self.ended

    def run_timers(self, until: object) -> None:
        while (due := next_due(self.state)) is not None and due <= until and not self.state.over:
            self.now = max(self.now, due)
            self.feed(TimerDue(call_id=CALL))
            after = next_due(self.state)
            assert after is None or after > self.now, "a timer that is due at once again"
        self.now = until

    def leg(self, kind: type, ask: Supervise) -> None:
        leg_id = f"{ask.party_id or 'mixed'}~{ask.attempt:08x}"
        standing = self.standing.setdefault(ask.party_id, set())
        if kind is LegDown:
            standing.discard(leg_id)
        elif kind is LegUp and not any(isinstance(e, LegDown) and e.leg_id == leg_id for e in self.history):
            standing.add(leg_id)
        self.feed(kind(call_id=CALL, leg_id=leg_id, at=self.now, party_id=ask.party_id,
                       role="unknown" if ask.party_id else "mixed"))  # fmt: skip

    def play(self, kind: str, detail: object) -> None:
        ask = self.asks[-1 - detail % len(self.asks)] if self.asks and isinstance(detail, int) else None
        match kind:
            case "event":
                self.feed(detail)
            case "wait":
                self.run_timers(self.now + timedelta(milliseconds=detail))
            case "read":
                self.feed(SessionRead(call_id=CALL, attempt=self.state.reads, at=self.now, parties=detail))
            case "gone":
                self.feed(SessionGone(call_id=CALL, attempt=self.state.reads, at=self.now))
            case "read_failed":
                self.feed(ReadFailed(call_id=CALL, attempt=self.state.reads, at=self.now, status=503))
            case "restart":
                self.state = decode_row(encode_row(self.state))
            case "repeat" if self.history:
                self.feed(self.history[-1 - detail % len(self.history)])
            case "accept" if ask:
                self.answered(ask)
                self.feed(SuperviseAccepted(call_id=CALL, party_id=ask.party_id, attempt=ask.attempt, at=self.now))
            case "refuse" | "retry" if ask:
                self.answered(ask)
                self.feed(SuperviseRefused(call_id=CALL, party_id=ask.party_id, attempt=ask.attempt, at=self.now,
                                           status=403, retryable=kind == "retry"))  # fmt: skip
            case "invite" | "up" | "down" if ask:
                self.leg({"invite": LegInvited, "up": LegUp, "down": LegDown}[kind], ask)
            case _:
                pass

    def answered(self, ask: Supervise) -> None:
        latest = [a for a in self.asks if a.party_id == ask.party_id][-1]
        if latest is ask:
            self.unanswered.discard(ask.party_id)

    def end(self) -> None:
        """The call ends for sure: every party gone, every reading says so."""
        for n in (1, 2, 3, 4):
            self.feed(change(100 + n, n, "Disconnected", OWNER[n]))
        for _ in range(20):
            if self.state.reading:
                self.feed(SessionGone(call_id=CALL, attempt=self.state.reads, at=self.now))
            self.run_timers(self.now + timedelta(milliseconds=5_000))


@settings(max_examples=150, deadline=None)
@given(st.booleans(), st.lists(moves, max_size=40))
def test_one_account_a_call_and_one_request_a_party_at_a_time(
    supervised: bool, played: list[tuple[str, object]]
) -> None:
    world = World()

    for kind, detail in [*(SUPERVISED if supervised else []), *played]:
        world.play(kind, detail)
    world.end()

    assert world.eligible
    assert world.ended == 1
    assert world.state.over


@settings(max_examples=150, deadline=None)
@given(st.permutations(range(6)), st.lists(st.integers(min_value=0, max_value=5), max_size=6))
def test_order_and_repetition_of_notifications_do_not_matter(order: list[int], repeated: list[int]) -> None:
    codes = ["Setup", "Proceeding", "Answered", "Hold", "Answered", "Disconnected"]
    events = [change(2 + i, 2, code, AGENT) for i, code in enumerate(codes)]
    world = World()

    for i in [*order, *repeated]:
        world.feed(events[i])
    world.end()

    assert world.ended == 1
    assert world.state.answered_at == events[2].at
