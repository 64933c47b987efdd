"""A gateway one of whose threads has died ends, to be started again: it would go on deaf."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from services.chassis.errors import Fatal
from services.chassis.testing.fake_publisher import FakePublisher
from services.media_gateway.adapters.chunk_topic import ChunkTopic
from services.media_gateway.app import until, watch


@dataclass
class Thread:
    error: BaseException | None = None


@pytest.mark.parametrize("dead", ["receiver", "view"])
async def test_a_dead_thread_ends_the_service(dead: str) -> None:
    receiver, view, stop = Thread(), Thread(), asyncio.Event()
    watching = asyncio.create_task(watch(receiver, ChunkTopic(FakePublisher()), [Thread(), view], every_s=0.0))
    waiting = asyncio.create_task(until(stop, watching))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    (receiver if dead == "receiver" else view).error = RuntimeError("no")
    with pytest.raises(Fatal, match="ended: RuntimeError"):
        await waiting


async def test_a_stop_is_no_failure() -> None:
    stop = asyncio.Event()
    watching = asyncio.create_task(watch(Thread(), ChunkTopic(FakePublisher()), [], every_s=0.0))
    waiting = asyncio.create_task(until(stop, watching))
    stop.set()
    await waiting
    watching.cancel()
