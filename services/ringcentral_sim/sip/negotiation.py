"""A leg's side of offer and answer (RFC 3264): which lines we have, what came of them, what they send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.ringcentral_sim.sip import sdp
from services.ringcentral_sim.sip.media import RtpLine
from services.ringcentral_sim.sip.options import SipOptions
from services.ringcentral_sim.sip.sdp import Agreement, Crypto, MediaLine


class LegMedia:
    """The media lines of one leg. `key` makes SRTP master keys; `secure` offers `RTP/SAVP`."""

    def __init__(
        self,
        lines: Sequence[RtpLine],
        informations: Sequence[str | None],
        *,
        host: str,
        secure: bool,
        session: int,
        options: SipOptions,
        key: Callable[[], bytes],
    ) -> None:
        self.lines = tuple(lines)
        self._host = host
        self._session = session
        self._options = options
        self._agreements: list[Agreement | None] = [None] * len(self.lines)
        self._offered = [
            MediaLine(
                host=host,
                port=line.port,
                payload_types=options.payload_types,
                profile="RTP/SAVP" if secure else "RTP/AVP",
                cryptos=tuple(Crypto(tag=tag, suite=suite, key=key()) for tag, suite in enumerate(sdp.SUITES, start=1))
                if secure
                else (),
                information=information,
            )
            for line, information in zip(self.lines, informations, strict=True)
        ]
        self._key = key

    def offer(self) -> bytes:
        """Our offer; the same on every call."""
        return self._render(self._offered)

    def accept(self, body: bytes) -> bool:
        """Take the client's answer to our offer and start sending; False when no line came to anything."""
        answered = sdp.parse(body)
        for place, (ours, theirs) in enumerate(zip(self._offered, answered, strict=False)):
            self._begin(place, sdp.settle(ours, theirs))
        return any(self._agreements)

    def answer(self, body: bytes) -> bytes | None:
        """Answer the offer that came in the client's 2xx; None when it has nothing for us."""
        replies: list[MediaLine] = []
        for place, theirs in enumerate(sdp.parse(body)):
            if place >= len(self.lines):
                replies.append(replace(theirs, port=0, host=self._host, cryptos=()))
                continue
            ours = sdp.answer_to(theirs, host=self._host, port=self.lines[place].port, key=self._key())
            replies.append(ours)
            if ours.port:
                # The tag that we echo is the client's, so our own answer is the line to settle with.
                self._begin(place, sdp.settle(ours, theirs))
        return self._render(replies) if any(self._agreements) else None

    def renegotiate(self, body: bytes) -> bytes:
        """Answer a re-INVITE: same codec, same key, the direction that the client asks for."""
        replies: list[MediaLine] = []
        for place, theirs in enumerate(sdp.parse(body)):
            current = self._agreements[place] if place < len(self.lines) else None
            if current is None or theirs.port == 0:
                replies.append(replace(theirs, port=0, host=self._host, cryptos=()))
                continue
            wanted = replace(theirs, payload_types=(current.payload_type,))
            key = current.crypto.key if current.crypto else b""
            if current.crypto:
                same = tuple(c for c in theirs.cryptos if c.suite == current.crypto.suite)
                wanted = replace(wanted, cryptos=same)
            ours = sdp.answer_to(wanted, host=self._host, port=self.lines[place].port, key=key)
            replies.append(ours)
            sending = ours.port != 0 and ours.direction in ("sendrecv", "sendonly")
            changed = replace(current, sending=sending)
            self._agreements[place] = changed
            self.lines[place].retarget(changed)
        return self._render(replies)

    def close(self) -> None:
        """Release every port."""
        for line in self.lines:
            line.close()

    def _begin(self, place: int, agreement: Agreement | None) -> None:
        self._agreements[place] = agreement
        if agreement is not None:
            self.lines[place].start(agreement, self._options.latch_fallback_s)

    def _render(self, lines: Sequence[MediaLine]) -> bytes:
        return sdp.render(lines, host=self._host, session=self._session)
