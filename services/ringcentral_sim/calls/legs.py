"""Supervised legs: the reply first, then the INVITE, then audio once the client's RTP has latched."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from services.ringcentral_sim.calls.book import CallBook
from services.ringcentral_sim.domain.company import Company
from services.ringcentral_sim.domain.errors import ApiError
from services.ringcentral_sim.domain.faults import Counters, Faults, InviteFault
from services.ringcentral_sim.domain.ports import Clock, InviteRefused, SipSide, SuperviseLeg, SuperviseOffer
from services.ringcentral_sim.domain.session import Party
from services.ringcentral_sim.domain.supervision import SuperviseRequest, refusal, supervisor_party
from services.ringcentral_sim.tasks import Tasks

log = structlog.get_logger()
# The SIP side sends to the address of the SDP after so long without a packet from the client.
LATCH_TIMEOUT_S = 3.0
HEAD_START_S = 0.5
# So long after a request whose INVITE reached nobody the platform gives the supervisor's party up.
UNANSWERED_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One supervise request, accepted or not; `code` is the error's status and code.

    `permitted`: a group lets this supervisor watch this agent; `monitored`: some group lets the agent be watched.
    """

    at: float
    supervisor_id: str
    device_id: str
    agent_id: str
    party_id: str | None
    permitted: bool
    monitored: bool
    code: str | None = None


@dataclass(slots=True)
class Leg:
    """One accepted supervise request and what became of it; `state` only moves forward.

    The `_at` times that are floats are the clock's seconds.
    """

    session_id: str
    supervisor_party_id: str
    monitored_party_id: str | None
    ask: SuperviseRequest
    requested_at: float
    state: str = "requested"
    sip: SuperviseLeg | None = None
    sip_call_id: str | None = None
    side: str | None = None
    latched: bool = False
    audio_started_at: datetime | None = None
    answered_at: float | None = None
    heard_at: float | None = None
    ended_at: float | None = None
    bye_lost: bool = False


class LegListener(Protocol):
    """The running call, told when a leg can carry audio."""

    def leg_ready(self, leg: Leg) -> None:
        """Its first RTP packet arrived, or it has had its time."""


class Legs:
    """All supervised legs of the simulator, by session."""

    def __init__(
        self,
        *,
        sip: SipSide,
        book: CallBook,
        company: Company,
        faults: Faults,
        counters: Counters,
        clock: Clock,
        tasks: Tasks,
        invite_delay_s: float,
        max_legs_per_device: int = 0,
    ) -> None:
        self._sip = sip
        self._book = book
        self._company = company
        self._faults = faults
        self._counters = counters
        self._clock = clock
        self._tasks = tasks
        self._invite_delay_s = invite_delay_s
        self._max_legs = max_legs_per_device
        self._by_session: dict[str, list[Leg]] = {}
        self._by_device: dict[str, list[Leg]] = {}
        self.attempts: dict[str, list[Attempt]] = {}
        self.listeners: dict[str, LegListener] = {}

    def of(self, session_id: str) -> list[Leg]:
        """Legs of a session in order of request."""
        return self._by_session.get(session_id, [])

    def online(self, device_id: str) -> bool:
        """A device is Online while it is registered, unless a fault says otherwise."""
        return not self._faults.offline(device_id) and self._sip.is_registered(device_id)

    async def supervise(self, session_id: str, ask: SuperviseRequest) -> Party:
        """Add the supervisor's party and send the INVITE after (or, by fault, before) returning."""
        session = self._book.live(session_id)
        refused = refusal(ask, session, self._company, device_online=self.online(ask.device_id))
        self._note(session_id, ask, refused)
        if refused is not None:
            self._counters.supervise_refused += 1
            self._counters.supervised_twice += "already supervised" in refused.message
            raise refused
        self._counters.supervise_accepted += 1
        party = supervisor_party(ask, session, self._company)
        self._book.put(session_id, party)
        leg = Leg(session_id, party.id, ask.party_id, ask, self._clock.monotonic())
        self._by_session.setdefault(session_id, []).append(leg)
        self._by_device.setdefault(ask.device_id, []).append(leg)
        offer = self._offer(session_id, ask, party.id)
        match self._invite_fault(session_id):
            case "none":
                self._tasks.spawn(self._given_up(leg, "no_invite"), f"leg {party.id}")
            case "before_reply":
                await self._invite_first(leg, offer)
            case "late":
                delay_s = self._faults.invite_late_s
                self._tasks.spawn(self._invite_later(leg, offer, delay_s), f"leg {party.id}")
            case "after_reply":
                self._tasks.spawn(self._invite_later(leg, offer, self._invite_delay_s), f"leg {party.id}")
        return party

    def _note(self, session_id: str, ask: SuperviseRequest, refused: ApiError | None) -> None:
        attempt = Attempt(
            at=self._clock.monotonic(),
            supervisor_id=ask.supervisor_id,
            device_id=ask.device_id,
            agent_id=ask.agent_id,
            party_id=ask.party_id,
            permitted=self._company.may_supervise(ask.supervisor_id, ask.agent_id),
            monitored=any(agent.id == ask.agent_id for agent in self._company.agents()),
            code=None if refused is None else f"{refused.status} {refused.code}",
        )
        self.attempts.setdefault(session_id, []).append(attempt)

    def _invite_fault(self, session_id: str) -> InviteFault:
        now = self._clock.monotonic()
        if self._faults.hits("invite_none", now, session_id):
            return "none"
        if self._faults.hits("invite_late", now, session_id):
            return "late"
        if self._faults.hits("invite_before", now, session_id):
            return "before_reply"
        return self._faults.invite

    def _offer(self, session_id: str, ask: SuperviseRequest, party_id: str) -> SuperviseOffer:
        faults, now = self._faults, self._clock.monotonic()
        headers = faults.monitoring_headers
        if faults.hits("headers_omitted", now, session_id):
            headers = "omitted"
        elif faults.hits("headers_reordered", now, session_id):
            headers = "reordered"
        return SuperviseOffer(
            device_id=ask.device_id,
            caller_number=self._caller_number(session_id),
            supervisor_party_id=party_id,
            monitored_party_id=ask.party_id,
            session_id=session_id,
            headers=headers,
            late_offer=faults.hits("late_offer", now, session_id) or faults.late_offer,
            two_media_lines=faults.hits("two_media_lines", now, session_id) or faults.two_media_lines,
        )

    def hang_up(self, session_id: str, *, monitored: str | None = None, supervisor: str | None = None) -> None:
        """BYE the legs of the session: all, those on a party, or a supervisor's own."""
        for leg in self.of(session_id):
            wanted = (monitored is None and supervisor is None) or (
                leg.monitored_party_id == monitored if monitored else leg.supervisor_party_id == supervisor
            )
            if not wanted:
                continue
            self._drop_party(leg)
            if leg.sip is not None and leg.state != "ended":
                if self._faults.hits("bye_lost", self._clock.monotonic(), session_id):
                    leg.bye_lost = True
                    leg.sip.vanish()
                else:
                    self._tasks.spawn(leg.sip.bye(), f"bye {leg.supervisor_party_id}")
            self._end(leg)

    async def _invite_first(self, leg: Leg, offer: SuperviseOffer) -> None:
        """Give the INVITE a head start; a client that answers only after our reply is not waited for."""
        placed = self._tasks.spawn(self._invite(leg, offer), f"invite {leg.supervisor_party_id}")
        pause = asyncio.ensure_future(self._clock.sleep(HEAD_START_S))
        await asyncio.wait({placed, pause}, return_when=asyncio.FIRST_COMPLETED)
        pause.cancel()
        self._tasks.spawn(self._carry_once(leg, placed), f"leg {leg.supervisor_party_id}")

    async def _carry_once(self, leg: Leg, placed: asyncio.Task[bool]) -> None:
        if await placed:
            await self._carry(leg)

    async def _invite_later(self, leg: Leg, offer: SuperviseOffer, delay_s: float) -> None:
        await self._clock.sleep(delay_s)
        if leg.state == "requested" and await self._invite(leg, offer):
            await self._carry(leg)

    async def _invite(self, leg: Leg, offer: SuperviseOffer) -> bool:
        if self._faults.stolen(offer.device_id):
            # The INVITE went to whoever registered last, who does not answer.
            await self._given_up(leg, "stolen")
            return False
        leg.state = "inviting"
        self._counters.invites_sent += 1
        try:
            if self._full(offer.device_id):
                raise InviteRefused(486, "Busy Here")
            leg.sip = await self._sip.invite(offer)
        except InviteRefused as refused:
            self._counters.invites_refused += 1
            log.info(
                "invite_refused",
                call_id=leg.session_id,
                leg_id=leg.supervisor_party_id,
                status=refused.status,
            )
            if leg.state != "ended":
                leg.state = "refused"
                self._release(leg)
                self._drop_party(leg)
            return False
        leg.sip_call_id = leg.sip.call_id
        if leg.state == "ended":
            await leg.sip.bye()
            return False
        leg.state, leg.answered_at = "answered", self._clock.monotonic()
        return True

    async def _carry(self, leg: Leg) -> None:
        assert leg.sip is not None
        ended = self._tasks.spawn(self._watch_end(leg, leg.sip), f"end of {leg.supervisor_party_id}")
        leg.latched = await leg.sip.latched(LATCH_TIMEOUT_S)
        if leg.state == "answered":
            leg.state = "ready"
            if leg.latched:
                leg.heard_at = self._clock.monotonic()
            listener = self.listeners.get(leg.session_id)
            if listener is not None:
                listener.leg_ready(leg)
        await ended

    async def _watch_end(self, leg: Leg, sip: SuperviseLeg) -> None:
        cause = await sip.ended()
        log.info("leg_ended", call_id=leg.session_id, leg_id=leg.supervisor_party_id, cause=cause)
        self._end(leg)
        self._drop_party(leg)

    async def _given_up(self, leg: Leg, state: str) -> None:
        leg.state = state
        await self._clock.sleep(UNANSWERED_S)
        if leg.state == state:
            self._end(leg)
            self._drop_party(leg)

    def _full(self, device_id: str) -> bool:
        legs = self._by_device.get(device_id, [])
        return 0 < self._max_legs <= sum(leg.sip is not None for leg in legs)

    def _end(self, leg: Leg) -> None:
        leg.state = "ended"
        self._release(leg)

    def _release(self, leg: Leg) -> None:
        if leg.ended_at is None:
            leg.ended_at = self._clock.monotonic()
            self._by_device[leg.ask.device_id].remove(leg)

    def _drop_party(self, leg: Leg) -> None:
        session = self._book.any(leg.session_id)
        party = session.party(leg.supervisor_party_id) if session else None
        if party is not None and party.live:
            self._book.put(leg.session_id, party.moved("Disconnected", "Supervising"))

    def _caller_number(self, session_id: str) -> str:
        session = self._book.live(session_id)
        return session.parties[0].origin.phone_number or "anonymous"
