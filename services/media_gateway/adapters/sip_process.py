"""Runs a device's SIP worker: starts the process, carries the lines, restarts it when it dies or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable

import msgspec
import structlog
from prometheus_client import Counter

from services.chassis.service import stopped
from services.media_gateway.domain.sip_link import (
    Alive,
    Configure,
    FromWorker,
    Message,
    Stop,
    decode_from_worker,
    encode,
)

log = structlog.get_logger()
RESTARTS = Counter("earshot_media_sip_worker_restarts_total", "SIP workers that died or hung.", ["device_id"])
FIRST_BACKOFF_S = 0.2
MOST_BACKOFF_S = 10.0
HEALTHY_AFTER_S = 30.0
HUNG_AFTER_S = 15.0
STOP_WAIT_S = 6.0


class SipProcess:
    """The worker of one device. `on_message` gets its lines, `on_death` is called when it is gone unasked."""

    def __init__(
        self,
        configuration: Configure,
        *,
        log_level: str,
        on_message: Callable[[FromWorker], None],
        on_death: Callable[[], None],
    ) -> None:
        self._configuration = configuration
        self._log_level = log_level
        self._on_message = on_message
        self._on_death = on_death
        self._writer: asyncio.StreamWriter | None = None
        self._stopping = False
        self._stop_asked = asyncio.Event()
        self.pid: int | None = None

    def send(self, message: Message) -> None:
        """Send a line; without a live worker it is dropped, as the worker's calls are gone with it."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(encode(message))

    async def run(self) -> None:
        """Keep a worker running until `stop`."""
        loop = asyncio.get_running_loop()
        backoff_s = FIRST_BACKOFF_S
        while not self._stopping:
            began = loop.time()
            await self._one_life()
            if self._stop_asked.is_set():
                return
            self._on_death()
            RESTARTS.labels(self._configuration.device_id).inc()
            if loop.time() - began > HEALTHY_AFTER_S:
                backoff_s = FIRST_BACKOFF_S
            log.warning("sip_worker_died", device_id=self._configuration.device_id, again_in_s=backoff_s)
            await stopped(self._stop_asked, backoff_s)
            backoff_s = min(backoff_s * 2, MOST_BACKOFF_S)

    def stop(self) -> None:
        """Ask the worker to end its calls, unregister and exit; `run` returns after that."""
        self._stopping = True
        self._stop_asked.set()
        self.send(Stop())

    async def _one_life(self) -> None:
        ours, theirs = socket.socketpair()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.media_gateway.sip_worker",
            "--fd",
            str(theirs.fileno()),
            "--log-level",
            self._log_level,
            pass_fds=[theirs.fileno()],
            env=_without_secrets(),
        )
        theirs.close()
        self.pid = process.pid
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self.send(self._configuration)
        try:
            await self._listen(reader)
        finally:
            self._writer.close()
            self._writer = None
            await self._reap(process)
            self.pid = None

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                async with asyncio.timeout(STOP_WAIT_S if self._stopping else HUNG_AFTER_S):
                    line = await reader.readline()
            except TimeoutError:
                log.error("sip_worker_hung", device_id=self._configuration.device_id)
                return
            except (ConnectionError, ValueError):
                return
            if not line:
                return
            try:
                message = decode_from_worker(line)
            except msgspec.MsgspecError:
                log.error("sip_worker_unreadable", device_id=self._configuration.device_id)
                return
            if not isinstance(message, Alive):
                self._on_message(message)

    async def _reap(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(STOP_WAIT_S if self._stopping else 0.5):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _without_secrets() -> dict[str, str]:
    """The environment less what is none of the worker's business."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RINGCENTRAL_", "KAFKA_"))}
