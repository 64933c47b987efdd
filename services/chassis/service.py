"""Running a service: settings, logs, health, signals, exit codes. Every `__main__.py` calls `run`.

Exit codes: 0 after a clean stop, 1 after a Fatal, 2 for a wrong setting (one line each on standard error).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Generic, TypeVar

import structlog

from services.chassis import logs
from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import Fatal, SettingError
from services.chassis.health import Health, HealthServer
from services.chassis.settings import ServiceSettings, describe, load

log = structlog.get_logger()
SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
LEAVE_AFTER_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[SettingsT]):
    """What a service's `app.py` is given. `stop` is set by SIGTERM or SIGINT; `on_stop` callbacks run then."""

    name: str
    settings: SettingsT
    health: Health
    clock: Clock
    stop: threading.Event
    on_stop: list[Callable[[], Any]] = field(default_factory=list)


def run(name: str, settings_type: type[SettingsT], main: Callable[[Service[SettingsT]], None], *, about: str) -> int:
    """Run `main` until it returns; the exit code. `about` is the first paragraph of `--help`."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(f"usage: python -m services.{name}\n\n{about.strip()}\n\nSettings, from the environment:")
        print(describe(settings_type))
        return 0
    try:
        settings = load(settings_type)
        logs.configure(service=name, level=settings.log_level)
    except (SettingError, KeyError) as error:
        text = str(error) if isinstance(error, SettingError) else "LOG_LEVEL: must be DEBUG, INFO, WARNING or ERROR"
        print(text, file=sys.stderr)
        return 2
    health = Health()
    service = Service(name=name, settings=settings, health=health, clock=SystemClock(), stop=threading.Event())
    try:
        server = HealthServer(health, settings.health_host, settings.health_port)
    except OSError as error:
        print(f"HEALTH_PORT: {settings.health_port} cannot be listened on ({error.strerror})", file=sys.stderr)
        return 2
    server.start()
    _stop_on_signals(service)
    code = _run(service, main, server.port)
    server.stop()
    log.info("service_stopped", exit_code=code)
    _leave(code)
    return code


def _run(service: Service[SettingsT], main: Callable[[Service[SettingsT]], None], health_port: int) -> int:
    """The exit code of `main`."""
    log.info("service_started", health_port=health_port)
    try:
        main(service)
    except SettingError as error:
        print(str(error), file=sys.stderr)
        return 2
    except Fatal as error:
        log.error("service_failed", reason=str(error))
        return 1
    except Exception as error:
        log.exception("service_crashed", error=type(error).__name__)
        return 1
    return 0


def _leave(code: int) -> None:
    """End the process even where a library's thread does not: what had to be flushed has been."""
    others = [t for t in threading.enumerate() if t is not threading.main_thread() and not t.daemon]
    deadline = time.monotonic() + LEAVE_AFTER_S
    for thread in others:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in others):
        log.warning("left_with_threads", threads=[t.name for t in others if t.is_alive()])
        sys.stdout.flush()
        os._exit(code)


def run_async(service: Service[Any], main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run a coroutine for a service whose shell is asyncio; its event is set when the service is to stop."""

    async def _main() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        service.on_stop.append(lambda: loop.call_soon_threadsafe(stop.set))
        if service.stop.is_set():
            stop.set()
        await main(stop)

    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(_main())
    finally:
        _cancel_rest(loop)
        asyncio.set_event_loop(None)


async def stopped(stop: asyncio.Event, within_s: float) -> bool:
    """Whether the service was told to stop, waiting for it at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            await stop.wait()
    return stop.is_set()


def _cancel_rest(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what still runs and give it a moment; unlike asyncio.run, do not wait for what will not be cancelled."""
    rest = asyncio.all_tasks(loop)
    for task in rest:
        task.cancel()
    if rest:
        loop.run_until_complete(asyncio.wait(rest, timeout=LEAVE_AFTER_S))
    if not asyncio.all_tasks(loop):
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _stop_on_signals(service: Service[Any]) -> None:
    def handle(number: int, _: FrameType | None) -> None:
        if service.stop.is_set():
            return
        log.info("service_stopping", signal=signal.Signals(number).name)
        service.stop.set()
        for callback in service.on_stop:
            callback()

    signal.signal(signal.SIGTERM, handle)
    signal.signal(signal.SIGINT, handle)
