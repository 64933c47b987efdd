"""One scripted call from its first ring to the last BYE."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from services.ringcentral_sim.calls.audio import RATE_HZ, Recording, source_at
from services.ringcentral_sim.calls.book import CallBook
from services.ringcentral_sim.calls.legs import Leg, Legs
from services.ringcentral_sim.domain.flows import Flow, Line, Step, talk_steps
from services.ringcentral_sim.domain.ports import Clock
from services.ringcentral_sim.domain.session import Endpoint, Party, Peer

log = structlog.get_logger()
LEAD_S = 0.1
AFTER_AUDIO_S = 0.5
CLOSING_GAP_S = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlan:
    """What to play: `people` names each person's endpoint and `wait_supervised_s` None starts at the answer."""

    flow: Flow
    people: dict[str, Endpoint]
    account_id: str
    recording: Recording
    holds: tuple[tuple[int, int], ...] = ()
    flow_at_ms: int = 5000
    wait_supervised_s: float | None = 8.0


class CallRun:
    """Runs a plan; position 0 of the recording is at `audio_zero` (clock.monotonic) once it is set."""

    def __init__(self, plan: CallPlan, session_id: str, *, book: CallBook, legs: Legs, clock: Clock) -> None:
        self.plan = plan
        self.session_id = session_id
        self.state = "ringing"
        self.audio_started_at: datetime | None = None
        self.answered_at: datetime | None = None
        self.party_ids: dict[str, str] = {}
        # A flow may open a second session beside the call's own.
        self.lines: dict[Line, str] = {"main": session_id}
        self._book = book
        self._legs = legs
        self._clock = clock
        self._audio_zero: float | None = None
        self._heard = asyncio.Event()
        self._hung_up = asyncio.Event()
        self.ended_at: datetime | None = None
        self.dropped_by_client = False
        legs.listeners[session_id] = self

    def hang_up(self) -> None:
        """End the call now; the parties still leave in the flow's closing order."""
        self._hung_up.set()

    async def run(self) -> None:
        """Play to the end or to `hang_up`."""
        script = asyncio.create_task(self._script())
        hung_up = asyncio.create_task(self._hung_up.wait())
        try:
            await asyncio.wait({script, hung_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (script, hung_up):
                task.cancel()
            await asyncio.gather(script, hung_up, return_exceptions=True)
        await self._close()
        if not script.cancelled() and (error := script.exception()) is not None:
            raise error

    def leg_ready(self, leg: Leg) -> None:
        """Let a late leg in at the current position, or open the gate when everyone is heard."""
        leg.side = self._side(leg)
        if self._audio_zero is not None:
            self._play(leg, self._clock.monotonic() + LEAD_S / 5)
            return
        sides = {one.side for one in self._ready()}
        if "mixed" in sides or {"agent", "customer"} <= sides:
            self._heard.set()

    async def _script(self) -> None:
        start = self._clock.monotonic()
        await self._steps(self.plan.flow.opening, start)
        if not self.plan.flow.plays:
            return
        self.state, self.answered_at = "answered", self._clock.now()
        answered = self._clock.monotonic()
        zero = answered if self.plan.wait_supervised_s is None else await self._gate(self.plan.wait_supervised_s)
        self._begin_audio(zero)
        await self._steps(talk_steps(self.plan.flow, self.plan.holds, self.plan.flow_at_ms), zero)
        await self._until(zero + self.plan.recording.duration_s + AFTER_AUDIO_S)

    async def _gate(self, wait_s: float) -> float:
        timeout = asyncio.create_task(self._clock.sleep(wait_s))
        heard = asyncio.create_task(self._heard.wait())
        try:
            await asyncio.wait({timeout, heard}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timeout.cancel()
            heard.cancel()
        if not self._heard.is_set():
            log.info("audio_started_unsupervised", call_id=self.session_id)
        return self._clock.monotonic() + LEAD_S

    def _begin_audio(self, zero: float) -> None:
        self._audio_zero = zero
        self.state = "playing"
        self.audio_started_at = self._wall(zero)
        for leg in self._ready():
            self._play(leg, max(zero, self._clock.monotonic()))

    def _play(self, leg: Leg, start_at: float) -> None:
        assert leg.sip is not None
        assert self._audio_zero is not None
        position = round((start_at - self._audio_zero) * RATE_HZ)
        leg.sip.play(source_at(self.plan.recording, leg.side or "none", position), start_at)
        at_zero = start_at == self._audio_zero
        leg.state, leg.audio_started_at = "playing", self.audio_started_at if at_zero else self._wall(start_at)

    def _ready(self) -> list[Leg]:
        return [leg for leg in self._legs.of(self.session_id) if leg.state == "ready"]

    def _side(self, leg: Leg) -> str:
        if leg.monitored_party_id is None:
            return "mixed"
        roles = {party_id: key for key, party_id in self.party_ids.items()}
        return self.plan.flow.role(roles[leg.monitored_party_id]).side

    def _wall(self, instant: float) -> datetime:
        return self._clock.now() + timedelta(seconds=instant - self._clock.monotonic())

    async def _steps(self, steps: tuple[Step, ...], zero: float) -> None:
        for step in steps:
            await self._until(zero + step.at_ms / 1000)
            self._take(step)

    async def _until(self, instant: float) -> None:
        left = instant - self._clock.monotonic()
        if left > 0:
            await self._clock.sleep(left)

    def _take(self, step: Step) -> None:
        session_id = self._line(self.plan.flow.role(step.role).line)
        session = self._book.any(session_id)
        assert session is not None
        known = session.party(self.party_ids.get(step.role, ""))
        if known is None:
            self.party_ids[step.role] = session.next_party_id()
            known = self._new_party(step.role, self.party_ids[step.role])
        elif not known.live:
            return
        moved = known.moved(
            step.code,
            step.reason,
            missed=step.missed,
            muted=step.muted,
            park_id=step.park,
            peer=self._peer(step.peer) if step.peer else None,
        )
        session = self._book.put(session_id, moved)
        if session.over:
            self._legs.hang_up(session_id)
        elif not moved.live:
            self._legs.hang_up(session_id, monitored=moved.id)

    def _line(self, line: Line) -> str:
        if line not in self.lines:
            self.lines[line] = self._book.open().id
            self._legs.listeners[self.lines[line]] = self
        return self.lines[line]

    def _peer(self, key: str) -> Peer:
        session = self._book.any(self._line(self.plan.flow.role(key).line))
        assert session is not None
        return Peer(session.id, session.session_id, self.party_ids[key])

    def _new_party(self, key: str, party_id: str) -> Party:
        role, people = self.plan.flow.role(key), self.plan.people
        return Party(
            id=party_id,
            account_id=self.plan.account_id,
            direction=role.direction,
            origin=people[role.origin],
            target=people[role.target],
            extension_id=people[role.who].extension_id,
            queue_call=role.queue,
        )

    async def _close(self) -> None:
        for key in dict.fromkeys((*self.plan.flow.closing, *self.party_ids)):
            if key in self.party_ids:
                self._take(Step(0, key, "Disconnected"))
                await self._clock.sleep(CLOSING_GAP_S)
        self.state, self.ended_at = "ended", self._clock.now()
        for session_id in self.lines.values():
            self._legs.hang_up(session_id)
            self._legs.listeners.pop(session_id, None)
