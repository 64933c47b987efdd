"""The faults that begin by the clock: cut sockets, kill tokens, take devices away and give them back."""

from __future__ import annotations

import asyncio
from typing import Any

from services.ringcentral_sim.domain.company import Company
from services.ringcentral_sim.domain.faults import Faults
from services.ringcentral_sim.domain.ports import Clock
from services.ringcentral_sim.domain.tokens import TokenStore
from services.ringcentral_sim.events.gateway import Gateway
from services.ringcentral_sim.tasks import Tasks

TICK_S = 0.5


class TimedFaults:
    """Looks twice a simulated second, and only while a timed chance is switched on."""

    def __init__(
        self, *, faults: Faults, clock: Clock, tasks: Tasks, company: Company, gateway: Gateway, tokens: TokenStore
    ) -> None:
        self._faults = faults
        self._clock = clock
        self._tasks = tasks
        self._company = company
        self._gateway = gateway
        self._tokens = tokens
        self._running: asyncio.Task[Any] | None = None

    def ensure(self) -> None:
        """Start looking when there is something to look for; call after every change of the chances."""
        if self._faults.timed and (self._running is None or self._running.done()):
            self._running = self._tasks.spawn(self._run(), "timed faults")

    async def _run(self) -> None:
        while self._faults.timed:
            devices = [device.id for device in self._company.devices.values() if device.password]
            for kind in self._faults.tick(self._clock.monotonic(), devices):
                if kind in ("ws_cut", "ws_cut_long"):
                    self._gateway.drop_all()
                elif kind == "token_killed":
                    self._tokens.kill_all()
            await self._clock.sleep(TICK_S)
