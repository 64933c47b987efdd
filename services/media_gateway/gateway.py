"""The shell around the domain: one asyncio loop that carries SIP workers, RTP receiver and topics together."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, assert_never

import structlog

from services.chassis.clock import Clock
from services.chassis.health import Health
from services.chassis.publisher import Publisher
from services.contracts.topics import MEDIA_DEVICES, MEDIA_LEGS
from services.media_gateway.adapters.rtp_leg import (
    LegFinished,
    LegGap,
    LegHeard,
    LegOpening,
    LegReport,
    LegSilent,
)
from services.media_gateway.domain import sip_link
from services.media_gateway.domain.correlation import Expectations, Identity, Invite, Step
from services.media_gateway.domain.device import SipCredentials
from services.media_gateway.domain.leg_stream import StreamCounts
from services.media_gateway.domain.records import LegStep, device_record, leg_record
from services.media_gateway.domain.session import (
    EXPECTATION_WAIT_S,
    Accept,
    AnnounceInvited,
    ClaimExpectation,
    Effect,
    Identify,
    Leg,
    Receive,
    Refuse,
    Release,
    Session,
    on_agreed,
    on_expectations,
    on_gone,
)
from services.media_gateway.domain.sip_text import ApiIds

log = structlog.get_logger()


class Receiver(Protocol):
    """What the gateway asks of the RTP receiver (`adapters/rtp_receiver.py`)."""

    def lease(self) -> int | None: ...  # noqa: D102
    def hand_back(self, port: int) -> None: ...  # noqa: D102
    def drain(self, port: int) -> None: ...  # noqa: D102
    def attach(self, port: int, opening: LegOpening) -> None: ...  # noqa: D102
    def identify(self, port: int, identity: Identity) -> None: ...  # noqa: D102
    def release(self, port: int, reason: str) -> None: ...  # noqa: D102
    def recall_epoch(self, call_id: str, epoch_ms: int) -> None: ...  # noqa: D102


class Worker(Protocol):
    """What the gateway asks of a SIP worker (`adapters/sip_process.py`)."""

    def send(self, message: sip_link.Message) -> None: ...  # noqa: D102
    async def run(self) -> None: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102


@dataclass(slots=True)
class Device:
    """A device and the calls on it. `granted` are the ports its worker may still use."""

    credentials: SipCredentials
    worker: Worker | None = None
    online: bool = False
    reason: str = "starting"
    capacity: int = 0
    granted: set[int] = field(default_factory=set)
    sessions: dict[int, Session] = field(default_factory=dict)
    published: tuple[object, ...] = ()


@dataclass(slots=True)
class LiveLeg:
    """A leg that was announced and is not down yet."""

    leg: Leg
    steps: int = 0
    epoch: datetime | None = None
    lost: int = 0


class Gateway:
    """All devices and calls. Every method runs on the loop; `threadsafe` wraps what other threads call."""

    def __init__(self, *, receiver: Receiver, publisher: Publisher, clock: Clock, health: Health) -> None:
        self._receiver = receiver
        self._publisher = publisher
        self._clock = clock
        self._health = health
        self._devices: dict[str, Device] = {}
        self._live: dict[int, LiveLeg] = {}
        self._known = Expectations()
        self._draining = False
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, credentials: SipCredentials) -> Device:
        """Take up a device; its worker is set by the caller."""
        device = self._devices[credentials.device_id] = Device(credentials)
        self._announce(device)
        return device

    def learn(self, step: Step) -> None:
        """Take a step of supervision; calls that wait for it, or whose role it tells, are decided anew."""
        self._known = self._known.learn(step)
        if step.superseded_leg_id:
            self._hang_up(step.superseded_leg_id)
        for device in self._devices.values():
            for number in list(device.sessions):
                self._decide(device, number)

    def _hang_up(self, leg_id: str) -> None:
        """End the call that brings this leg and no other."""
        for device in self._devices.values():
            for number, session in device.sessions.items():
                if device.worker is not None and [leg.leg_id for leg in session.legs] == [leg_id]:
                    device.worker.send(sip_link.HangUp(call=number))

    def recall_epoch(self, call_id: str, epoch: datetime) -> None:
        """Take the epoch of a call from an earlier life."""
        self._receiver.recall_epoch(call_id, round(epoch.timestamp() * 1000))

    def on_message(self, device: Device, message: sip_link.FromWorker) -> None:
        """Take a line of a device's worker."""
        match message:
            case sip_link.Ready(capacity=capacity):
                device.capacity = capacity
                self._top_up(device)
            case sip_link.Registration():
                self._registered(device, message)
            case sip_link.InviteReceived():
                self._invited(device, message)
            case sip_link.MediaAgreed(call=call, lines=lines):
                self._advance(device, call, on_agreed(device.sessions[call], tuple(lines)))
            case sip_link.Confirmed(call=call):
                log.info("call_confirmed", device_id=device.credentials.device_id, call=call)
            case sip_link.Ended():
                self._ended(device, message)
            case sip_link.Alive():
                pass
            case _:
                assert_never(message)

    def on_worker_death(self, device: Device) -> None:
        """The worker is gone: its legs are down, its ports are free, the device is offline."""
        for number, session in list(device.sessions.items()):
            self._advance(device, number, on_gone(session, "worker_died"))
            device.sessions.pop(number, None)
        for port in device.granted:
            self._receiver.hand_back(port)
        device.granted.clear()
        self._set_online(device, online=False, reason="worker_died")

    def on_report(self, report: LegReport) -> None:
        """Take a report of the RTP receiver."""
        live = self._live.get(report.port)
        if live is None:
            return
        match report:
            case LegHeard(epoch_ms=epoch_ms, media_time_ms=media_time_ms):
                live.epoch = datetime.fromtimestamp(epoch_ms / 1000, UTC)
                self._publish(live, "up", StreamCounts(), media_time_ms=media_time_ms)
            case LegSilent(kind=kind, counts=counts):
                self._publish(live, "gap", counts, reason=kind)
            case LegGap(media_time_ms=media_time_ms, gap_ms=gap_ms, counts=counts):
                reason = "packet_loss" if counts.packets_lost > live.lost else "not_sent"
                live.lost = counts.packets_lost
                self._publish(live, "gap", counts, media_time_ms=media_time_ms, gap_ms=gap_ms, reason=reason)
            case LegFinished(media_time_ms=media_time_ms, counts=counts, reason=reason):
                del self._live[report.port]
                self._publish(live, "down", counts, media_time_ms=media_time_ms, reason=reason)
                log.info(
                    "leg_down",
                    leg_id=live.leg.leg_id,
                    reason=reason,
                    received_ms=counts.received_ms,
                    lost_ms=counts.lost_ms,
                    packets_late=counts.packets_late,
                    undecodable=report.undecodable,
                )
            case _:
                assert_never(report)

    async def drain(self, seconds: float) -> None:
        """Take no more calls, and wait up to `seconds` for the running ones to end."""
        self._draining = True
        for device in self._devices.values():
            self._announce(device)
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            log.warning("calls_cut_at_drain_deadline", calls=sum(len(d.sessions) for d in self._devices.values()))

    def _registered(self, device: Device, message: sip_link.Registration) -> None:
        if message.online != device.online:
            log.info(
                "device_registration",
                device_id=device.credentials.device_id,
                online=message.online,
                status_code=message.status_code,
                expires_s=message.expires_s,
            )
        self._set_online(device, online=message.online, reason=f"sip_{message.status_code}")

    def _invited(self, device: Device, message: sip_link.InviteReceived) -> None:
        device.granted.difference_update(message.ports)
        for port in message.ports:
            self._receiver.drain(port)
        line_parties = message.line_parties or [None]
        legs = tuple(
            Leg(
                port=port,
                invite=Invite(
                    device_id=device.credentials.device_id,
                    monitored=_ids(message.monitored),
                    own=_ids(message.own),
                    line=_ids(party),
                ),
            )
            for port, party in zip(message.ports, line_parties, strict=False)
        )
        now_s = self._clock.now().timestamp()
        device.sessions[message.call] = Session(
            device_id=device.credentials.device_id,
            number=message.call,
            sip_call_id=message.sip_call_id,
            legs=legs,
            decide_by_s=now_s + EXPECTATION_WAIT_S,
        )
        self._idle.clear()
        if self._draining and device.worker is not None:
            device.worker.send(sip_link.Decline(call=message.call, status_code=480))
            return
        self._decide(device, message.call)
        if device.sessions[message.call].phase == "deciding":
            loop = asyncio.get_running_loop()
            loop.call_later(EXPECTATION_WAIT_S + 0.05, self._decide, device, message.call)
        self._announce(device)

    def _ended(self, device: Device, message: sip_link.Ended) -> None:
        session = device.sessions.pop(message.call, None)
        if session is None:
            return
        reason = "bye" if message.by_peer else "shutdown" if self._draining else "hung_up"
        if message.status_code >= 300:
            reason = f"sip_{message.status_code}"
        for effect in on_gone(session, reason)[1]:
            self._carry_out(device, effect)
        self._top_up(device)
        self._announce(device)
        if not any(d.sessions for d in self._devices.values()):
            self._idle.set()

    def _decide(self, device: Device, number: int) -> None:
        session = device.sessions.get(number)
        if session is not None:
            self._advance(device, number, on_expectations(session, self._known, self._clock.now().timestamp()))

    def _advance(self, device: Device, number: int, outcome: tuple[Session, tuple[Effect, ...]]) -> None:
        device.sessions[number], effects = outcome
        for effect in effects:
            self._carry_out(device, effect)

    def _carry_out(self, device: Device, effect: Effect) -> None:
        match effect:
            case Accept(number=number):
                if device.worker is not None:
                    device.worker.send(sip_link.Answer(call=number))
            case Refuse(number=number, status_code=status_code):
                log.warning("invite_refused", reason="not_expected", device_id=device.credentials.device_id)
                if device.worker is not None:
                    device.worker.send(sip_link.Decline(call=number, status_code=status_code))
            case ClaimExpectation(key=key):
                self._known = self._known.claim(key)
            case AnnounceInvited(leg=leg):
                self._live[leg.port] = live = LiveLeg(leg)
                self._publish(live, "invited", StreamCounts())
            case Receive(leg=leg, line=line):
                self._receiver.attach(leg.port, _opening(leg, line))
            case Identify(leg=leg):
                self._identified(leg)
            case Release(port=port, reason=reason):
                self._receiver.release(port, reason)
                live_leg = self._live.get(port)
                if live_leg is not None and live_leg.steps == 1 and live_leg.epoch is None:
                    log.info("leg_released_before_audio", leg_id=live_leg.leg.leg_id, reason=reason)
            case _:
                assert_never(effect)

    def _identified(self, leg: Leg) -> None:
        """The role is known now: later chunks carry it, and so does the leg's record."""
        assert leg.identity is not None
        self._receiver.identify(leg.port, leg.identity)
        live = self._live.get(leg.port)
        if live is not None:
            live.leg = leg
            if live.epoch is not None:
                self._publish(live, "up", StreamCounts())

    def _top_up(self, device: Device) -> None:
        """Let the worker have a port for every call it can take."""
        if device.worker is None or self._draining:
            return
        ports = []
        while len(device.granted) < device.capacity - len(device.sessions):
            port = self._receiver.lease()
            if port is None:
                log.warning("rtp_ports_exhausted", device_id=device.credentials.device_id)
                break
            device.granted.add(port)
            ports.append(port)
        if ports:
            device.worker.send(sip_link.GrantPorts(ports=ports))

    def _set_online(self, device: Device, *, online: bool, reason: str) -> None:
        device.online, device.reason = online, reason
        self._announce(device)
        if any(d.online for d in self._devices.values()):
            self._health.ready("sip")
        else:
            self._health.waiting("sip", f"no device is registered ({reason})")

    def _announce(self, device: Device) -> None:
        """Publish the device's state if it is news."""
        online = device.online and not self._draining
        reason = "draining" if self._draining else device.reason
        state = (online, device.capacity, len(device.sessions), reason)
        if state == device.published:
            return
        device.published = state
        now = self._clock.now()
        credentials = device.credentials
        record = device_record(
            credentials.device_id,
            credentials.extension_id,
            online=online,
            slots=device.capacity,
            taken=len(device.sessions),
            at=now,
            reason=reason,
        )
        event_id = f"{credentials.device_id}#{round(now.timestamp() * 1000)}"
        self._publisher.publish(MEDIA_DEVICES, credentials.device_id, record, event_id=event_id)

    def _publish(
        self,
        live: LiveLeg,
        step: LegStep,
        counts: StreamCounts,
        *,
        media_time_ms: int = 0,
        gap_ms: int = 0,
        reason: str = "",
    ) -> None:
        record = leg_record(
            live.leg,
            step,
            live.steps,
            at=self._clock.now(),
            epoch=live.epoch,
            counts=counts,
            media_time_ms=media_time_ms,
            gap_ms=gap_ms,
            reason=reason,
        )
        live.steps += 1
        self._publisher.publish(MEDIA_LEGS, record.call_id, record, event_id=record.event_id)


def _ids(ids: sip_link.Ids | None) -> ApiIds | None:
    return None if ids is None else ApiIds(ids.call_id, ids.party_id)


def _opening(leg: Leg, line: sip_link.AgreedLine) -> LegOpening:
    assert leg.identity is not None
    return LegOpening(
        leg_id=leg.leg_id,
        identity=leg.identity,
        remote=(line.remote_host, line.remote_port),
        payload_type=line.payload_type,
        sends=line.direction in ("sendrecv", "recvonly") and line.remote_port > 0,
        suite=line.suite,
        receive_key=base64.b64decode(line.receive_key) if line.receive_key else None,
        send_key=base64.b64decode(line.send_key) if line.send_key else None,
    )
