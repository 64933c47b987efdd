"""Wires the orchestrator: Faust agents on three topics of one partitioning, a table of calls, RingCentral beside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial

import faust
import structlog

from services.chassis.call_stream import Outage, add_agent, co_partitions, origin_of, until_done
from services.chassis.clock import Clock
from services.chassis.errors import Backpressure, Fatal, Poison, SettingError
from services.chassis.faust_app import (
    FaustAppCrashedError,
    SourceRecord,
    create_app,
    create_changelog,
    raw_table,
    run_app,
)
from services.chassis.identities import SupervisorIdentity
from services.chassis.publisher import KafkaPublisher
from services.chassis.ringcentral import RateLimit, RingCentralClient
from services.chassis.service import Service, run_async, stopped
from services.chassis.topic_view import TopicView
from services.contracts import topics
from services.supervision_orchestrator.adapters.desk import Desk
from services.supervision_orchestrator.adapters.floor_view import FOLLOWED, FloorView
from services.supervision_orchestrator.adapters.incoming import READERS
from services.supervision_orchestrator.adapters.ledger import Ledger
from services.supervision_orchestrator.adapters.pool import Member, Pool
from services.supervision_orchestrator.adapters.requests import DaemonThreads, Requests
from services.supervision_orchestrator.adapters.ringcentral_api import RingCentralSuperviseApi
from services.supervision_orchestrator.config import OrchestratorSettings
from services.supervision_orchestrator.domain.budgets import Budgets
from services.supervision_orchestrator.domain.floor import Supervisor
from services.supervision_orchestrator.domain.ports import SuperviseApi

log = structlog.get_logger()
SOURCES = (topics.TELEPHONY_EVENTS, topics.SUPERVISION_INBOX, topics.MEDIA_LEGS)
STOP_GRACE_S = 1.0


def main(service: Service[OrchestratorSettings], api: SuperviseApi | None = None) -> None:
    """Run until stopped. `api` stands in for RingCentral in tests."""
    settings = service.settings
    if api is not None:
        members = [Member(api)]
    else:
        members = [_member(service, identity) for identity in settings.supervisor_identities()]
    if len(members) == 1:
        members[0].extension_id = settings.supervisor_extension_id
    run_async(service, partial(_run, service, members))


def _member(service: Service[OrchestratorSettings], identity: SupervisorIdentity) -> Member:
    client = RingCentralClient(
        service.settings, clock=service.clock, jwt=identity.jwt, on_limits=lambda told: member.hear(told)
    )
    member = Member(RingCentralSuperviseApi(client), identity.device_ids)
    return member


async def _run(service: Service[OrchestratorSettings], members: list[Member], stop: asyncio.Event) -> None:
    settings, health = service.settings, service.health
    health.waiting("calls", "starting")
    threads = DaemonThreads(settings.request_threads)
    partitions = await until_done(stop, lambda: threads.run(partial(co_partitions, settings, SOURCES)))
    if partitions is None:
        return
    pool = Pool(members, threads, stop)
    await pool.introduce()
    if stop.is_set():
        return
    publisher = KafkaPublisher(
        settings, service=service.name, health=health, clock=service.clock,
        dead_letter_limit=settings.dead_letter_limit,
    )  # fmt: skip
    try:
        await _serve(service, pool, stop, threads, publisher, partitions)
    finally:
        pool.close()
    publisher.close(timeout_s=STOP_GRACE_S)


async def _serve(
    service: Service[OrchestratorSettings], pool: Pool, stop: asyncio.Event, threads: DaemonThreads,
    publisher: KafkaPublisher, partitions: int,
) -> None:  # fmt: skip
    settings = service.settings
    floor, apis = FloorView(settings.policy(), settings.rules()), dict[str, SuperviseApi]()

    def join(member: Member) -> None:
        apis[member.extension_id] = member.api
        floor.join(Supervisor(extension_id=member.extension_id, device_ids=member.device_ids))

    for member in pool.known:
        join(member)
    ledger = Ledger(Budgets(settings.limits()))
    _learn_limits(pool.members, ledger, service.clock)
    view = TopicView(settings, topics=FOLLOWED, on_record=floor.take, publisher=publisher, name="floor")
    view.start()
    try:
        while not view.caught_up.is_set() and view.error is None:
            if await stopped(stop, 0.05):
                return
        app_id, table = settings.topic_prefix + settings.app_id, "calls"
        await threads.run(
            partial(
                create_changelog, settings, app_id=app_id, table=table, partitions=partitions,
                replication_factor=settings.changelog_replication,
            )
        )  # fmt: skip
        app = create_app(
            settings,
            app_id=app_id,
            data_dir=settings.data_dir,
            partitions=partitions,
            embedded=False,
            replication_factor=settings.changelog_replication,
            instance_id=settings.group_instance_id,
        )
        rows = raw_table(app, table, partitions=partitions)
        requests = Requests(apis, publisher, service.clock, saved=partial(_saved, app), threads=threads)
        desk = Desk(rows, publisher, service.clock, floor=floor.floor, start_requests=requests.start, ledger=ledger)
        outage = Outage(stop)
        for topic in SOURCES:
            take = partial(_take, name=topic.name, desk=desk, publisher=publisher, threads=threads)
            add_agent(app, settings.topic_prefix + topic.name, topic.name, take, outage)

        @app.on_rebalance_complete.connect
        async def rebuilt(*_: object, **__: object) -> None:
            log.info("rows_ready", rows=desk.rebuild())
            service.health.ready("calls")

        beside = [
            asyncio.create_task(_timers(desk, outage, settings.timer_resolution_ms / 1000), name="timers"),
            asyncio.create_task(_watch(view, publisher, outage), name="watch"),
            asyncio.create_task(_late(pool, join, outage), name="late"),
        ]
        try:
            await run_app(app, stop)
        except FaustAppCrashedError as crashed:
            raise Fatal(f"the stream ended by itself ({type(crashed.__cause__).__name__})") from crashed
        finally:
            for task in beside:
                task.cancel()
            await requests.stop(STOP_GRACE_S)
        if outage.error is not None:
            raise Fatal(f"cannot go on: {type(outage.error).__name__}: {outage.error}") from outage.error
    finally:
        view.stop()


async def _take(
    record: SourceRecord, *, name: str, desk: Desk, publisher: KafkaPublisher, threads: DaemonThreads
) -> None:
    try:
        inputs = READERS[name](record.key.decode(errors="replace"), record.value)
    except Poison as poison:
        publisher.dead_letter(origin_of(record), poison)
        return
    while True:
        try:
            ended = desk.take(record.key.decode(), inputs)
            break
        except Backpressure:
            await asyncio.sleep(0.1)
    if ended:  # an account must not get lost: it is acknowledged before its cause can be committed
        await threads.run(partial(publisher.flush, 10.0))


async def _saved(app: faust.App) -> None:
    """The rows stored so far are acknowledged by the broker."""
    await app.producer.flush()


def _learn_limits(pool: Sequence[Member], ledger: Ledger, clock: Clock) -> None:
    """What replies say of rate limits reaches the ledger on the loop, before the replies themselves do."""
    loop = asyncio.get_running_loop()

    def hear(extension_id: str, told: RateLimit) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the service ends
            loop.call_soon_threadsafe(ledger.learn, extension_id, told, clock.now())

    for member in pool:
        member.on_limits = hear


async def _late(pool: Pool, join: Callable[[Member], object], outage: Outage) -> None:
    try:
        await pool.join(join)
    except SettingError as error:
        outage.declare(error)


async def _timers(desk: Desk, outage: Outage, resolution_s: float) -> None:
    while True:
        try:
            desk.publish_due_timers()
            desk.wake()
        except Backpressure as error:
            outage.declare(error)
        await asyncio.sleep(resolution_s)


async def _watch(view: TopicView, publisher: KafkaPublisher, outage: Outage) -> None:
    while True:
        if view.error is not None:
            outage.declare(view.error)
        if publisher.failed:
            outage.declare(Fatal("the broker never acknowledged a record"))
        await asyncio.sleep(0.5)
