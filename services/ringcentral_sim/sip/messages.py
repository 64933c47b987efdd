"""SIP messages on the wire: cutting a byte stream into messages, and answering a request (RFC 3261 §8.2.6, §18.3)."""

from __future__ import annotations

import re

from sipmessage import Request, Response, Via

ALLOW = "SUBSCRIBE, NOTIFY, REFER, INVITE, ACK, BYE, CANCEL, UPDATE, INFO"
SUPPORTED = "replaces, timer, diversion"
PING = b"\r\n\r\n"
PONG = b"\r\n"
MAX_MESSAGE_BYTES = 65_535

_CONTENT_LENGTH = re.compile(rb"^(?:content-length|l)\s*:\s*(\d+)\s*$", re.IGNORECASE | re.MULTILINE)


class StreamFramer:
    """Cuts what arrives on a TCP or TLS connection into messages and keepalive pings.

    `feed` returns whole messages, and `PING` for each double CRLF between them (RFC 5626 §3.5.1). ValueError:
    the stream cannot be followed any more and has to be closed.
    """

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return what became complete."""
        self._pending += data
        complete: list[bytes] = []
        while self._pending:
            if self._pending.startswith(PING):
                complete.append(PING)
                self._pending = self._pending[len(PING) :]
            elif self._pending.startswith(b"\r\n") and len(self._pending) > 3:
                self._pending = self._pending[2:]
            else:
                message = self._take_message()
                if message is None:
                    break
                complete.append(message)
        return complete

    def _take_message(self) -> bytes | None:
        head, separator, _ = self._pending.partition(b"\r\n\r\n")
        if not separator:
            if len(self._pending) > MAX_MESSAGE_BYTES:
                raise ValueError("no end of header in sight")
            return None
        length = _CONTENT_LENGTH.search(head.replace(b"\r\n", b"\n"))
        end = len(head) + len(separator) + (int(length.group(1)) if length else 0)
        if end > MAX_MESSAGE_BYTES:
            raise ValueError("message too long")
        if len(self._pending) < end:
            return None
        message, self._pending = self._pending[:end], self._pending[end:]
        return message


def with_body(message: Request | Response, body: bytes = b"", content_type: str | None = None) -> None:
    """Set the body and the headers that describe it."""
    message.body = body
    if content_type is not None:
        message.headers.set("Content-Type", content_type)
    message.headers.set("Content-Length", str(len(body)))


def via_seen_from(value: str, peer: tuple[str, int]) -> str:
    """The request's top Via with where it really came from (RFC 3581): `received` and, if asked, `rport`."""
    via = Via.parse(value)
    changes: dict[str, str | None] = {"received": peer[0]}
    if "rport" in via.parameters:
        changes["rport"] = str(peer[1])
    return str(Via(via.transport, via.host, via.port, via.parameters.replace(**changes)))


def answer(request: Request, code: int, phrase: str, peer: tuple[str, int], *, to_tag: str = "") -> Response:
    """A response without body to `request`, which came from `peer`; `to_tag` is added where To has none yet."""
    response = Response(code, phrase)
    vias = request.headers.getlist("Via")
    response.headers.setlist("Via", [via_seen_from(vias[0], peer), *vias[1:]])
    to = request.headers["To"]
    if to_tag and code > 100 and ";tag=" not in to.lower():
        to = f"{to};tag={to_tag}"
    response.headers.set("From", request.headers["From"])
    response.headers.set("To", to)
    response.headers.set("Call-ID", request.headers["Call-ID"])
    response.headers.set("CSeq", request.headers["CSeq"])
    with_body(response)
    return response
