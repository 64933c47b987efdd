"""Webhook subscriptions for the watched extensions: made, looked after, renewed, and made anew when they are gone.

They outlive the process. What an earlier one left behind for the same address is taken over, so that a restart neither
doubles the notifications nor uses up the thirty subscriptions that a user may have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from services.chassis.clock import Clock
from services.chassis.health import Health
from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.event_ingestor.adapters import metrics
from services.event_ingestor.adapters.filter_report import report_unserved, withdraw
from services.event_ingestor.domain.filters import session_filters
from services.event_ingestor.domain.shards import fewer, spread
from services.event_ingestor.domain.webhook import Hook, Step, next_step, read_hook

log = structlog.get_logger()
SUBSCRIPTIONS = "/restapi/v1.0/subscription"
RETRY_S = (5.0, 15.0, 30.0, 60.0)
UNREACHED = frozenset({"SUB-520", "SUB-521", "SUB-522", "SUB-523", "SUB-524", "SUB-525"})


class WebhookSubscriptions:
    """A subscription for each shard of the watched extensions; `run` ends by cancellation only."""

    def __init__(
        self, client: RingCentralClient, *, url: str, secret: str, lifetime_s: int, check_ms: int, most: int,
        on_gap: Callable[[], None], health: Health, clock: Clock,
    ) -> None:  # fmt: skip
        self._client = client
        self._url = url
        self._secret = secret
        self._lifetime_s = lifetime_s
        self._check_s = check_ms / 1000
        self._most = most
        self._on_gap = on_gap
        self._health = health
        self._clock = clock
        self._shards: dict[int, frozenset[str]] = {1: frozenset()}
        self._held: dict[int, Hook] = {}
        self._adopted = False
        self._live = False
        self._changed = asyncio.Event()
        health.waiting("webhook", "not subscribed yet")

    @property
    def watched(self) -> frozenset[str]:
        """The extensions that are to be watched."""
        return frozenset().union(*self._shards.values())

    @property
    def live(self) -> bool:
        """Whether every subscription stood when it was last looked at."""
        return self._live

    async def watch(self, extensions: frozenset[str]) -> None:
        """Watch these from now on."""
        self._shards = spread(self._shards, extensions, self._most)
        self._changed.set()

    async def run(self) -> None:
        """Look after the subscriptions."""
        failures = 0
        while True:
            self._changed.clear()
            wait_s = self._check_s
            try:
                await self._keep_all()
                failures = 0
            except RingCentralRefused as refusal:
                wait_s = max(RETRY_S[min(failures, len(RETRY_S) - 1)], refusal.retry_after_ms / 1000)
                failures += 1
                self._tell(refusal)
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def _keep_all(self) -> None:
        if not self.watched:
            self._live = False
            self._health.waiting("webhook", "no monitored extensions")
            if not self._held:
                return
        elif not self._adopted:
            await self._adopt()
        for number in [n for n in self._held if not self._shards.get(n)]:
            await self._ask(
                self._client.delete, f"{SUBSCRIPTIONS}/{self._held[number].subscription_id}", gone_well=True
            )
            del self._held[number]
            withdraw(self._health, number)
        for number, extensions in sorted(self._shards.items()):
            if extensions:
                await self._keep(number, extensions)
        if self.watched:
            self._live = True
            self._health.ready("webhook")

    async def _adopt(self) -> None:
        """Take over what was subscribed for our address before; what is suspended or too much is deleted."""
        listed = await self._ask(self._client.get, SUBSCRIPTIONS)
        now_ms, now = self._now_ms(), self._clock.now()
        found = [hook for record in listed.get("records") or () if (hook := read_hook(record, now_ms, now))]
        free = sorted(self._shards)
        for hook in found:
            if hook.address != self._url:
                continue
            if hook.active and free:
                self._held[free.pop(0)] = hook
            else:
                await self._ask(self._client.delete, f"{SUBSCRIPTIONS}/{hook.subscription_id}", gone_well=True)
        for number, hook in list(self._held.items()):
            if extensions := self._shards.get(number):
                await self._put(number, hook, extensions)  # whatever it covered: our secret is to come with it
                log.info("webhook_taken_over", number=number, extensions=len(extensions))
        self._adopted = True

    async def _keep(self, number: int, extensions: frozenset[str]) -> None:
        held = self._held.get(number)
        found = await self._read(held) if held is not None else None
        step = next_step(held, found, extensions, self._now_ms())
        if step in (Step.CREATE, Step.REMAKE):
            self._live = False
            if held is not None:
                log.warning("webhook_lost", suspended=found is not None)
                if found is not None:
                    await self._ask(
                        self._client.delete, f"{SUBSCRIPTIONS}/{held.subscription_id}", gone_well=True
                    )  # fmt: skip
                del self._held[number]
            await self._subscribed(number, extensions, await self._send(self._client.post, SUBSCRIPTIONS, extensions))
        elif held is not None and step is Step.REPLACE:
            await self._put(number, held, extensions)
        elif held is not None and step is Step.RENEW:
            renewed = await self._ask(self._client.post, f"{SUBSCRIPTIONS}/{held.subscription_id}/renew")
            self._note(number, extensions, renewed)
        if step is not Step.KEEP:
            metrics.RENEWALS.labels(step.value).inc()
            log.info("webhook_subscription", step=step.value, number=number, extensions=len(extensions))

    async def _put(self, number: int, held: Hook, extensions: frozenset[str]) -> None:
        path = f"{SUBSCRIPTIONS}/{held.subscription_id}"
        try:
            replaced = await self._send(self._client.put, path, extensions)
        except RingCentralRefused as refusal:
            if refusal.status == 404:
                del self._held[number]
            raise
        await self._subscribed(number, extensions, replaced)

    async def _subscribed(self, number: int, extensions: frozenset[str], reply: dict[str, Any]) -> None:
        self._note(number, extensions, reply)
        self._on_gap()

    def _note(self, number: int, extensions: frozenset[str], reply: dict[str, Any]) -> None:
        hook = read_hook(reply, self._now_ms(), self._clock.now(), wanted=extensions)
        if hook is not None:
            self._held[number] = hook
            report_unserved(self._health, number, hook.unserved)

    async def _read(self, held: Hook) -> Hook | None:
        try:
            body = await self._ask(self._client.get, f"{SUBSCRIPTIONS}/{held.subscription_id}")
        except RingCentralRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        return read_hook(body, self._now_ms(), self._clock.now())

    async def _send(self, verb: Callable[..., dict[str, Any]], path: str, extensions: frozenset[str]) -> dict[str, Any]:
        delivery = {"transportType": "WebHook", "address": self._url, "verificationToken": self._secret}
        body = {
            "eventFilters": session_filters(extensions), "deliveryMode": delivery, "expiresIn": self._lifetime_s
        }  # fmt: skip
        try:
            return await self._ask(verb, path, body)
        except RingCentralRefused as refusal:
            most = fewer(self._most, len(extensions), len(self.watched), refusal.status, refusal.error_code)
            if most < len(extensions):
                log.warning(
                    "subscription_takes_fewer_filters", most=most, setting="EVENT_INGESTOR_FILTERS_PER_SUBSCRIPTION"
                )  # fmt: skip
                self._most = most
                await self.watch(self.watched)
            raise

    async def _ask(
        self, verb: Callable[..., dict[str, Any]], path: str, body: dict[str, Any] | None = None, *,
        gone_well: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """Ask on a thread; `gone_well`: a 404 is as good as done."""
        try:
            return await asyncio.to_thread(verb, path, *(() if body is None else (body,)))
        except RingCentralRefused as refusal:
            if gone_well and refusal.status == 404:
                return {}
            raise

    def _tell(self, refusal: RingCentralRefused) -> None:
        self._live = False
        why = f"subscription refused: {refusal.status or 'no reply'} {refusal.error_code}".rstrip()
        if refusal.error_code in UNREACHED:
            why += ": RingCentral must reach EVENT_INGESTOR_WEBHOOK_URL over https and get its Validation-Token back"
        log.warning("webhook_refused", status=refusal.status, error_code=refusal.error_code)
        self._health.waiting("webhook", why)

    def _now_ms(self) -> int:
        return int(self._clock.monotonic_s() * 1000)
