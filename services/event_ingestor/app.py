"""Wiring: the roster loop, the detection of calls and the hydration, on one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, assert_never

import structlog

from services.chassis.errors import Fatal, Transient
from services.chassis.publisher import KafkaPublisher
from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.chassis.service import Service, run_async
from services.chassis.topic_admin import newest_record_at
from services.chassis.topic_view import TopicView
from services.contracts.topics import MONITORING_ROSTER, TELEPHONY_EVENTS
from services.event_ingestor.adapters import metrics
from services.event_ingestor.adapters.call_log import CallLog
from services.event_ingestor.adapters.detection import Detection
from services.event_ingestor.adapters.event_publisher import EventPublisher
from services.event_ingestor.adapters.gateway import AuthBudget, Gateway
from services.event_ingestor.adapters.hydration import SETTLE_S, Hydrator, unhurried
from services.event_ingestor.adapters.presence import PresenceReader
from services.event_ingestor.adapters.reconciliation import Reconciler
from services.event_ingestor.adapters.roster_source import RosterSource
from services.event_ingestor.adapters.roster_topic import StoredRoster, publish_roster
from services.event_ingestor.adapters.sessions import Sessions
from services.event_ingestor.adapters.subscription import Subscription
from services.event_ingestor.adapters.subscriptions import Subscriptions
from services.event_ingestor.adapters.webhook_server import WebhookServer
from services.event_ingestor.adapters.webhook_subscriptions import WebhookSubscriptions
from services.event_ingestor.config import EventIngestorSettings
from services.event_ingestor.domain.calls import KnownCalls
from services.event_ingestor.domain.connection_model import Refused
from services.event_ingestor.domain.dedupe import Seen
from services.event_ingestor.domain.filters import presence_filters, session_filters
from services.event_ingestor.domain.roster import Entry, diff, monitored

log = structlog.get_logger()
# Half of RingCentral's 40 medium requests a minute, so that others of the same identity have the rest.
MS_PER_MEDIUM_REQUEST = 3_000
ROSTER_RETRY_MS = 2_000


def main(service: Service[EventIngestorSettings]) -> None:
    """Run until stopped; raises Fatal."""
    run_async(service, lambda stop: _run(service, stop))


async def _run(service: Service[EventIngestorSettings], stop: asyncio.Event) -> None:
    settings, health, clock = service.settings, service.health, service.clock
    health.waiting("publisher", "the broker has not answered yet")
    health.waiting("rest", "the monitoring groups were not read yet")
    publisher = KafkaPublisher(
        settings, service=service.name, health=health, clock=clock, dead_letter_limit=settings.dead_letter_limit
    )
    budget = AuthBudget()
    client = RingCentralClient(settings, clock=clock, on_limits=budget.learn)
    calls = KnownCalls()
    events = EventPublisher(
        publisher, calls=calls, seen=Seen(settings.dedupe_limit), clock=clock, topic_prefix=settings.topic_prefix
    )
    hydrator = Hydrator(
        Sessions(client), events, calls, watched=lambda: subscription.watched, again_ms=settings.hydrate_again_ms,
        deaf=lambda: not subscription.live, poll_ms=settings.poll_ms, reconcile_ms=settings.reconcile_ms,
        age_guard_ms=settings.age_guard_ms, clock=clock,
        settle_s=0.0 if settings.mode == "presence" else SETTLE_S,  # presence brings no events that REST is ahead of
    )  # fmt: skip
    subscription: Detection
    further: list[Coroutine[Any, Any, None]] = []
    match settings.mode:
        case "webhook":
            subscription, served = _webhooks(service, client, events, hydrator)
            further.append(served.run())
        case "presence":
            presence = PresenceReader(
                events, calls, hydrator, seen=Seen(settings.dedupe_limit), clock=clock,
                watched=lambda: subscription.watched,
            )  # fmt: skip
            gateway = Gateway(client, ping_ms=settings.ping_ms, filters=presence_filters, budget=budget)
            subscription = _websockets(service, gateway, events, hydrator, presence.take)
            further.append(presence.run())
        case "websocket":
            gateway = Gateway(client, ping_ms=settings.ping_ms, filters=session_filters, budget=budget)
            subscription = _websockets(service, gateway, events, hydrator, events.notification)
        case _:
            assert_never(settings.mode)
    try:
        known = await _stored_roster(service, stop)
        health.ready("publisher")
        reconciler = Reconciler(
            CallLog(client), events, calls, clock, watched=lambda: subscription.watched,
            deaf=lambda: not subscription.live, since=await asyncio.to_thread(_last_event, service),
            every_ms=settings.call_log_ms, lookback_ms=settings.call_log_lookback_ms,
        )  # fmt: skip
        roster = _follow_roster(service, RosterSource(client, clock), publisher, subscription, known)
        work = (subscription.run(), hydrator.run(), reconciler.run(), *further)
        await _until_stopped(stop, roster, *work, _watch_publisher(publisher))
    finally:
        await asyncio.to_thread(client.close)
        flushed = await asyncio.to_thread(publisher.close)
        log.info("publisher_closed", flushed=flushed)


def _websockets(
    service: Service[EventIngestorSettings], gateway: Gateway, events: EventPublisher, hydrator: Hydrator,
    deliver: Callable[[bytes], None],
) -> Subscriptions:  # fmt: skip
    settings = service.settings

    def connection(number: int, on_refused: Callable[[Refused], None]) -> Subscription:
        return Subscription(
            gateway, events, on_gap=hydrator.request, health=service.health, clock=service.clock,
            heartbeat_ms=settings.heartbeat_ms, deliver=deliver, number=number, on_refused=on_refused,
        )  # fmt: skip

    return Subscriptions(connection, most=settings.filters_per_subscription)


def _webhooks(
    service: Service[EventIngestorSettings], client: RingCentralClient, events: EventPublisher, hydrator: Hydrator
) -> tuple[WebhookSubscriptions, WebhookServer]:
    settings = service.settings
    url, secret = settings.webhook_url, settings.webhook_verification_token.get_secret_value()
    server = WebhookServer(events, host=settings.webhook_host, port=settings.webhook_port, url=url, secret=secret)
    subscriptions = WebhookSubscriptions(
        client, url=url, secret=secret, lifetime_s=settings.webhook_lifetime_s, check_ms=settings.webhook_check_ms,
        most=settings.filters_per_subscription, on_gap=hydrator.request, health=service.health, clock=service.clock,
    )  # fmt: skip
    return subscriptions, server


async def _stored_roster(service: Service[EventIngestorSettings], stop: asyncio.Event) -> dict[str, Entry]:
    """What the topic holds, so that who left while we were away gets a tombstone."""
    stored = StoredRoster()
    view = TopicView(service.settings, topics=[MONITORING_ROSTER], on_record=stored.take, name="roster")
    view.start()
    try:
        while not view.caught_up.is_set() and not stop.is_set():
            if view.error is not None:
                raise Fatal(f"the roster's topic cannot be read: {type(view.error).__name__}")
            await asyncio.sleep(0.1)
    finally:
        await asyncio.to_thread(view.stop)
    return stored.entries


def _last_event(service: Service[EventIngestorSettings]) -> datetime:
    """When the newest event was published; now when there is none, or the broker cannot say. Blocking."""
    try:
        newest = newest_record_at(service.settings, TELEPHONY_EVENTS)
    except Transient as error:
        log.warning("last_event_unknown", reason=str(error))
        newest = None
    return newest or service.clock.now()


async def _follow_roster(
    service: Service[EventIngestorSettings], source: RosterSource, publisher: KafkaPublisher,
    subscription: Detection, known: dict[str, Entry],
) -> None:  # fmt: skip
    if monitored(known):  # calls go on while the groups are read again
        await subscription.watch(monitored(known))
    failures = 0
    while True:
        wait_ms = service.settings.roster_refresh_ms
        try:
            roster = await asyncio.to_thread(source.read)
        except RingCentralRefused as refusal:
            soon_ms = max(ROSTER_RETRY_MS * 2**failures, source.requests * MS_PER_MEDIUM_REQUEST)
            wait_ms = max(min(wait_ms, soon_ms), refusal.retry_after_ms)
            failures += 1
            log.warning("roster_not_read", status=refusal.status, error_code=refusal.error_code)
            service.health.waiting("rest", f"monitoring groups: {refusal.status or 'no reply'} {refusal.error_code}")
        else:
            failures = 0
            service.health.ready("rest")
            changed, left = diff(known, roster)
            if changed or left:
                log.info("roster_changed", changed=len(changed), left=len(left))
                await unhurried(publish_roster, publisher, changed, left, service.clock)
                known = roster
            watched = monitored(roster)
            metrics.MONITORED.set(len(watched))
            if watched != subscription.watched or not watched:
                await subscription.watch(watched)
            wait_ms = max(wait_ms, source.requests * MS_PER_MEDIUM_REQUEST)
        await asyncio.sleep(wait_ms / 1000)


async def _watch_publisher(publisher: KafkaPublisher) -> None:
    """A record that the broker never took would be a lost event: better stop, and hydrate after the restart."""
    while True:
        if publisher.failed:
            raise Fatal("the broker did not take a record")
        await asyncio.sleep(0.5)


async def _until_stopped(stop: asyncio.Event, *work: Coroutine[Any, Any, None]) -> None:
    """Run until `stop` is set or one of them fails, whose error is raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in work]
    stopping = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    finally:
        stopping.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
