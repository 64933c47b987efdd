"""Receives all legs on one thread: epoll, in batches of 5 ms; asyncio costs several times as much a packet.

The owner calls from its own thread: `lease` binds a socket before the call is answered, `attach` starts the leg,
`identify` corrects whose it is, `release` ends it. Chunks go to the sink and reports to `report` on the receiver's
thread; neither may block. The commands and reports are plain data, so that the thread can become a process.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from services.media_gateway.adapters.rtp_leg import ChunkSink, LegGap, LegOpening, LegReport, RtpLeg, open_socket
from services.media_gateway.domain.correlation import Identity
from services.media_gateway.domain.leg_stream import Chunk, StreamSettings
from services.media_gateway.domain.ports import PortPool

log = structlog.get_logger()
BATCH_S = 0.005
TICK_MS = 10.0
IDLE_WAIT_S = 1.0
LINGER_MS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSettings:
    """How the receiver works. Ports are inclusive; times as their names say."""

    bind_host: str
    port_first: int
    port_last: int
    cool_down_s: float
    silence_ms: int
    gap_report_ms: int
    stream: StreamSettings


class RtpReceiver:
    """All RTP sockets of the gateway and the thread that reads them."""

    def __init__(self, settings: ReceiverSettings, sink: ChunkSink, report: Callable[[LegReport], None]) -> None:
        self._settings = settings
        self._sink = sink
        self._report = report
        self._pool = PortPool(settings.port_first, settings.port_last, settings.cool_down_s)
        self._leased: dict[int, socket.socket] = {}
        self._commands: deque[Callable[[], None]] = deque()
        self._legs: dict[int, RtpLeg] = {}
        self._by_port: dict[int, RtpLeg] = {}
        self._epochs: dict[str, int] = {}
        self._epoll = select.epoll()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._stopping = False
        # One offset for the process's life: a step of the wall clock must not shift the audio of running calls.
        self._wall_ms = time.time() * 1000 - time.monotonic() * 1000
        self._thread = threading.Thread(target=self._run, name="rtp-receiver", daemon=True)
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def stop(self) -> None:
        """Finish all legs (reason shutdown) and end the thread."""
        self._do(self._finish_all)
        self._thread.join(timeout=10)
        for leased in self._leased.values():
            leased.close()
        self._leased.clear()

    def lease(self) -> int | None:
        """Bind an even port for a leg to come; None when no port is to be had."""
        for _ in range(64):
            now_s = time.monotonic()
            port = self._pool.take(now_s)
            if port is None:
                return None
            opened = open_socket(self._settings.bind_host, port)
            if opened is not None:
                self._leased[port] = opened
                return port
            self._pool.give_back(port, now_s)
        return None

    def hand_back(self, port: int) -> None:
        """Give up a lease that no leg came for."""
        leased = self._leased.pop(port, None)
        if leased is not None:
            leased.close()
            self._pool.give_back(port, time.monotonic())

    def drain(self, port: int) -> None:
        """Throw away what has strayed into a leased socket; for before the call is answered."""
        leased = self._leased.get(port)
        while leased is not None:
            try:
                leased.recv(2048)
            except BlockingIOError:
                return
            except ConnectionError:
                continue

    def attach(self, port: int, opening: LegOpening) -> None:
        """Start a leg on a leased port, or take a new agreement for one that runs."""
        leased = self._leased.pop(port, None)
        self._do(lambda: self._attach(port, leased, opening))

    def identify(self, port: int, identity: Identity) -> None:
        """Say whose the leg is from the next chunk on."""
        self._do(lambda: self._identify(port, identity))

    def release(self, port: int, reason: str) -> None:
        """End the leg once what is still on its way has come in."""
        if port in self._leased:
            self.hand_back(port)
            return
        self._do(lambda: self._close_soon(port, reason))

    def recall_epoch(self, call_id: str, epoch_ms: int) -> None:
        """Take the epoch that an earlier life of the gateway gave the call; the first one stands."""
        self._do(lambda: self._recall(call_id, epoch_ms))

    def _recall(self, call_id: str, epoch_ms: int) -> None:
        self._epochs.setdefault(call_id, epoch_ms)

    def _do(self, command: Callable[[], None]) -> None:
        self._commands.append(command)
        os.eventfd_write(self._wake, 1)

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        except BaseException as error:
            self.error = error
            log.error("rtp_receiver_stopped", error=type(error).__name__)
            raise

    def _turn(self) -> None:
        wait_s = TICK_MS / 1000 if self._legs else IDLE_WAIT_S
        ready = self._epoll.poll(wait_s)
        started = time.monotonic()
        now_ms = started * 1000
        for descriptor, _ in ready:
            if descriptor == self._wake:
                os.eventfd_read(self._wake)
                continue
            leg = self._legs.get(descriptor)
            if leg is not None:
                self._read(leg, now_ms)
        while self._commands:
            self._commands.popleft()()
        for leg in list(self._legs.values()):
            self._tick(leg, now_ms)
        left_s = BATCH_S - (time.monotonic() - started)
        if ready and self._legs and left_s > 0:
            time.sleep(left_s)

    def _read(self, leg: RtpLeg, now_ms: float) -> None:
        for datagram, source in leg.datagrams():
            chunks, heard = leg.receive(datagram, source, now_ms)
            if heard is not None:
                self._report(heard)
            self._publish(leg, chunks)

    def _tick(self, leg: RtpLeg, now_ms: float) -> None:
        if leg.stream is not None:
            self._publish(leg, leg.stream.tick(now_ms))
        leg.send_silence(now_ms)
        if now_ms >= leg.closes_ms:
            self._finish(leg)
            return
        silent = leg.look(now_ms)
        if silent is not None:
            self._report(silent)

    def _publish(self, leg: RtpLeg, chunks: list[Chunk]) -> None:
        for chunk in chunks:
            epoch_ms = leg.epoch_ms if leg.epoch_ms is not None else round(chunk.arrived_ms + self._wall_ms)
            self._sink(leg.opening.leg_id, leg.identity, epoch_ms, chunk, self._wall_ms)
            if chunk.gap_before_ms >= self._settings.gap_report_ms:
                gap = LegGap(
                    port=leg.port,
                    media_time_ms=chunk.media_time_ms,
                    gap_ms=chunk.gap_before_ms,
                    counts=leg.counts,
                )
                self._report(gap)

    def _attach(self, port: int, leased: socket.socket | None, opening: LegOpening) -> None:
        running = self._by_port.get(port)
        if running is not None:
            running.agree(opening)
            return
        if leased is None:
            return
        leg = RtpLeg.attach(
            port,
            leased,
            opening,
            self._settings.stream,
            self._settings.silence_ms,
            self._epochs,
            time.monotonic() * 1000,
            self._wall_ms,
        )
        self._by_port[port] = self._legs[leased.fileno()] = leg
        self._epoll.register(leased.fileno(), select.EPOLLIN)

    def _identify(self, port: int, identity: Identity) -> None:
        leg = self._by_port.get(port)
        if leg is not None:
            leg.identity = identity

    def _close_soon(self, port: int, reason: str) -> None:
        leg = self._by_port.get(port)
        if leg is not None and not leg.closing_reason:
            leg.closing_reason = reason
            leg.closes_ms = time.monotonic() * 1000 + LINGER_MS

    def _finish_all(self) -> None:
        for leg in list(self._legs.values()):
            leg.closing_reason = leg.closing_reason or "shutdown"
            self._finish(leg)
        self._stopping = True

    def _finish(self, leg: RtpLeg) -> None:
        """Read the socket to its end, hand everything over, forget the leg."""
        now_ms = time.monotonic() * 1000
        self._read(leg, now_ms)
        descriptor = leg.rtp.fileno()
        self._epoll.unregister(descriptor)
        del self._legs[descriptor], self._by_port[leg.port]
        chunks, report = leg.finish(now_ms)
        self._publish(leg, chunks)
        self._report(report)
        self._pool.give_back(leg.port, time.monotonic())
