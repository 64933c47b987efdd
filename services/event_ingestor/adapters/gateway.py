"""The WebSocket gateway's socket: opening with a fresh token, text frames both ways.

The token is part of the address, and the library's errors and debug logs may show the address: neither leaves here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from services.chassis.errors import Transient
from services.chassis.ringcentral import RateLimit, RingCentralClient, RingCentralRefused
from services.event_ingestor.domain.filters import Filters, session_filters

OPEN_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0
SUBSCRIPTION_PATH = "/restapi/v1.0/subscription/"
SUBSCRIPTION_GROUP = "medium"
_quiet = logging.getLogger("earshot.websocket")
_quiet.setLevel(logging.CRITICAL)


class NotOpened(Transient):
    """No socket; `refused` when the gateway answered with a 4xx."""

    def __init__(self, detail: str, *, retry_after_ms: int = 0, refused: bool = False) -> None:
        super().__init__(detail, retry_after_ms=retry_after_ms)
        self.refused = refused


class GatewaySocket:
    """One open socket."""

    def __init__(self, connection: ClientConnection, filters: Filters) -> None:
        self._connection = connection
        self._filters = filters

    async def frames(self) -> AsyncIterator[str | bytes]:
        """Frames until the socket is closed by either side or breaks."""
        try:
            while True:
                yield await self._connection.recv()
        except ConnectionClosed:
            return

    async def subscribe(self, message_id: str, extensions: frozenset[str]) -> None:
        """Ask for the extensions' events; replaces the connection's former subscription."""
        meta = {"type": "ClientRequest", "messageId": message_id, "method": "POST", "path": SUBSCRIPTION_PATH}
        body = {"eventFilters": self._filters(extensions), "deliveryMode": {"transportType": "WebSocket"}}
        await self._send([meta, body])

    async def heartbeat(self, message_id: str) -> None:
        """Show that we live."""
        await self._send([{"type": "Heartbeat", "messageId": message_id}])

    async def close(self) -> None:
        """Close; `frames` ends."""
        await self._connection.close()

    async def _send(self, frame: list[object]) -> None:
        try:
            await self._connection.send(orjson.dumps(frame).decode())
        except ConnectionClosed:  # `frames` says so too
            return


class AuthBudget:
    """What RingCentral last said of the requests of its auth group: several connections must not ask at once."""

    def __init__(self) -> None:
        self._told: RateLimit | None = None
        self._told_at_s = 0.0
        self.turn = asyncio.Lock()

    def learn(self, limit: RateLimit) -> None:
        """Take note; called on whichever thread had the reply."""
        if limit.group == "auth":
            self._told, self._told_at_s = limit, time.monotonic()

    def wait_s(self) -> float:
        """How long to ask for nothing; 0: go on."""
        told = self._told
        if told is None or told.remaining != 0:
            return 0.0
        return max(0.0, self._told_at_s + max(told.window_ms, told.penalty_ms) / 1000 - time.monotonic())


class Gateway:
    """Opens sockets. `ping_ms` is both the time between pings and the longest wait for a pong."""

    def __init__(
        self, client: RingCentralClient, *, ping_ms: int, filters: Filters = session_filters,
        budget: AuthBudget | None = None,
    ) -> None:  # fmt: skip
        self._client = client
        self._ping_s = ping_ms / 1000
        self._filters = filters
        self._budget = budget or AuthBudget()

    def held_ms(self) -> int:
        """How long no subscription may be asked for: the penalty is the identity's, whatever way requests take."""
        return self._client.held_ms("POST", SUBSCRIPTION_PATH)

    def punished(self, retry_after_ms: int) -> None:
        """A subscription was refused with 429: nothing else of its group is sent meanwhile either."""
        self._client.punished(SUBSCRIPTION_GROUP, retry_after_ms)

    async def open(self, wsc: str) -> GatewaySocket:
        """A socket, recovering the connection of `wsc` unless that is "". Raises NotOpened."""
        async with self._budget.turn:
            await asyncio.sleep(self._budget.wait_s())
            try:
                token = await asyncio.to_thread(self._client.websocket_token)
            except RingCentralRefused as refusal:
                raise NotOpened(
                    f"token: {refusal.status} {refusal.error_code}", retry_after_ms=refusal.retry_after_ms
                ) from None
        query = {"access_token": str(token.get("ws_access_token", "")), **({"wsc": wsc} if wsc else {})}
        uri = str(token.get("uri", ""))
        address = f"{uri}{'&' if '?' in uri else '?'}{urlencode(query)}"
        try:
            connection = await connect(
                address, open_timeout=OPEN_TIMEOUT_S, close_timeout=CLOSE_TIMEOUT_S, ping_interval=self._ping_s,
                ping_timeout=self._ping_s, logger=_quiet,
            )  # fmt: skip
        except InvalidStatus as error:
            status = error.response.status_code
            raise NotOpened(f"handshake: {status}", refused=400 <= status < 500) from None
        except Exception as error:  # noqa: BLE001 - of whatever kind: its text may show the address
            raise NotOpened(f"socket: {type(error).__name__}") from None
        return GatewaySocket(connection, self._filters)
