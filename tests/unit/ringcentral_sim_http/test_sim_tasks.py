"""Background tasks of the simulator: how they end when their owner is cancelled meanwhile."""

from __future__ import annotations

import asyncio

import anyio

from services.ringcentral_sim.tasks import Tasks


async def test_a_scope_that_ends_the_owner_while_it_stops_its_tasks_knows_the_cancellation_as_its_own():
    tasks = Tasks()
    with anyio.CancelScope() as scope:
        tasks.spawn(asyncio.sleep(3600), "sleeper")
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(scope.cancel)  # before the cancelled sleeper wakes
        await tasks.cancel()
    assert scope.cancelled_caught


async def test_stopping_nothing_is_no_error():
    await Tasks().cancel()
