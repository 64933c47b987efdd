"""One SIP call of the worker: puts the gateway's ports and keys into what the library negotiates."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pjsua2 as pj
import structlog

from services.media_gateway.domain.sdp import (
    KEY_BYTES,
    SUITE,
    Crypto,
    LocalLine,
    MediaLine,
    build_answer,
    build_offer,
    parse_sdp,
)
from services.media_gateway.domain.sip_link import AgreedLine, Confirmed, Ids, MediaAgreed
from services.media_gateway.domain.sip_text import ApiIds, body

if TYPE_CHECKING:
    from services.media_gateway.sip_worker.softphone import Softphone

log = structlog.get_logger()


def ids_of(ids: ApiIds | None) -> Ids | None:
    """Return `ids` as the link spells them."""
    return None if ids is None else Ids(call_id=ids.call_id, party_id=ids.party_id)


@dataclass(slots=True)
class CallMedia:
    """What is agreed, or to be agreed, about a call's media. `send_key` stays the same over re-INVITEs."""

    ports: list[int]
    offer: tuple[MediaLine, ...]
    chosen: tuple[int, ...]
    parties: tuple[ApiIds | None, ...]
    send_key: bytes = b""

    def __post_init__(self) -> None:
        """Draw the key we send with."""
        self.send_key = self.send_key or os.urandom(KEY_BYTES)


class SipCall(pj.Call):  # type: ignore[misc]
    """A call in the library, with the gateway's number for it."""

    def __init__(self, softphone: Softphone, call_id: int, number: int) -> None:
        super().__init__(softphone.account, call_id)
        self.softphone = softphone
        self.number = number
        self.media: CallMedia | None = None
        self.decided = False
        self.answered = False
        self.ended_by_us = False

    def answer_ok(self) -> None:
        """Answer with 200 and say what was agreed, before the peer can send anything."""
        self.decided = True
        self.answered = True
        if self.media is not None and self.media.offer:
            self._report()
        parameter = pj.CallOpParam(True)
        parameter.statusCode = 200
        parameter.opt.audioCount = max(1, len(self.media.chosen)) if self.media else 1
        parameter.opt.videoCount = 0
        self.answer(parameter)

    def end(self, status_code: int) -> None:
        """Refuse (`status_code` from 300) or end the call."""
        self.decided = True
        self.ended_by_us = True
        parameter = pj.CallOpParam()
        parameter.statusCode = status_code
        self.hangup(parameter)

    def onCallState(self, prm: Any) -> None:  # noqa: N802
        """Forward the state."""
        self._guard(self._state_changed, prm)

    def onCallRxReinvite(self, prm: Any) -> None:  # noqa: N802
        """Read the new offer."""
        self._guard(self._offered_again, str(prm.rdata.wholeMsg))

    def onCallSdpCreated(self, prm: Any) -> None:  # noqa: N802
        """Put our description in place of the library's."""
        self._guard(self._describe, prm)

    def _guard(self, callback: Any, *arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception as error:  # noqa: BLE001 - leaving a pjsua2 callback by exception may abort the process
            log.error("sip_callback_failed", callback=callback.__name__, error=type(error).__name__)

    def _state_changed(self, prm: Any) -> None:
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            if self.media is not None and not self.media.offer:
                self._answered_late(_received(prm.e))
            self.softphone.send(Confirmed(call=self.number))
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.softphone.on_ended(self, int(info.lastStatusCode))

    def _answered_late(self, message: str) -> None:
        """The INVITE came without a description: the peer's is in its ACK."""
        assert self.media is not None
        answer = parse_sdp(body(message))
        self.media.offer = answer
        self.media.chosen = tuple(index for index, line in enumerate(answer) if line.usable)[:1]
        if self.media.chosen:
            self._report()
        else:
            log.warning("late_answer_unusable")
            self.softphone.end_later(self, 0)

    def _offered_again(self, message: str) -> None:
        """A re-INVITE: its description is read from the message, as the library's copy ends at 1,024 bytes."""
        if self.media is None:
            return
        offer = parse_sdp(body(message))
        if offer:
            self.media.offer = offer
            usable = tuple(index for index, line in enumerate(offer) if line.usable)
            kept = tuple(index for index in self.media.chosen if index in usable)
            self.media.chosen = (kept or usable)[: len(self.media.ports)]

    def _describe(self, prm: Any) -> None:
        """Replace the description the library made by ours."""
        media = self.media
        if media is None:
            return
        host = self.softphone.configuration.media_host
        secure = self.softphone.configuration.transport == "tls"
        if not media.offer and not str(prm.remSdp.wholeSdp):
            crypto = Crypto(1, SUITE, media.send_key) if secure else None
            prm.sdp.wholeSdp = build_offer(LocalLine(media.ports[0], crypto), host)
            return
        prm.sdp.wholeSdp = build_answer(media.offer, self._local_lines(), host)
        if self.answered:
            self._report()

    def _local_lines(self) -> dict[int, LocalLine]:
        assert self.media is not None
        out: dict[int, LocalLine] = {}
        for index, port in zip(self.media.chosen, self.media.ports, strict=False):
            theirs = self.media.offer[index].crypto
            crypto = Crypto(theirs.tag, theirs.suite, self.media.send_key) if theirs else None
            out[index] = LocalLine(port, crypto)
        return out

    def _report(self) -> None:
        """Tell the gateway what was agreed."""
        assert self.media is not None
        media = self.media
        lines = []
        for index, port in zip(media.chosen, media.ports, strict=False):
            line = media.offer[index]
            crypto = line.crypto if line.profile == "RTP/SAVP" else None
            lines.append(
                AgreedLine(
                    port=port,
                    remote_host=line.host,
                    remote_port=line.port,
                    payload_type=line.payload_type or 0,
                    direction=line.direction,
                    suite=crypto.suite if crypto else None,
                    receive_key=base64.b64encode(crypto.key).decode() if crypto else None,
                    send_key=base64.b64encode(media.send_key).decode() if crypto else None,
                    party=ids_of(media.parties[index]) if index < len(media.parties) else None,
                )
            )
        self.softphone.send(MediaAgreed(call=self.number, lines=lines))


def _received(event: Any) -> str:
    """The message that brought the event; empty when none did."""
    return str(event.body.rxMsg.rdata.wholeMsg) if event.type == pj.PJSIP_EVENT_RX_MSG else ""
