"""Running the simulator as a process: bind, say where, serve until told to stop."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
import uvicorn

from services.ringcentral_sim.app import build_simulator, start_world, stop_world
from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.logs import configure_logs
from services.ringcentral_sim.rest.directory import proxies
from services.ringcentral_sim.world import World

log = structlog.get_logger()


class _Announced(uvicorn.Server):
    """Prints the line with the addresses once everything listens."""

    def __init__(self, config: uvicorn.Config, world: World) -> None:
        super().__init__(config)
        self._world = world

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT, with exit status 0."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        await super().startup(sockets)
        if sockets and self.started:
            print(json.dumps(ready_line(self._world, sockets[0])), flush=True)


def ready_line(world: World, bound: socket.socket) -> dict[str, str]:
    """What a launcher needs to know."""
    host, port = bound.getsockname()[:2]
    proxy, proxy_tls = proxies(world)
    shown = "127.0.0.1" if host == "0.0.0.0" else host
    return {"ready": "ringcentral_sim", "http": f"http://{shown}:{port}", "sip": proxy, "sip_tls": proxy_tls}


def serve(settings: SimulatorSettings) -> int:
    """Serve until SIGTERM or SIGINT; exit status 2 and one line when a port is taken."""
    configure_logs(settings.log_level)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        print(f"RINGCENTRAL_SIM_PORT: cannot bind {settings.host}:{settings.port}: {error.strerror}", file=sys.stderr)
        return 2
    world, app = build_simulator(settings)
    config = uvicorn.Config(
        app, log_level="warning", ws_ping_interval=30, ws_ping_timeout=10, timeout_graceful_shutdown=2, lifespan="off"
    )
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        return runner.run(_serve(_Announced(config, world), world, bound))


async def _serve(server: _Announced, world: World, bound: socket.socket) -> int:
    try:
        await start_world(world)
    except OSError as error:
        settings = world.settings
        ports = f"{settings.sip_port} (UDP, TCP) or {settings.sip_tls_port} (TLS)"
        print(f"RINGCENTRAL_SIM_SIP_PORT: cannot bind {settings.sip_host}:{ports}: {error}", file=sys.stderr)
        return 2
    try:
        await server.serve(sockets=[bound])
    finally:
        await stop_world(world)
    return 0
