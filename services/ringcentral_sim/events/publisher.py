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
from services.ringcentral_sim.domain.presence import presence_body
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
        self._presence_sequences: dict[str, int] = {}
        self.transports: dict[str, Delivery] = {}
        self.calls_of: Callable[[str], list[tuple[Session, Party]]] = lambda extension_id: []

    def publish(self, session: Session, party: Party, at: datetime) -> None:
        """Schedule the notification of a change that happened at `at`."""
        self._counters.events_published += 1
        due = self._clock.monotonic() + self._delay_s()
        previous = self._tails.get(session.id)
        body = session.event_body(party, at)
        calls = self._presence(session, party)
        tail = self._tasks.spawn(self._later(previous, due, party, body, calls), "notify")
        self._tails[session.id] = tail
        tail.add_done_callback(lambda done: self._forget(session.id, done))

    def _presence(self, session: Session, party: Party) -> list[tuple[Session, Party]]:
        """The calls of the extension whose party changed; one that has just ended is told once more."""
        if party.extension_id is None or not self._wants_presence(party.extension_id):
            return []
        under_way = self.calls_of(party.extension_id)
        return under_way if any(one.id == party.id for _, one in under_way) else [(session, party), *under_way]

    def _wants_presence(self, extension_id: str) -> bool:
        return any(
            one.subject == "presence" and one.extension_id == extension_id
            for subscription in self._store.items.values()
            for one in subscription.filters
        )

    async def _later(
        self, previous: asyncio.Task[Any] | None, due: float, party: Party, body: dict[str, Any],
        calls: list[tuple[Session, Party]],
    ) -> None:  # fmt: skip
        if previous is not None:
            await asyncio.wait({previous})
        await self._clock.sleep(due - self._clock.monotonic())
        self._deliver(party, body)
        if calls:
            self._deliver_presence(party, calls, body["telephonySessionId"])

    def _deliver(self, party: Party, body: dict[str, Any]) -> None:
        wire = body["parties"][0]
        scope = f"/extension/{party.extension_id}" if party.extension_id else ""
        for subscription in self._active():
            if any(f.matches(wire) for f in subscription.filters):
                message = self._message(subscription, f"{scope}/telephony/sessions", body)
                self._send(subscription, message, body["telephonySessionId"])

    def _deliver_presence(self, party: Party, calls: list[tuple[Session, Party]], call_id: str) -> None:
        """One notification a subscription, by its most detailed filter for the extension."""
        extension_id = str(party.extension_id)
        sequence = self._presence_sequences[extension_id] = self._presence_sequences.get(extension_id, 0) + 1
        for subscription in self._active():
            wanted = [f for f in subscription.filters if f.subject == "presence" and f.extension_id == extension_id]
            if not wanted:
                continue
            best = max(wanted, key=lambda f: (f.detailed, f.sip_data))
            body = presence_body(
                extension_id, calls, sequence=sequence, detailed=best.detailed, sip_data=best.sip_data
            )  # fmt: skip
            path = best.text().removeprefix(f"/restapi/v1.0/account/{self._account_id}")
            self._send(subscription, self._message(subscription, path, body), call_id)

    def _active(self) -> list[Subscription]:
        self._store.drop_expired(self._clock.now())
        return [subscription for subscription in self._store.items.values() if subscription.status == "Active"]

    def _message(self, subscription: Subscription, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._counters.notifications_sent += 1
        return {
            "uuid": self._new_uuid(),
            "event": f"/restapi/v1.0/account/{self._account_id}{path}",
            "timestamp": rfc3339(self._clock.now()),
            "subscriptionId": subscription.id,
            "ownerId": subscription.owner_id,
            "body": body,
        }

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
