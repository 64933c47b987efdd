"""Webhook delivery: the validation handshake, notifications, and blacklisting."""

from __future__ import annotations

from typing import Any

import httpx
import structlog

from services.ringcentral_sim.domain.errors import ApiError
from services.ringcentral_sim.domain.faults import Counters
from services.ringcentral_sim.domain.ports import Clock, WebhookPoster
from services.ringcentral_sim.domain.subscriptions import Subscription
from services.ringcentral_sim.tasks import Tasks

log = structlog.get_logger()
USER_AGENT = "RingCentral-Webhook/8.3"
MOST_REPLY_BYTES = 1024


class HttpxPoster:
    """`WebhookPoster` on httpx; no redirects, one connection pool."""

    def __init__(self, timeout_s: float) -> None:
        self._client = httpx.AsyncClient(timeout=timeout_s, trust_env=False)

    async def post(self, address: str, body: Any, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Status 0 for every transport failure."""
        try:
            if body is None:
                reply = await self._client.post(address, headers=headers)
            else:
                reply = await self._client.post(address, json=body, headers=headers)
        except httpx.HTTPError as error:
            log.info("webhook_unreachable", error=type(error).__name__)
            return 0, {}
        return reply.status_code, {key.lower(): value for key, value in reply.headers.items()}

    async def close(self) -> None:
        """Close the pool."""
        await self._client.aclose()


class Webhooks:
    """A `Delivery` by HTTP POST; `validate` is the handshake at create and address change."""

    def __init__(
        self,
        *,
        poster: WebhookPoster,
        clock: Clock,
        tasks: Tasks,
        counters: Counters,
        blacklist_after_s: float,
        allow_http: bool,
        token_header: str = "Verification-Token",
    ) -> None:
        self._token_header = token_header
        self._poster = poster
        self._clock = clock
        self._tasks = tasks
        self._counters = counters
        self._blacklist_after_s = blacklist_after_s
        self._allow_http = allow_http

    async def validate(self, address: str, token: str) -> None:
        """SUB-523 plain HTTP, SUB-521 unreachable, SUB-525 not 200 or too long, SUB-520 token not returned."""
        allowed = ("https://", "http://") if self._allow_http else ("https://",)
        if not address.startswith(allowed):
            raise ApiError(400, "SUB-523", "HTTPS is required for the webhook address", "address", address)
        headers = {"Validation-Token": token, "User-Agent": USER_AGENT, "Content-Type": "application/json"}
        status, replied = await self._poster.post(address, None, headers)
        if status == 0:
            raise ApiError(400, "SUB-521", "Webhook address is not reachable", "address", address)
        if status != 200 or int(replied.get("content-length", 0)) > MOST_REPLY_BYTES:
            raise ApiError(400, "SUB-525", "Webhook replied with an invalid response", "address", address)
        if replied.get("validation-token") != token:
            raise ApiError(400, "SUB-520", "Webhook did not return the validation token", "address", address)

    async def close(self) -> None:
        """Release the poster's connections."""
        await self._poster.close()

    def deliver(self, subscription: Subscription, message: dict[str, Any]) -> None:
        """POST in the background."""
        self._tasks.spawn(self._post(subscription, message), "webhook")

    async def _post(self, subscription: Subscription, message: dict[str, Any]) -> None:
        headers = {"User-Agent": USER_AGENT, "Content-Type": "application/json"}
        if subscription.verification_token:
            headers[self._token_header] = subscription.verification_token
        status, _ = await self._poster.post(subscription.address, message, headers)
        if 200 <= status < 300:
            subscription.failing_since = None
            return
        self._counters.webhook_failures += 1
        now = self._clock.monotonic()
        if subscription.failing_since is None:
            subscription.failing_since = now
        if now - subscription.failing_since >= self._blacklist_after_s and subscription.status == "Active":
            subscription.blacklist(self._clock.now())
            log.warning("webhook_blacklisted", subscription_id=subscription.id)
