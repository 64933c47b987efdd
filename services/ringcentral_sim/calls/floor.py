"""Playing a planned day: each call starts at its time, and the truth about each can be asked for."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from services.ringcentral_sim.calls.run import CallRun
from services.ringcentral_sim.calls.start import CallRequest, start_call
from services.ringcentral_sim.domain.company import Company
from services.ringcentral_sim.domain.day import DayOptions, PlannedCall, plan_day
from services.ringcentral_sim.domain.faults import Spell
from services.ringcentral_sim.domain.staffing import Floor, add_floor
from services.ringcentral_sim.domain.truth import Supervised, Truth, tell
from services.ringcentral_sim.world import World


@dataclass(frozen=True, slots=True)
class _Rules:
    """Extensions that some group lets be monitored, and those of them whose group has a supervisor."""

    monitored: frozenset[str]
    watched: frozenset[str]

    @classmethod
    def of(cls, company: Company) -> _Rules:
        staffed = [g for g in company.groups.values() if any("Monitoring" in p for p in g.members.values())]
        watched = frozenset(m for g in staffed for m, permissions in g.members.items() if "Monitored" in permissions)
        return cls(frozenset(e.id for e in company.agents()), watched)


@dataclass(frozen=True, slots=True)
class _Struck:
    """Faults by session, and those that struck everybody."""

    own: dict[str, list[Spell]]
    everybody: list[Spell]

    def during(self, session_id: str, began: float, end: float) -> list[Spell]:
        common = [spell for spell in self.everybody if spell.from_s <= end and spell.to_s >= began]
        return sorted([*self.own.get(session_id, []), *common], key=lambda spell: spell.from_s)


class FloorDay:
    """One day of a floor. Made from a seed; `begin` lets it run on the simulator's clock."""

    def __init__(self, world: World, *, seed: int, floor: Floor, day: DayOptions, min_talk_s: float) -> None:
        """Plans the day and hires the floor. ValueError when it cannot be planned."""
        self._world = world
        self.seed = seed
        self.min_talk_s = min_talk_s
        self.agents = add_floor(world.company, floor)
        self.plan = plan_day(day, self.agents, random.Random(seed))
        self.runs: dict[int, CallRun] = {}
        self.began_s: float | None = None
        # Records of calls that are over with their legs: nothing about them changes any more.
        self._settled: dict[str, dict[str, Any]] = {}

    @property
    def state(self) -> str:
        """planned, running or done."""
        if self.began_s is None:
            return "planned"
        ended = len(self.runs) == len(self.plan) and all(run.state == "ended" for run in self.runs.values())
        return "done" if ended else "running"

    def begin(self, in_s: float = 0.0) -> None:
        """The day starts so many simulated seconds from now."""
        self.began_s = self._world.clock.monotonic() + in_s
        self._world.tasks.spawn(self._play(), "floor day")

    async def _play(self) -> None:
        assert self.began_s is not None
        for call in self.plan:
            left_s = self.began_s + call.at_ms / 1000 - self._world.clock.monotonic()
            if left_s > 0:
                await self._world.clock.sleep(left_s)
            self.runs[call.number] = await start_call(self._world, _request(call))
            await asyncio.sleep(0)

    def simulated_s(self) -> float:
        """Where the day is; 0 before it began."""
        return 0.0 if self.began_s is None else self._world.clock.monotonic() - self.began_s

    def progress(self) -> dict[str, Any]:
        """Counts so far; times in simulated seconds since the day began."""
        states = Counter(run.state for run in self.runs.values())
        records = self.calls()
        eligible = [r for r in records if r["eligible"]]
        return {
            "state": self.state,
            "seed": self.seed,
            "speed": self._world.settings.speed,
            "simulatedS": round(self.simulated_s(), 3),
            "lastArrivalS": self.plan[-1].at_ms / 1000 if self.plan else 0.0,
            "planned": len(self.plan),
            "started": len(self.runs),
            "ended": states["ended"],
            "live": len(self.runs) - states["ended"],
            "sessions": len(records),
            "eligible": len(eligible),
            "supervisable": sum(r["supervisable"] for r in records),
            "coveredBoth": sum(r["covered"] == "both" for r in eligible),
            "coveredPartly": sum(r["covered"] == "partly" for r in eligible),
            "doubleSupervised": sum(r["doubleSupervised"] for r in records),
            "outsideGroups": sum(r["outsideGroups"] for r in records),
            "dropped": sum(r["dropped"] for r in records),
            "rateLimitViolations": self._world.counters.penalty_violations,
            "injected": self._world.faults.injected(),
        }

    def calls(self) -> list[dict[str, Any]]:
        """Ground truth, one record a session; times in simulated seconds since the day began."""
        faults = _Struck({}, self._world.faults.spells(self._world.clock.monotonic()))
        for strike in self._world.faults.strikes:
            if strike.call_id is not None:
                faults.own.setdefault(strike.call_id, []).append(Spell(strike.kind, strike.at_s, strike.at_s))
        rules = _Rules.of(self._world.company)
        records: list[dict[str, Any]] = []
        for call in self.plan:
            run = self.runs.get(call.number)
            for line, session_id in run.lines.items() if run else ():
                assert run is not None
                record = self._settled.get(session_id)
                if record is None:
                    record = self._record(call, run, line, session_id, faults, rules)
                    if run.state == "ended" and all(leg.ended_at for leg in self._world.legs.of(session_id)):
                        self._settled[session_id] = record
                records.append(record)
        return records

    def _record(
        self,
        call: PlannedCall,
        run: CallRun,
        line: str,
        session_id: str,
        struck: _Struck,
        rules: _Rules,
    ) -> dict[str, Any]:
        truth = self._truth(session_id, rules)
        zero, now = self.began_s or 0.0, self._world.clock.monotonic()
        end = now if truth.ended_s is None else truth.ended_s
        began = truth.agents[0].answered_s if truth.agents else end
        faults = struck.during(session_id, began, end)
        last_fault = min(max((fault.to_s for fault in faults), default=began), end)
        attempts = self._world.legs.attempts.get(session_id, [])

        def at(instant: float | None) -> float | None:
            return None if instant is None else round(instant - zero, 3)

        return {
            "telephonySessionId": session_id,
            "number": call.number,
            "flow": call.flow,
            "line": line,
            "eligible": truth.eligible,
            "supervisable": truth.supervisable,
            "whyNot": truth.why_not,
            "agents": [
                {
                    "extensionId": spell.extension_id,
                    "partyId": spell.party_id,
                    "monitored": spell.extension_id in rules.monitored,
                    "answeredS": at(spell.answered_s),
                    "leftS": at(spell.left_s),
                }
                for spell in truth.agents
            ],
            "talkS": round(truth.talk_s, 3),
            "bothHeardS": round(truth.both_s, 3),
            "covered": truth.covered,
            "firstAudioS": None if truth.first_audio_s is None else round(truth.first_audio_s, 3),
            "supervised": [
                {
                    "supervisorId": leg.ask.supervisor_id,
                    "deviceId": leg.ask.device_id,
                    "supervisorPartyId": leg.supervisor_party_id,
                    "partyId": leg.monitored_party_id,
                    "requestedS": at(leg.requested_at),
                    "answeredS": at(leg.answered_at),
                    "heardS": at(leg.heard_at),
                    "endedS": at(leg.ended_at),
                    "byeLost": leg.bye_lost,
                    "state": leg.state,
                }
                for leg in self._world.legs.of(session_id)
            ],
            "refusals": [attempt.code for attempt in attempts if attempt.code is not None],
            "doubleSupervised": truth.double_supervised,
            "outsideGroups": sum(not a.monitored or (a.code is None and not a.permitted) for a in attempts),
            "dropped": run.dropped_by_client,
            "endedS": at(truth.ended_s),
            "faults": [{"kind": f.kind, "fromS": at(f.from_s), "untilS": at(f.to_s)} for f in faults],
            "livedAfterLastFaultS": round(end - max(began, last_fault), 3),
        }

    def _truth(self, session_id: str, rules: _Rules) -> Truth:
        company = self._world.company
        legs = [
            Supervised(
                supervisor_id=leg.ask.supervisor_id,
                device_id=leg.ask.device_id,
                party_id=leg.monitored_party_id,
                requested_s=leg.requested_at,
                heard_s=leg.heard_at,
                ended_s=leg.ended_at,
            )
            for leg in self._world.legs.of(session_id)
        ]
        return tell(
            self._world.book.changes(session_id),
            legs,
            is_agent=lambda extension_id: company.extensions[extension_id].type == "User",
            is_monitored=rules.monitored.__contains__,
            is_watched=rules.watched.__contains__,
            min_talk_s=self.min_talk_s,
            now=self._world.clock.monotonic(),
        )


def _request(call: PlannedCall) -> CallRequest:
    return CallRequest(
        agent_id=call.agent_id,
        flow=call.flow,
        holds=call.holds,
        flow_at_ms=call.flow_at_ms,
        duration_ms=call.talk_ms,
        start_audio="answered",
        customer_number=call.customer_number,
        colleague_ids=call.colleague_ids,
    )
