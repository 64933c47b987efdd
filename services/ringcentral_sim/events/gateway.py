"""The WebSocket gateway: tokens, channels and what to send on them. No socket in here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from services.ringcentral_sim.domain.faults import Counters, Faults
from services.ringcentral_sim.domain.pace import Pace
from services.ringcentral_sim.domain.ports import Clock
from services.ringcentral_sim.domain.session import rfc3339
from services.ringcentral_sim.domain.subscriptions import Subscription, SubscriptionStore
from services.ringcentral_sim.domain.wsg import Channel, Frame, read_token

CLOSE = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLimits:
    """What ConnectionDetails tells the client, in counts and simulated seconds (`pace`: the client's)."""

    buffer_size: int = 100
    recovery_s: float = 180.0
    idle_s: float = 1800.0
    absolute_s: float = 86400.0
    max_active_requests: int = 10
    max_connections: int = 50
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True)
class Connection:
    """A live socket's outbox; None in it closes the socket. `token` is the owner's access token."""

    channel: Channel
    access_token: str
    outbox: asyncio.Queue[Frame | None] = field(default_factory=asyncio.Queue)


@dataclass(frozen=True, slots=True)
class _Ticket:
    owner_id: str
    access_token: str
    until: float


class Gateway:
    """Implements `events.publisher.Delivery` for WebSocket subscriptions."""

    def __init__(
        self,
        *,
        limits: GatewayLimits,
        clock: Clock,
        store: SubscriptionStore,
        counters: Counters,
        faults: Faults,
        new_id: Callable[[str], str],
    ) -> None:
        self.limits = limits
        self._clock = clock
        self._store = store
        self._counters = counters
        self._faults = faults
        self._new_id = new_id
        self._tickets: dict[str, _Ticket] = {}
        self._channels: dict[str, Channel] = {}
        self.connections: dict[str, Connection] = {}

    @property
    def refuses(self) -> bool:
        """Fault: no connection can be made now."""
        return self._faults.refuses_websockets()

    def ticket(self, owner_id: str, access_token: str, ttl_s: int) -> str:
        """A ws_access_token; it opens one connection."""
        token = self._new_id("WS")
        self._tickets[token] = _Ticket(owner_id, access_token, self._clock.monotonic() + ttl_s)
        return token

    def open(self, token: str, wsc: str | None) -> tuple[Connection, list[Frame]] | None:
        """Connect or recover: the connection and the frames to send first; None for a bad token."""
        ticket = self._tickets.pop(token, None)
        if ticket is None or self._clock.monotonic() > ticket.until:
            return None
        self._counters.websocket_connections += 1
        self._sweep()
        place = read_token(wsc) if wsc else None
        channel = self._channels.get(place[0]) if place else None
        state: dict[str, Any] = {}
        resent: list[Frame] = []
        if channel is not None and place is not None and channel.owner_id == ticket.owner_id:
            self._drop_connection(channel.id)
            resent = channel.recover(place[1])
            self._counters.websocket_recoveries += 1
            state = {"recoveryState": "Successful"}
        else:
            channel = Channel(self._new_id("c"), ticket.owner_id, self.limits.buffer_size, self.limits.recovery_s)
            self._channels[channel.id] = channel
            if wsc:
                state = {"recoveryState": "Failed", "recoveryErrorCode": "WSG-901"}
        connection = Connection(channel, ticket.access_token)
        self.connections[channel.id] = connection
        return connection, [self._details(channel, state), *resent]

    def close(self, connection: Connection) -> None:
        """The socket is gone: the channel may be recovered for a while."""
        if self.connections.get(connection.channel.id) is connection:
            del self.connections[connection.channel.id]
            connection.channel.detach(self._clock.monotonic())
        self._sweep()

    def bind(self, channel_id: str, subscription_id: str) -> None:
        """One subscription a connection: the second replaces the first."""
        channel = self._channels[channel_id]
        if channel.subscription_id is not None:
            self._store.items.pop(channel.subscription_id, None)
        channel.subscription_id = subscription_id

    def deliver(self, subscription: Subscription, message: dict[str, Any]) -> None:
        """Number and keep the notification; send it when a socket is there."""
        self._sweep()
        channel = self._channels.get(subscription.channel_id or "")
        if channel is None or channel.subscription_id != subscription.id:
            return
        frame = channel.notify(message["uuid"], self._new_id("rc"), message)
        connection = self.connections.get(channel.id)
        if connection is not None:
            connection.outbox.put_nowait(frame)

    def drop_all(self) -> int:
        """Fault: every socket closes; the channels stay recoverable."""
        count = len(self.connections)
        for connection in list(self.connections.values()):
            connection.outbox.put_nowait(CLOSE)
        return count

    def error(self, code: str, message: str) -> Frame:
        """An Error frame, as the one before the gateway closes."""
        meta = {"type": "Error", "messageId": self._new_id("e"), "status": 408, "headers": {}}
        return [
            meta,
            {"errorCode": code, "message": message, "errors": [{"errorCode": code, "message": message}]},
        ]

    def _details(self, channel: Channel, state: dict[str, Any]) -> Frame:
        meta = {
            "type": "ConnectionDetails",
            "messageId": self._new_id("cd"),
            "status": 200,
            "wsc": channel.wsc(),
            "headers": {"RCRequestId": self._new_id("rc")},
        }
        limits = self.limits
        body = {
            "creationTime": rfc3339(self._clock.now()),
            "maxConnectionsPerSession": limits.max_connections,
            "recoveryBufferSize": limits.buffer_size,
            "recoveryTimeout": limits.pace.life_s(limits.recovery_s),
            "idleTimeout": limits.pace.life_s(limits.idle_s),
            "absoluteTimeout": limits.pace.life_s(limits.absolute_s),
            "maxActiveRequests": limits.max_active_requests,
        }
        return [meta, body | state]

    def _drop_connection(self, channel_id: str) -> None:
        old = self.connections.pop(channel_id, None)
        if old is not None:
            old.outbox.put_nowait(CLOSE)

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        for channel in [c for c in self._channels.values() if c.expired(now)]:
            del self._channels[channel.id]
            if channel.subscription_id is not None:
                self._store.items.pop(channel.subscription_id, None)
