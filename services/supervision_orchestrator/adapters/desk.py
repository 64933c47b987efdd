"""The one function that applies decisions: it reads the row, decides, publishes, stores, and sets off requests.

`take` runs to its end without awaiting, so that the agents of three topics cannot come between each other on one
call. Records go out before the row is stored: after a kill in between, the replay publishes the same ids again,
where the other order would lose them.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.chassis.clock import Clock
from services.chassis.publisher import Publisher
from services.supervision_orchestrator.adapters.incoming import DEVICE_TIMER
from services.supervision_orchestrator.adapters.outgoing import (
    publish_fact,
    publish_snapshot,
    publish_step,
    publish_timer,
)
from services.supervision_orchestrator.adapters.requests import Request
from services.supervision_orchestrator.adapters.rows import decode_row, encode_row
from services.supervision_orchestrator.domain.call import CallState, next_due, reserved_legs
from services.supervision_orchestrator.domain.decide import decide
from services.supervision_orchestrator.domain.effects import (
    Effect,
    Forget,
    PublishFact,
    PublishSnapshot,
    PublishStep,
    ReadSession,
    Supervise,
)
from services.supervision_orchestrator.domain.floor import Floor
from services.supervision_orchestrator.domain.inputs import Input
from services.supervision_orchestrator.domain.timers import Timers

log = structlog.get_logger()
OUTCOMES = Counter("earshot_calls_ended_total", "Eligible calls by terminal reason.", ["reason"])
STEPS = Counter("earshot_supervision_steps_total", "Supervision steps.", ["step", "mode"])
FIRST_AUDIO = Histogram(
    "earshot_first_audio_seconds", "Answered to a party's first audio.", buckets=(0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30)
)
ACTIVE_CALLS = Gauge("earshot_active_calls", "Eligible calls that have not ended.")
WAITING = frozenset({"no_device_online", "no_capacity"})


class StartRequests(Protocol):
    """Sets off a call's requests in the background."""

    def __call__(self, call_id: str, requests: Sequence[Request]) -> None:
        """Does not block."""
        ...


class Desk:
    """Holds what can be rebuilt from the rows: timers, reserved legs, calls that wait. For the event loop's thread."""

    def __init__(
        self, rows: MutableMapping[bytes, bytes], publisher: Publisher, clock: Clock, *, floor: Callable[[], Floor],
        start_requests: StartRequests,
    ) -> None:  # fmt: skip
        self._rows = rows
        self._publisher = publisher
        self._clock = clock
        self._floor = floor
        self._start_requests = start_requests
        self._timers = Timers()
        self._reserved: dict[str, tuple[str, int]] = {}
        self._waiting: set[str] = set()
        self._active: set[str] = set()

    def take(self, call_id: str, inputs: Sequence[Input]) -> bool:
        """Apply inputs of one record; whether a terminal record went out, which should be flushed before going on.

        Raises Backpressure, with nothing stored, when the producer's queue is full.
        """
        key = call_id.encode()
        row = self._rows.get(key)
        before = state = decode_row(row) if row else CallState(call_id=call_id)
        floor = self._floor().reserve(self._reserved_legs())
        requests: list[Request] = []
        ended = forget = False
        for event in inputs:
            state, effects = decide(state, event, self._clock.now(), floor)
            for effect in effects:
                self._publish(state, effect, floor)
                ended = ended or (isinstance(effect, PublishFact) and effect.type == "ended")
                forget = forget or isinstance(effect, Forget)
                if isinstance(effect, ReadSession | Supervise):
                    requests.append(effect)
        if forget:
            self._rows.pop(key, None)
        elif state != before:
            self._rows[key] = encode_row(state)
        self._remember(state, forgotten=forget)
        if requests:
            self._start_requests(call_id, requests)
        return ended

    def publish_due_timers(self) -> None:
        """Send those whose moment has come through the inbox, so that they change the call in its own order."""
        now = self._clock.now()
        for call_id, due in self._timers.pop_due(now):
            publish_timer(self._publisher, call_id, timer="due", due=due, at=now)

    def device_changed(self) -> None:
        """Calls that wait for a device hear of it."""
        now = self._clock.now()
        for call_id in self._waiting:
            publish_timer(self._publisher, call_id, timer=DEVICE_TIMER, due=now, at=now)

    def rebuild(self) -> int:
        """After a start or a change of partitions: everything in memory anew from the rows; how many there are."""
        self._timers.clear()
        self._reserved.clear()
        self._waiting.clear()
        self._active.clear()
        count = 0
        for key, row in list(self._rows.items()):
            try:
                self._remember(decode_row(row), forgotten=False)
            except msgspec.ValidationError:
                log.error("row_unreadable", call_id=key.decode(errors="replace"))
            count += 1
        return count

    def _reserved_legs(self) -> dict[str, int]:
        legs: dict[str, int] = {}
        for device_id, count in self._reserved.values():
            legs[device_id] = legs.get(device_id, 0) + count
        return legs

    def _remember(self, state: CallState, *, forgotten: bool) -> None:
        call_id = state.call_id
        self._timers.set(call_id, None if forgotten else next_due(state))
        device_id, count = reserved_legs(state)
        if count:
            self._reserved[call_id] = (device_id, count)
        else:
            self._reserved.pop(call_id, None)
        living = state.started_at is not None and not state.over
        _put(self._active, call_id, living)
        _put(self._waiting, call_id, living and state.failure is not None and state.failure.reason in WAITING)
        ACTIVE_CALLS.set(len(self._active))

    def _publish(self, state: CallState, effect: Effect, floor: Floor) -> None:
        own = floor.supervisor_extension_id
        match effect:
            case PublishFact():
                publish_fact(self._publisher, state, effect)
                if effect.outcome is not None:
                    OUTCOMES.labels(effect.outcome.reason).inc()
                self._log("call_fact", state, fact=effect.type, reason=effect.outcome and effect.outcome.reason)
            case PublishStep():
                publish_step(self._publisher, state, effect, supervisor_extension_id=own)
                STEPS.labels(effect.type, effect.mode).inc()
                if effect.waited_ms is not None:
                    FIRST_AUDIO.observe(effect.waited_ms / 1000)
                self._log("supervision_step", state, step=effect.type, party_id=effect.party_id, reason=effect.reason)
            case PublishSnapshot():
                publish_snapshot(self._publisher, state, at=self._clock.now(), supervisor_extension_id=own)
            case _:
                pass

    def _log(self, event: str, state: CallState, **fields: Any) -> None:
        log.info(event, call_id=state.call_id, **fields)


def _put(calls: set[str], call_id: str, wanted: bool) -> None:
    if wanted:
        calls.add(call_id)
    else:
        calls.discard(call_id)
