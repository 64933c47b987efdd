"""The watched extensions over as many WebSocket connections as their filters need.

A connection has one subscription. RingCentral documents no limit to the filters of one; where a subscription is
refused for what may be too many, fewer are tried (`domain.shards.fewer`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from services.event_ingestor.adapters.subscription import Subscription
from services.event_ingestor.domain.connection_model import Refused
from services.event_ingestor.domain.shards import fewer, spread

log = structlog.get_logger()


class Subscriptions:
    """`make(number, on_refused)` makes a connection that does not run yet; `run` ends by cancellation or a Fatal."""

    def __init__(self, make: Callable[[int, Callable[[Refused], None]], Subscription], *, most: int) -> None:
        self._make = make
        self._most = most
        self._shards: dict[int, frozenset[str]] = {1: frozenset()}
        self._lines: dict[int, Subscription] = {1: make(1, self._on_refused)}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()

    @property
    def watched(self) -> frozenset[str]:
        """The extensions that are to be watched."""
        return frozenset().union(*self._shards.values())

    @property
    def live(self) -> bool:
        """Whether events of all of them come."""
        return all(self._lines[number].live for number in self._shards)

    async def watch(self, extensions: frozenset[str]) -> None:
        """Watch these from now on."""
        before, self._shards = self._shards, spread(self._shards, extensions, self._most)
        for number in self._shards.keys() - self._lines.keys():
            self._lines[number] = self._make(number, self._on_refused)
        for number, shard in self._shards.items():
            if shard != before.get(number) or not shard:
                await self._lines[number].watch(shard)
        if before.keys() != self._shards.keys():
            log.info("filters_spread", connections=len(self._shards), most=self._most)
        self._changed.set()

    async def run(self) -> None:
        """Keep a connection for each shard alive."""
        try:
            while True:
                self._changed.clear()
                for number, line in self._lines.items():
                    if number not in self._tasks:
                        self._tasks[number] = asyncio.create_task(line.run(), name=f"subscription-{number}")
                await self._retire()
                await self._until_changed()
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _until_changed(self) -> None:
        """Raises what a connection failed of."""
        changed = asyncio.create_task(self._changed.wait())
        try:
            done, _ = await asyncio.wait([changed, *self._tasks.values()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            changed.cancel()
        for task in done - {changed}:
            task.result()

    async def _retire(self) -> None:
        for number in self._lines.keys() - self._shards.keys():
            task = self._tasks.pop(number)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._lines.pop(number).withdraw()

    def _on_refused(self, refused: Refused) -> None:
        watched = self.watched
        most = fewer(self._most, refused.extensions, len(watched), refused.status, refused.error_code)
        if most >= refused.extensions:
            return
        log.warning("subscription_takes_fewer_filters", most=most, setting="EVENT_INGESTOR_FILTERS_PER_SUBSCRIPTION")
        self._most = most
        self._again = asyncio.create_task(self.watch(watched))
