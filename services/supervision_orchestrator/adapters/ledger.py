"""What all calls together hold and spend: rebuilt from the rows, so that a restart changes none of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.chassis.ringcentral import RateLimit
from services.supervision_orchestrator.adapters.requests import Request, request_id
from services.supervision_orchestrator.domain.admission import Wanting, admissible, in_turn
from services.supervision_orchestrator.domain.budgets import ANY, Budgets
from services.supervision_orchestrator.domain.call import ACTIVE, CallState, Phase
from services.supervision_orchestrator.domain.effects import ReadSession, Supervise
from services.supervision_orchestrator.domain.floor import Floor, Reserved
from services.supervision_orchestrator.domain.inputs import (
    Input,
    ReadFailed,
    SessionGone,
    SessionRead,
    SuperviseAccepted,
    SuperviseRefused,
)
from services.supervision_orchestrator.domain.plan import queued
from services.supervision_orchestrator.domain.policy import Policy, after
from services.supervision_orchestrator.domain.targets import silence_ms

READ = (SessionRead, SessionGone, ReadFailed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hold:
    """What one call holds; `legs`: device, asked for without an INVITE yet, held in all."""

    supervisor: str = ""
    reader: str = ""
    device_id: str = ""
    booked_legs: int = 0
    legs: tuple[tuple[str, int, int], ...] = ()


NOTHING = _Hold()


class Ledger:
    """For the event loop's thread. `budgets` hold the requests; the rest is by call."""

    def __init__(self, budgets: Budgets) -> None:
        self.budgets = budgets
        self._holds: dict[str, _Hold] = {}
        self._asked: Counter[str] = Counter()
        self._held: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._waiting: dict[str, Wanting] = {}
        self._queue: tuple[Wanting, ...] | None = None
        self._woken: dict[str, datetime] = {}

    def clear(self) -> None:
        """Before the rows are read anew."""
        self.budgets.clear()
        self._holds.clear()
        for total in (self._asked, self._held, self._requests):
            total.clear()
        self._waiting.clear()
        self._woken.clear()
        self._queue = None

    def hear(self, call_id: str, events: Sequence[Input], policy: Policy) -> None:
        """Before a decision: which requests these inputs answer, and what penalty they tell of."""
        for event in events:
            if isinstance(event, READ):
                answered = f"{call_id}:read:{event.attempt}"
            elif isinstance(event, SuperviseAccepted | SuperviseRefused):
                answered = f"{call_id}:{event.party_id or 'session'}:{event.attempt}"
            else:
                continue
            if isinstance(event, ReadFailed | SuperviseRefused):
                silent_ms = silence_ms(event, policy)
                supervisor = event.supervisor or self._supervisor_of(call_id, event)
                if silent_ms and supervisor:
                    self.budgets.close(supervisor, after(event.at, silent_ms))
            self.budgets.settle(answered, event.at)

    def learn(self, supervisor: str, told: RateLimit, now: datetime) -> None:
        """What a reply said of its group's limits."""
        if told.penalty_ms:
            self.budgets.close(supervisor, after(now, told.penalty_ms), group=told.group)
        elif told.group != ANY:
            self.budgets.learn(
                supervisor, told.group, now, limit=told.limit, remaining=told.remaining, window_ms=told.window_ms
            )

    def spend(self, call_id: str, request: Request, lost_at: datetime) -> None:
        """After a decision: a request is about to be sent."""
        self.budgets.spend(request.supervisor, request_id(call_id, request), lost_at=lost_at)

    def keep(self, state: CallState) -> None:
        """After a decision: what the call holds and waits for now."""
        call_id = state.call_id
        hold = NOTHING if state.over else _hold_of(state)
        before = self._holds.get(call_id, NOTHING)
        if hold != before:
            self._total(before, -1)
            self._total(hold, 1)
            self._holds[call_id] = hold
        if hold == NOTHING:
            self._holds.pop(call_id, None)
        wanting = queued(state)
        if wanting != self._waiting.get(call_id):
            self._queue = None
            if wanting is None:
                self._waiting.pop(call_id, None)
            else:
                self._waiting[call_id] = wanting
        self._woken.pop(call_id, None)

    def forget(self, call_id: str) -> None:
        """The call's row is gone."""
        self._total(self._holds.pop(call_id, NOTHING), -1)
        self._woken.pop(call_id, None)
        if self._waiting.pop(call_id, None) is not None:
            self._queue = None

    def recall(self, state: CallState, now: datetime) -> None:
        """After a start: requests that the row tells of, answered or not."""
        for penalty in state.penalties:
            if penalty.until > now:
                self.budgets.close(penalty.supervisor, penalty.until)
        for spent in state.spent:
            self.budgets.count(spent.supervisor, spent.at)
        if state.reading and state.read_due is not None:
            reading = ReadSession(attempt=state.reads, supervisor=state.reader)
            self.spend(state.call_id, reading, state.read_due)
        for target in state.targets:
            if target.reply_due is not None:
                asked = Supervise(
                    party_id=target.party_id, attempt=target.attempt, agent_extension_id=state.agent_extension_id,
                    supervisor=state.supervisor, device_id=target.device_id,
                )  # fmt: skip
                self.spend(state.call_id, asked, target.reply_due)
        self.keep(state)

    def floor_for(self, floor: Floor, call_id: str, now: datetime) -> Floor:
        """The floor as the call may use it: less what the others hold, with those that wait before it."""
        if self._queue is None:
            self._queue = in_turn(self._waiting.values())
        supervisors = tuple(
            replace(s, requests=self.budgets.free(s.extension_id, now)) for s in floor.supervisors
        )  # fmt: skip
        return replace(floor, supervisors=supervisors, queue=self._queue).less(self._reserved(call_id))

    def to_wake(self, floor: Floor, now: datetime) -> list[str]:
        """Calls that wait and can be let in now; each is named again only when it still waits after a while."""
        if not self._waiting:
            return []
        found = []
        for call_id in admissible(self.floor_for(floor, "", now)):
            woken_at = self._woken.get(call_id)
            if woken_at is None or after(woken_at, floor.policy.queue_ms) <= now:
                self._woken[call_id] = now
                found.append(call_id)
        return found

    def waiting(self) -> int:
        """How many calls wait to be let in."""
        return len(self._waiting)

    def _total(self, hold: _Hold, sign: int) -> None:
        for device_id, asked, held in hold.legs:
            self._asked[device_id] += sign * asked
            self._held[device_id] += sign * held
        if hold.booked_legs:
            self._asked[hold.device_id] += sign * hold.booked_legs
            self._held[hold.device_id] += sign * hold.booked_legs
            self._requests[hold.supervisor] += sign * hold.booked_legs

    def _reserved(self, own: str) -> Reserved:
        """All that is held, less what the call itself has booked and still may ask for."""
        hold = self._holds.get(own, NOTHING)
        booked = Counter({hold.device_id: hold.booked_legs})
        return Reserved(
            asked=_less(self._asked, booked),
            held=_less(self._held, booked),
            requests=_less(self._requests, Counter({hold.supervisor: hold.booked_legs})),
        )

    def _supervisor_of(self, call_id: str, event: ReadFailed | SuperviseRefused) -> str:
        hold = self._holds.get(call_id, NOTHING)
        return hold.reader if isinstance(event, ReadFailed) else hold.supervisor


def _hold_of(state: CallState) -> _Hold:
    return _Hold(
        supervisor=state.supervisor,
        reader=state.reader,
        device_id=state.device_id,
        booked_legs=state.booked_legs,
        legs=tuple(
            (
                t.device_id or state.device_id,
                int(not t.legs and t.phase in {Phase.REQUESTED, Phase.ACCEPTED}),
                max(len(t.legs), int(t.phase in ACTIVE)),
            )
            for t in state.targets
            if t.legs or t.phase in ACTIVE
        ),
    )


def _less(total: Counter[str], own: Counter[str]) -> dict[str, int]:
    return {key: count - own[key] for key, count in total.items()}
