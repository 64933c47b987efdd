"""One supervise call: carries out what the `call` state machine decides, and holds the leg's media."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

import structlog
from sipmessage import Request, Response

from services.ringcentral_sim.sip import call as calls
from services.ringcentral_sim.sip import dialog as dialogs
from services.ringcentral_sim.sip.dialog import Dialog
from services.ringcentral_sim.sip.media import PcmSource
from services.ringcentral_sim.sip.negotiation import LegMedia
from services.ringcentral_sim.sip.options import (
    Impairments,
    InviteRefused,
    InviteTimeout,
    SipOptions,
    SuperviseOffer,
)
from services.ringcentral_sim.sip.rtp import Network
from services.ringcentral_sim.sip.transport import Flow

log = structlog.get_logger()

_SILENCE_CHECK_S = 1.0


class SuperviseLeg:
    """A supervised leg as the rest of the simulator sees it; made by `SipServer.invite`.

    `on_gone` is called once nothing of the call is left to do. All methods belong to the server's loop.
    """

    def __init__(
        self,
        offer: SuperviseOffer,
        flow: Flow,
        dialog: Dialog,
        media: LegMedia,
        *,
        options: SipOptions,
        new_branch: Callable[[], str],
        vsa: str,
        on_gone: Callable[[SuperviseLeg], None],
    ) -> None:
        self.call_id = dialog.call_id
        self._offer = offer
        self.flow = flow
        self._dialog = dialog
        self._media = media
        self._options = options
        self._new_branch = new_branch
        self._vsa = vsa
        self._on_gone = on_gone
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._sent: dict[str, bytes] = {}
        self._final: Response | None = None
        self._settled = False
        self._late_answer: bytes | None = None
        self._answered: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._agreed = False

    def place(self) -> None:
        """Send the INVITE."""
        self._call, effects = calls.place(
            reliable=self.flow.reliable,
            t1_s=self._options.t1_s,
            answer_timeout_s=self._options.answer_timeout_s,
            now=self._loop.time(),
        )
        self._carry_out(effects)

    @property
    def packets_sent(self) -> int:
        """RTP packets that have left, over all media lines."""
        return sum(line.packets_sent for line in self._media.lines)

    @property
    def packets_lost(self) -> int:
        """RTP packets that the impairments swallowed."""
        return sum(line.packets_lost for line in self._media.lines)

    async def latched(self, timeout_s: float) -> bool:
        """Whether the client's first packet is there, waiting for it up to `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._media.lines[0].latched.wait()
        except TimeoutError:
            return False
        return True

    def play(self, source: PcmSource, start_at: float, *, line: int = 0) -> None:
        """Send `source` on a media line, its sample 0 at loop time `start_at`; silence before and after."""
        self._media.lines[line].play(source, start_at)

    def impair(self, impairments: Impairments) -> None:
        """Let the network treat this leg's packets so from now on."""
        for place, line in enumerate(self._media.lines):
            line.impair(Network(impairments, place))

    async def bye(self) -> None:
        """End the call, and wait until the client has confirmed or the protocol has given up on it."""
        self._feed(calls.HungUp())
        await asyncio.shield(self._ended)

    async def ended(self) -> str:
        """Wait for the end: "bye_sent", "bye_received", "bye_unanswered" or "bye_lost"."""
        return await asyncio.shield(self._ended)

    async def answered(self) -> None:
        """Wait for the answer. InviteRefused or InviteTimeout when there is none; cancelling gives the call up."""
        try:
            await self._answered
        except asyncio.CancelledError:
            self._feed(calls.HungUp())
            raise

    def on_response(self, response: Response) -> None:
        """The client has answered one of our requests."""
        cseq = response.cseq
        expected = self._dialog.invite_sequence + (1 if cseq.method == "BYE" else 0)
        if cseq.sequence != expected:
            return
        if cseq.method == "INVITE" and response.code >= 200:
            self._final = response
            if response.code < 300 and not self._settled:
                self._settle(response)
        self._feed(calls.Replied(method=cseq.method, code=response.code, reason=response.phrase))

    def on_bye(self) -> None:
        """The client has hung up."""
        self._feed(calls.ByeReceived())

    def on_flow_closed(self) -> None:
        """The connection under the call is gone."""
        self._feed(calls.FlowLost())

    def on_reinvite(self, request: Request, flow: Flow) -> bytes:
        """Answer a re-INVITE: its flow carries the dialog from now on, which heals a lost connection."""
        self.flow = flow
        self._refresh_target(request)
        return self._media.renegotiate(request.body) if request.body else self._media.offer()

    def on_update(self, request: Request, flow: Flow) -> bool:
        """Take a session refresh. False, which is 481, over any connection but the dialog's own."""
        if flow != self.flow:
            return False
        self._refresh_target(request)
        return True

    @property
    def contact(self) -> str:
        """Our Contact in this dialog."""
        return self._dialog.contact

    def abandon(self) -> None:
        """Say BYE without waiting for the answer and drop everything; the server stops."""
        self._feed(calls.HungUp())
        if self._timer is not None:
            self._timer.cancel()
        self._fail(InviteRefused(503, "Server Stopped"))
        if not self._ended.done():
            self._ended.set_result("bye_lost")

    def vanish(self) -> None:
        """A fault: the BYE is lost. Media stops and the dialog is forgotten; a BYE of the client's gets 481."""
        self._media.close()
        if self._timer is not None:
            self._timer.cancel()
        self._on_gone(self)
        if not self._ended.done():
            self._ended.set_result("bye_lost")

    def _refresh_target(self, request: Request) -> None:
        if contacts := request.contact:
            self._dialog = replace(self._dialog, target=str(contacts[0].uri))

    def _settle(self, response: Response) -> None:
        self._settled = True
        contacts = response.contact
        target = str(contacts[0].uri) if contacts else self._dialog.target
        self._dialog = replace(self._dialog, remote=response.headers["To"], target=target)

    def _agree(self) -> bool:
        assert self._final is not None
        try:
            if self._offer.late_offer:
                self._late_answer = self._media.answer(self._final.body)
                return self._late_answer is not None
            return self._media.accept(self._final.body)
        except ValueError:
            return False

    def _feed(self, event: calls.Event) -> None:
        self._call, effects = calls.decide(self._call, event, self._loop.time())
        self._carry_out(effects)

    def _carry_out(self, effects: tuple[calls.Effect, ...]) -> None:
        for effect in effects:
            self._perform(effect)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.flow.closed and any(isinstance(effect, calls.Transmit) for effect in effects):
            self._feed(calls.FlowLost())
            return
        wake_at = calls.next_wake(self._call)
        if wake_at is not None:
            self._timer = self._loop.call_at(wake_at, self._feed, calls.Woke())
        elif self._call.phase is calls.Phase.ENDED:
            self._on_gone(self)

    def _perform(self, effect: calls.Effect) -> None:
        match effect:
            case calls.Transmit(method):
                self._sent[method] = bytes(self._build(method))
                self.flow.send(self._sent[method])
            case calls.Retransmit(method):
                self.flow.send(self._sent[method])
            case calls.Acknowledge(success):
                self._acknowledge(success)
            case calls.Established():
                self._establish()
            case calls.Refused(status=status, reason=reason):
                self._fail(InviteRefused(status, reason))
            case calls.Unanswered():
                self._fail(InviteTimeout())
            case calls.Ended(reason):
                log.info("supervise_leg_ended", sip_call_id=self.call_id, reason=reason)
                self._media.close()
                if not self._ended.done():
                    self._ended.set_result(reason)
            case _:
                assert_never(effect)

    def _build(self, method: calls.Method) -> Request:
        match method:
            case "INVITE":
                sdp = None if self._offer.late_offer else self._media.offer()
                return dialogs.invite(self._dialog, self._offer, sdp, vsa=self._vsa)
            case "CANCEL":
                return dialogs.cancel(self._dialog)
            case "BYE":
                return dialogs.bye(self._dialog, self._new_branch())
            case _:
                assert_never(method)

    def _acknowledge(self, success: bool) -> None:
        if "ACK" not in self._sent:
            if success:
                self._agreed = self._agree()
                ack = dialogs.ack_success(self._dialog, self._new_branch(), self._late_answer)
            else:
                assert self._final is not None
                ack = dialogs.ack_refusal(self._dialog, self._final.headers["To"])
            self._sent["ACK"] = bytes(ack)
        self.flow.send(self._sent["ACK"])

    def _establish(self) -> None:
        if not self._agreed:
            self._fail(InviteRefused(488, "Not Acceptable Here"))
            self._loop.call_soon(self._feed, calls.HungUp())
            return
        log.info("supervise_leg_answered", sip_call_id=self.call_id, transport=self.flow.transport)
        if not self._answered.done():
            self._answered.set_result(None)
        if self._options.silence_bye_s is not None:
            self._loop.call_later(_SILENCE_CHECK_S, self._check_silence, self._options.silence_bye_s)

    def _check_silence(self, limit_s: float) -> None:
        if self._call.phase is not calls.Phase.CONFIRMED or self._ended.done():
            return
        heard_at = max(line.heard_at for line in self._media.lines)
        if self._loop.time() - heard_at >= limit_s:
            self._feed(calls.HungUp())
        else:
            self._loop.call_later(_SILENCE_CHECK_S, self._check_silence, limit_s)

    def _fail(self, error: InviteRefused | InviteTimeout) -> None:
        self._media.close()
        if not self._answered.done():
            self._answered.set_exception(error)
