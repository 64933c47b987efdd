"""From a change of a party to a notification at each subscriber: 14 to 113 ms later, in order per session.

Faults: a notification may be lost, come twice (same uuid), or come late, behind its successors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from services.ringcentral_sim.domain.faults import Counters, Faults
from services.ringcentral_sim.domain.ports import Clock
from services.ringcentral_sim.domain.session import Party, Session, rfc3339
from services.ringcentral_sim.domain.subscriptions import Subscription, SubscriptionStore
from services.ringcentral_sim.tasks import Tasks


class Delivery(Protocol):
    """One transport; must not block and must not raise."""

    def deliver(self, subscription: Subscription, message: dict[str, Any]) -> None:
        """Take the message to the subscriber."""


class Publisher:
    """`delay_s()` draws the server-side delay, `new_uuid()` a notification's uuid."""

    def __init__(
        self,
        *,
        clock: Clock,
        tasks: Tasks,
        store: SubscriptionStore,
        counters: Counters,
        faults: Faults,
        account_id: str,
        delay_s: Callable[[], float],
        new_uuid: Callable[[], str],
    ) -> None:
        self._clock = clock
        self._tasks = tasks
        self._store = store
        self._counters = counters
        self._faults = faults
        self._account_id = account_id
        self._delay_s = delay_s
        self._new_uuid = new_uuid
        self._tails: dict[str, asyncio.Task[Any]] = {}
        self.transports: dict[str, Delivery] = {}

    def publish(self, session: Session, party: Party, at: datetime) -> None:
        """Schedule the notification of a change that happened at `at`."""
        self._counters.events_published += 1
        due = self._clock.monotonic() + self._delay_s()
        previous = self._tails.get(session.id)
        body = session.event_body(party, at)
        tail = self._tasks.spawn(self._later(previous, due, party, body), "notify")
        self._tails[session.id] = tail
        tail.add_done_callback(lambda done: self._forget(session.id, done))

    async def _later(self, previous: asyncio.Task[Any] | None, due: float, party: Party, body: dict[str, Any]) -> None:
        if previous is not None:
            await asyncio.wait({previous})
        await self._clock.sleep(due - self._clock.monotonic())
        self._deliver(party, body)

    def _deliver(self, party: Party, body: dict[str, Any]) -> None:
        now = self._clock.now()
        self._store.drop_expired(now)
        wire = body["parties"][0]
        scope = f"/extension/{party.extension_id}" if party.extension_id else ""
        for subscription in list(self._store.items.values()):
            if subscription.status != "Active" or not any(f.matches(wire) for f in subscription.filters):
                continue
            self._counters.notifications_sent += 1
            message = {
                "uuid": self._new_uuid(),
                "event": f"/restapi/v1.0/account/{self._account_id}{scope}/telephony/sessions",
                "timestamp": rfc3339(now),
                "subscriptionId": subscription.id,
                "ownerId": subscription.owner_id,
                "body": body,
            }
            self._send(subscription, message, body["telephonySessionId"])

    def _send(self, subscription: Subscription, message: dict[str, Any], call_id: str) -> None:
        faults, now = self._faults, self._clock.monotonic()
        transport = self.transports[subscription.transport]
        if faults.hits("event_lost", now, call_id):
            return
        if faults.hits("event_reordered", now, call_id):
            self._tasks.spawn(self._late(transport, subscription, message), "late notification")
        else:
            transport.deliver(subscription, message)
        if faults.hits("event_repeated", now, call_id):
            transport.deliver(subscription, message)

    async def _late(self, transport: Delivery, subscription: Subscription, message: dict[str, Any]) -> None:
        await self._clock.sleep(self._faults.event_reorder_s)
        transport.deliver(subscription, message)

    def _forget(self, session_id: str, done: asyncio.Task[Any]) -> None:
        if self._tails.get(session_id) is done:
            del self._tails[session_id]
