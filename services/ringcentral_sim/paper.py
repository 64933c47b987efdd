"""A SIP side without SIP: INVITEs, answers and BYEs as messages, so that a day of calls fits into minutes.

A double of the media gateway connects to the WebSocket /sim/media and speaks JSON objects:

    to us:   {"type": "register", "devices": ["801..."]}     {"type": "unregister", "devices": [...]}
             {"type": "answer", "callId": "...", "media": true}   media false: no RTP from the client yet
             {"type": "media", "callId": "..."}                   the client's first RTP packet
             {"type": "refuse", "callId": "...", "status": 486}   {"type": "bye", "callId": "..."}
    to it:   {"type": "registered", "devices": [...]}
             {"type": "invite", "callId", "deviceId", "userName", "from", "headers", "lateOffer", "mediaLines"}
             {"type": "audio", "callId"}    our first RTP packet     {"type": "silence", "callId"}   RTP stopped, no BYE
             {"type": "cancel", "callId"}   {"type": "bye", "callId"}   {"type": "error", "error"}

`headers` are the p-rc-api-* headers as SIP has them (reordered or left out by fault). Of two connections that
registered a device the later one gets its INVITEs. What is said while nobody is connected is lost, as on a dropped
connection; dialogs outlive it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import structlog

from services.ringcentral_sim.domain.company import Company
from services.ringcentral_sim.domain.ports import (
    Clock,
    InviteRefused,
    PcmSource,
    SipAddresses,
    SuperviseLeg,
    SuperviseOffer,
)
from services.ringcentral_sim.sip import options as sip
from services.ringcentral_sim.sip.dialog import correlation_headers

log = structlog.get_logger()
ANSWER_TIMEOUT_S = 15.0
Message = dict[str, Any]
Tell = Callable[[str, Message], None]


class PaperLeg:
    """Implements `SuperviseLeg`."""

    def __init__(self, call_id: str, device_id: str, tell: Tell, clock: Clock, gone: Callable[[str], None]) -> None:
        self.call_id = call_id
        self.device_id = device_id
        self._tell = tell
        self._clock = clock
        self._gone = gone
        self.answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._media = asyncio.Event()
        self._ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def latched(self, timeout_s: float) -> bool:
        """True once the client has sent RTP; False after `timeout_s` simulated seconds."""
        if not self._media.is_set():
            timeout = asyncio.ensure_future(self._clock.sleep(timeout_s))
            media = asyncio.ensure_future(self._media.wait())
            await asyncio.wait({timeout, media}, return_when=asyncio.FIRST_COMPLETED)
            timeout.cancel()
            media.cancel()
        return self._media.is_set()

    def play(self, source: PcmSource, start_at: float) -> None:
        """Say that audio flows; there is none."""
        self._tell(self.device_id, {"type": "audio", "callId": self.call_id})

    async def bye(self) -> None:
        """Tell the client that the call is over."""
        if not self._ended.done():
            self._tell(self.device_id, {"type": "bye", "callId": self.call_id})
            self.end("bye_sent")

    def vanish(self) -> None:
        """RTP stops and no BYE comes; the client's own BYE is answered with an error (481)."""
        if not self._ended.done():
            self._tell(self.device_id, {"type": "silence", "callId": self.call_id})
            self.end("bye_lost")

    async def ended(self) -> str:
        """The cause of the end."""
        return await asyncio.shield(self._ended)

    def on_media(self) -> None:
        """The client's RTP has come."""
        self._media.set()

    def end(self, cause: str) -> None:
        """The dialog is over."""
        if not self._ended.done():
            self._ended.set_result(cause)
        self._gone(self.call_id)


class PaperSipSide:
    """Implements `SipSide`; `on_registered(device_id)` is told of every registration of a device."""

    def __init__(self, company: Company, clock: Clock, on_registered: Callable[[str], None] | None = None) -> None:
        self._company = company
        self._clock = clock
        self.on_registered = on_registered
        self._holders: dict[str, PaperLine] = {}
        self._legs: dict[str, PaperLeg] = {}

    async def start(self) -> SipAddresses:
        """Nothing is bound: the double comes by the HTTP port."""
        return SipAddresses()

    async def stop(self) -> None:
        """Tell every connected double to go."""
        for line in set(self._holders.values()):
            line.outbox.put_nowait(None)
        self._holders.clear()

    def is_registered(self, device_id: str) -> bool:
        """A connected double has registered it."""
        return device_id in self._holders

    async def invite(self, offer: SuperviseOffer) -> SuperviseLeg:
        """Ask the double; no answer within 15 simulated seconds counts as 408."""
        holder = self._holders.get(offer.device_id)
        if holder is None:
            raise InviteRefused(480, "Temporarily Unavailable")
        leg = PaperLeg(secrets.token_hex(16), offer.device_id, self._tell, self._clock, self._forget)
        self._legs[leg.call_id] = leg
        holder.outbox.put_nowait(self._invitation(leg.call_id, offer))
        timeout: asyncio.Future[Any] = asyncio.ensure_future(self._clock.sleep(ANSWER_TIMEOUT_S))
        answered: asyncio.Future[Any] = leg.answered
        try:
            await asyncio.wait({timeout, answered}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timeout.cancel()
        if not leg.answered.done():
            leg.answered.cancel()
            self._tell(offer.device_id, {"type": "cancel", "callId": leg.call_id})
            self._forget(leg.call_id)
            raise InviteRefused(408, "Request Timeout")
        leg.answered.result()
        return leg

    def hear(self, line: PaperLine, message: Message) -> None:
        """One message of a double; what makes no sense is answered with an error."""
        kind, call_id = message.get("type"), str(message.get("callId", ""))
        if kind in ("register", "unregister"):
            self._register(line, message)
            return
        leg = self._legs.get(call_id)
        match kind:
            case "answer" | "refuse" | "media" | "bye" if leg is None:
                line.error(f"481 no such call: {call_id}")
            case "answer" if leg is not None and not leg.answered.done():
                leg.answered.set_result(True)
                if message.get("media", True):
                    leg.on_media()
            case "refuse" if leg is not None and not leg.answered.done():
                self._forget(call_id)
                leg.answered.set_exception(InviteRefused(int(message.get("status", 486)), "Refused"))
            case "media" if leg is not None:
                leg.on_media()
            case "bye" if leg is not None:
                leg.end("bye_received")
            case _:
                line.error(f"message {kind!r} is unknown or comes at the wrong time")

    def leave(self, line: PaperLine) -> None:
        """The double's connection is gone, and with it what it had registered."""
        self._holders = {device: holder for device, holder in self._holders.items() if holder is not line}

    def _register(self, line: PaperLine, message: Message) -> None:
        named = message.get("devices")
        devices = [str(one) for one in named] if isinstance(named, list) else []
        unknown = [one for one in devices if one not in self._company.devices]
        if not devices or unknown:
            line.error(f"devices must name devices of the account; unknown: {', '.join(unknown)}")
            return
        for device in devices:
            if message["type"] == "register":
                self._holders[device] = line
                if self.on_registered is not None:
                    self.on_registered(device)
            elif self._holders.get(device) is line:
                del self._holders[device]
        held = sorted(device for device, holder in self._holders.items() if holder is line)
        line.outbox.put_nowait({"type": "registered", "devices": held})

    def _invitation(self, call_id: str, offer: SuperviseOffer) -> Message:
        headers: Mapping[str, str] = dict(correlation_headers(sip.SuperviseOffer(**asdict(offer))))
        return {
            "type": "invite",
            "callId": call_id,
            "deviceId": offer.device_id,
            "userName": self._company.devices[offer.device_id].user_name,
            "from": offer.caller_number,
            "headers": headers,
            "lateOffer": offer.late_offer,
            "mediaLines": 2 if offer.two_media_lines else 1,
        }

    def _tell(self, device_id: str, message: Message) -> None:
        holder = self._holders.get(device_id)
        if holder is None:
            log.info("paper_message_lost", device_id=device_id, message_type=message["type"])
        else:
            holder.outbox.put_nowait(message)

    def _forget(self, call_id: str) -> None:
        self._legs.pop(call_id, None)


class PaperLine:
    """One connected double; None in the outbox closes its socket."""

    def __init__(self) -> None:
        self.outbox: asyncio.Queue[Message | None] = asyncio.Queue()

    def error(self, text: str) -> None:
        """Say what was wrong with its message."""
        self.outbox.put_nowait({"type": "error", "error": text})
