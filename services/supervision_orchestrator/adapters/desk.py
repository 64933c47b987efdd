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
from services.supervision_orchestrator.adapters.incoming import LET_IN_TIMER, PEER_TIMER
from services.supervision_orchestrator.adapters.ledger import Ledger
from services.supervision_orchestrator.adapters.outgoing import (
    publish_fact,
    publish_snapshot,
    publish_step,
    publish_timer,
)
from services.supervision_orchestrator.adapters.requests import Request
from services.supervision_orchestrator.adapters.rows import decode_row, encode_row
from services.supervision_orchestrator.domain.call import CallState, next_due
from services.supervision_orchestrator.domain.decide import decide
from services.supervision_orchestrator.domain.effects import (
    Effect,
    FollowPeer,
    Forget,
    PublishFact,
    PublishSnapshot,
    PublishStep,
    ReadSession,
    Supervise,
)
from services.supervision_orchestrator.domain.floor import Floor
from services.supervision_orchestrator.domain.inputs import Input, TelephonyPartyChanged
from services.supervision_orchestrator.domain.parties import SUPERVISING
from services.supervision_orchestrator.domain.policy import after
from services.supervision_orchestrator.domain.timers import Timers

log = structlog.get_logger()
OUTCOMES = Counter("earshot_calls_ended_total", "Eligible calls by terminal reason.", ["reason"])
STEPS = Counter("earshot_supervision_steps_total", "Supervision steps.", ["step", "mode"])
FIRST_AUDIO = Histogram(
    "earshot_first_audio_seconds", "Answered to a party's first audio.", buckets=(0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30)
)
ACTIVE_CALLS = Gauge("earshot_active_calls", "Eligible calls that have not ended.")
WAITING_CALLS = Gauge("earshot_waiting_calls", "Calls that wait for a supervisor, a device or their rate limit.")
TAKEN_UP_AGAIN = Counter("earshot_calls_taken_up_again_total", "Calls answered again after their terminal record.")


class StartRequests(Protocol):
    """Sets off a call's requests in the background."""

    def __call__(self, call_id: str, requests: Sequence[Request]) -> None:
        """Does not block."""
        ...


class Desk:
    """Holds what can be rebuilt from the rows: timers and the ledger. For the event loop's thread."""

    def __init__(
        self, rows: MutableMapping[bytes, bytes], publisher: Publisher, clock: Clock, *, floor: Callable[[], Floor],
        start_requests: StartRequests, ledger: Ledger,
    ) -> None:  # fmt: skip
        self._rows = rows
        self._publisher = publisher
        self._clock = clock
        self._floor = floor
        self._start_requests = start_requests
        self._timers = Timers()
        self._ledger = ledger
        self._active: set[str] = set()

    def take(self, call_id: str, inputs: Sequence[Input]) -> bool:
        """Apply inputs of one record; whether a terminal record went out, which should be flushed before going on.

        Raises Backpressure, with nothing stored, when the producer's queue is full.
        """
        key = call_id.encode()
        row = self._rows.get(key)
        before = state = decode_row(row) if row else CallState(call_id=call_id)
        now = self._clock.now()
        picture = self._floor()
        self._ledger.hear(call_id, inputs, picture.policy)
        floor = self._ledger.floor_for(picture, call_id, now)
        requests: list[Request] = []
        peers: list[str] = []
        if state.over:
            _note_taken_up_again(state, inputs)
        ended = forget = False
        for event in inputs:
            state, effects = decide(state, event, now, floor)
            for effect in effects:
                self._publish(state, effect)
                ended = ended or (isinstance(effect, PublishFact) and effect.type == "ended")
                forget = forget or isinstance(effect, Forget)
                if isinstance(effect, ReadSession | Supervise):
                    requests.append(effect)
                elif isinstance(effect, FollowPeer):
                    peers.append(effect.call_id)
        if forget:
            self._rows.pop(key, None)
        elif state != before:
            self._rows[key] = encode_row(state)
        for request in requests:
            self._ledger.spend(call_id, request, after(now, floor.policy.reply_timeout_ms))
        self._remember(state, forgotten=forget)
        for peer in peers:
            publish_timer(self._publisher, peer, timer=PEER_TIMER, due=now, at=now)
        if requests:
            self._start_requests(call_id, requests)
        return ended

    def publish_due_timers(self) -> None:
        """Send those whose moment has come through the inbox, so that they change the call in its own order."""
        now = self._clock.now()
        for call_id, due in self._timers.pop_due(now):
            publish_timer(self._publisher, call_id, timer="due", due=due, at=now)

    def wake(self) -> None:
        """Calls that wait, and can be let in now, hear of it: the oldest first."""
        now = self._clock.now()
        for call_id in self._ledger.to_wake(self._floor(), now):
            publish_timer(self._publisher, call_id, timer=LET_IN_TIMER, due=now, at=now)

    def rebuild(self) -> int:
        """After a start or a change of partitions: everything in memory anew from the rows; how many there are."""
        self._timers.clear()
        self._ledger.clear()
        self._active.clear()
        count = 0
        now = self._clock.now()
        for key, row in list(self._rows.items()):
            try:
                state = decode_row(row)
                self._ledger.recall(state, now)
                self._remember(state, forgotten=False)
            except msgspec.ValidationError:
                log.error("row_unreadable", call_id=key.decode(errors="replace"))
            count += 1
        return count

    def _remember(self, state: CallState, *, forgotten: bool) -> None:
        call_id = state.call_id
        self._timers.set(call_id, None if forgotten else next_due(state))
        if forgotten:
            self._ledger.forget(call_id)
        else:
            self._ledger.keep(state)
        _put(self._active, call_id, state.started_at is not None and not state.over)
        ACTIVE_CALLS.set(len(self._active))
        WAITING_CALLS.set(self._ledger.waiting())

    def _publish(self, state: CallState, effect: Effect) -> None:
        match effect:
            case PublishFact():
                publish_fact(self._publisher, state, effect)
                if effect.outcome is not None:
                    OUTCOMES.labels(effect.outcome.reason).inc()
                self._log("call_fact", state, fact=effect.type, reason=effect.outcome and effect.outcome.reason)
            case PublishStep():
                publish_step(self._publisher, state, effect)
                STEPS.labels(effect.type, effect.mode).inc()
                if effect.waited_ms is not None:
                    FIRST_AUDIO.observe(effect.waited_ms / 1000)
                self._log("supervision_step", state, step=effect.type, party_id=effect.party_id, reason=effect.reason)
            case PublishSnapshot():
                publish_snapshot(self._publisher, state, at=self._clock.now())
            case _:
                pass

    def _log(self, event: str, state: CallState, **fields: Any) -> None:
        log.info(event, call_id=state.call_id, **fields)


def _note_taken_up_again(state: CallState, inputs: Sequence[Input]) -> None:
    """An answer after the account: nothing is asked for any more, but it is seen."""
    for event in inputs:
        if not isinstance(event, TelephonyPartyChanged) or event.code != "Answered":
            continue
        if event.sequence > state.last_sequence and event.extension_id and event.reason not in SUPERVISING:
            TAKEN_UP_AGAIN.inc()
            log.warning("call_taken_up_again", call_id=state.call_id, party_id=event.party_id)


def _put(calls: set[str], call_id: str, wanted: bool) -> None:
    if wanted:
        calls.add(call_id)
    else:
        calls.discard(call_id)
