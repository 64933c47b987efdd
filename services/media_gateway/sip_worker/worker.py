"""The worker's loop: SIP library and link to the gateway, turn by turn on one thread."""

from __future__ import annotations

import socket
import time

from services.media_gateway.domain.sip_link import (
    Alive,
    Answer,
    Configure,
    Decline,
    GrantPorts,
    HangUp,
    Message,
    Stop,
    ToWorker,
    decode_to_worker,
    encode,
)
from services.media_gateway.sip_worker.softphone import Softphone

IDLE_WAIT_MS = 200
# While a call waits for the gateway's word the link is looked at often; the library cannot wait on our socket.
DECIDING_WAIT_MS = 2
ALIVE_EVERY_S = 2.0
STOP_WAIT_S = 3.0


class Link:
    """Lines to and from the gateway on one stream socket. Used from one thread."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over `connection`."""
        connection.setblocking(False)
        self._connection = connection
        self._pending = b""
        self.closed = False

    def receive(self) -> list[ToWorker]:
        """Return the messages that have come in, without waiting. Sets `closed` when the gateway is gone."""
        while True:
            try:
                data = self._connection.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.closed = True
                break
            self._pending += data
        *lines, self._pending = self._pending.split(b"\n")
        return [decode_to_worker(line) for line in lines]

    def send(self, message: Message) -> None:
        """Send one message; a gateway that is gone is noticed by `closed`."""
        try:
            self._connection.setblocking(True)
            self._connection.sendall(encode(message))
        except OSError:
            self.closed = True
        finally:
            self._connection.setblocking(False)


def run(link: Link) -> int:
    """Serve until Stop or the end of the link. Returns the exit status."""
    softphone: Softphone | None = None
    alive_at = 0.0
    stopping = False
    while not stopping and not link.closed:
        for message in link.receive():
            match message:
                case Configure():
                    softphone = Softphone(message, link.send)
                case Stop():
                    stopping = True
                case GrantPorts(ports=ports) if softphone:
                    softphone.grant(ports)
                case Answer(call=call) if softphone:
                    softphone.answer(call)
                case Decline(call=call, status_code=status_code) if softphone:
                    softphone.decline(call, status_code)
                case HangUp(call=call) if softphone:
                    softphone.hang_up(call)
                case _:
                    pass
        now = time.monotonic()
        if now >= alive_at:
            link.send(Alive())
            alive_at = now + ALIVE_EVERY_S
        if softphone is None:
            time.sleep(0.01)
            continue
        softphone.turn(DECIDING_WAIT_MS if softphone.deciding else IDLE_WAIT_MS)
    if softphone is not None:
        softphone.stop(time.monotonic() + STOP_WAIT_S)
    return 0
