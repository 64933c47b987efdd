"""A media gateway without media: paper INVITEs on one side, the real topics on the other.

Whose audio an INVITE brings, and whether it is taken, the gateway's own domain decides; its records are the
gateway's own, so that the orchestrator cannot tell the difference. What differs: an INVITE with two media lines has
no SDP here, so its call is one leg, named by the headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog
import websockets

from services.chassis.publisher import Publisher
from services.contracts.topics import MEDIA_DEVICES, MEDIA_LEGS
from services.media_gateway.domain.correlation import Expectations, Invite, Step
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
    Refuse,
    Session,
    on_expectations,
)
from services.media_gateway.domain.sip_text import MONITORING_HEADER, OWN_HEADER, parse_api_ids

log = structlog.get_logger()
RECONNECT_S = 0.2


@dataclass(slots=True)
class Device:
    """A supervisor's device and its calls by SIP Call-ID."""

    device_id: str
    extension_id: str
    calls: dict[str, Call] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One INVITE and what became of it. `heard` since the first packet, `silent` while a look-out for RTP runs."""

    device: Device
    session: Session
    leg: Leg | None = None
    steps: int = 0
    heard: datetime | None = None
    silence: asyncio.TimerHandle | None = None


class PaperGateway:
    """All devices. Every method runs on the loop; `learn_threadsafe` is for a topic's thread."""

    def __init__(
        self, url: str, devices: Mapping[str, str], publisher: Publisher, *,
        slots: int, register_every_s: float, silence_s: float,
    ) -> None:  # fmt: skip
        """`devices`: extension by device id; times in real seconds."""
        self._url = url
        self._devices = {device: Device(device, extension) for device, extension in devices.items()}
        self._publisher = publisher
        self._slots = slots
        self._register_every_s = register_every_s
        self._silence_s = silence_s
        self._calls: dict[str, Call] = {}
        self._known = Expectations()
        self._epochs: dict[str, datetime] = {}
        self._outbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._number = 0
        self._loop = asyncio.get_running_loop()
        self.registered = asyncio.Event()
        self.counts: dict[str, int] = {}

    def learn_threadsafe(self, step: Step) -> None:
        """Take a step of supervision."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the run is over
            self._loop.call_soon_threadsafe(self.learn, step)

    def learn(self, step: Step) -> None:
        """Take a step of supervision; calls that wait for it, or whose role it tells, are decided anew."""
        self._known = self._known.learn(step)
        for call in list(self._calls.values()):
            if step.superseded_leg_id and call.leg is not None and call.leg.leg_id == step.superseded_leg_id:
                self._say({"type": "bye", "callId": call.session.sip_call_id})
                self._down(call, "hung_up")
            elif call.session.phase == "deciding" or (call.leg and call.leg.identity.call_id == step.call_id):  # type: ignore[union-attr]
                self._decide(call)

    async def run(self) -> None:
        """Stay connected and registered until cancelled."""
        while True:
            try:
                async with websockets.connect(self._url, proxy=None, ping_interval=None) as socket:
                    await self._serve(socket)
            except (OSError, websockets.WebSocketException):
                pass
            self.registered.clear()
            await asyncio.sleep(RECONNECT_S)

    async def _serve(self, socket: websockets.ClientConnection) -> None:
        async def write() -> None:
            while True:
                await socket.send(json.dumps(await self._outbox.get()))

        async def register() -> None:
            while True:
                self._say({"type": "register", "devices": sorted(self._devices)})
                await asyncio.sleep(self._register_every_s)

        tasks = [asyncio.create_task(write()), asyncio.create_task(register())]
        try:
            async for text in socket:
                self._hear(json.loads(text))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _hear(self, message: dict[str, Any]) -> None:
        kind = str(message["type"])
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "registered":
            if not self.registered.is_set():
                self.registered.set()
                for device in self._devices.values():
                    self._announce(device)
            return
        if kind == "invite":
            self._invited(message)
            return
        call = self._calls.get(str(message.get("callId", "")))
        if call is None:
            return
        match kind:
            case "audio" if call.leg is not None:
                call.heard = datetime.now(UTC)
                self._publish(call, "up")
            case "silence":
                call.silence = self._loop.call_later(self._silence_s, self._silent, call)
            case "bye" | "cancel":
                self._down(call, "bye")
            case _:
                pass

    def _invited(self, message: dict[str, Any]) -> None:
        device = self._devices[message["deviceId"]]
        sip_call_id = str(message["callId"])
        headers: dict[str, str] = message["headers"]
        if len(device.calls) >= self._slots:
            self.counts["busy"] = self.counts.get("busy", 0) + 1
            self._say({"type": "refuse", "callId": sip_call_id, "status": 486})
            return
        self._number += 1
        invite = Invite(
            device_id=device.device_id,
            monitored=parse_api_ids(headers.get(MONITORING_HEADER)),
            own=parse_api_ids(headers.get(OWN_HEADER)),
        )
        session = Session(
            device_id=device.device_id,
            number=self._number,
            sip_call_id=sip_call_id,
            legs=(Leg(port=self._number, invite=invite),),
            decide_by_s=datetime.now(UTC).timestamp() + EXPECTATION_WAIT_S,
        )
        call = Call(device, session)
        self._calls[sip_call_id] = device.calls[sip_call_id] = call
        self._decide(call)
        if call.session.phase == "deciding":
            self._loop.call_later(EXPECTATION_WAIT_S + 0.05, self._decide, call)
        self._announce(device)

    def _decide(self, call: Call) -> None:
        if call.session.sip_call_id not in self._calls:
            return
        call.session, effects = on_expectations(call.session, self._known, datetime.now(UTC).timestamp())
        for effect in effects:
            self._carry_out(call, effect)

    def _carry_out(self, call: Call, effect: Effect) -> None:
        match effect:
            case ClaimExpectation(key=key):
                self._known = self._known.claim(key)
            case AnnounceInvited(leg=leg):
                call.leg = leg
                self._publish(call, "invited")
            case Accept():
                self._say({"type": "answer", "callId": call.session.sip_call_id, "media": True})
            case Refuse(status_code=status_code):
                self.counts["not_expected"] = self.counts.get("not_expected", 0) + 1
                self._say({"type": "refuse", "callId": call.session.sip_call_id, "status": status_code})
                self._forget(call)
            case Identify(leg=leg):
                call.leg = leg
                if call.heard is not None:
                    self._publish(call, "up")
            case _:
                pass

    def _silent(self, call: Call) -> None:
        if call.session.sip_call_id in self._calls:
            self._publish(call, "gap", reason="rtp_silent" if call.heard else "no_rtp")

    def _down(self, call: Call, reason: str) -> None:
        if call.leg is not None:
            self._publish(call, "down", reason=reason)
        self._forget(call)

    def _forget(self, call: Call) -> None:
        call.session = replace(call.session, phase="gone")
        if call.silence is not None:
            call.silence.cancel()
        self._calls.pop(call.session.sip_call_id, None)
        call.device.calls.pop(call.session.sip_call_id, None)
        self._announce(call.device)

    def _announce(self, device: Device) -> None:
        now = datetime.now(UTC)
        record = device_record(
            device.device_id, device.extension_id,
            online=True, slots=self._slots, taken=len(device.calls), at=now, reason="",
        )  # fmt: skip
        event_id = f"{device.device_id}#{round(now.timestamp() * 1000)}"
        self._publisher.publish(MEDIA_DEVICES, device.device_id, record, event_id=event_id)

    def _publish(self, call: Call, step: LegStep, *, reason: str = "") -> None:
        assert call.leg is not None
        assert call.leg.identity is not None
        now = datetime.now(UTC)
        epoch = self._epochs.setdefault(call.leg.identity.call_id, call.heard) if call.heard else None
        heard_ms = round((now - call.heard).total_seconds() * 1000) if call.heard else 0
        counts = (
            StreamCounts(packets_received=heard_ms // 20, received_ms=heard_ms) if step == "down" else StreamCounts()
        )
        media_ms = round((now - epoch).total_seconds() * 1000) if epoch else 0
        record = leg_record(
            call.leg, step, call.steps, at=now, epoch=epoch, counts=counts, media_time_ms=media_ms, reason=reason
        )
        call.steps += 1
        self._publisher.publish(MEDIA_LEGS, record.call_id, record, event_id=record.event_id)

    def _say(self, message: dict[str, Any]) -> None:
        self._outbox.put_nowait(message)
