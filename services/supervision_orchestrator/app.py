"""Wires the orchestrator: Faust agents on three topics of one partitioning, a table of calls, RingCentral beside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import faust
import structlog

from services.chassis.call_stream import Outage, add_agent, co_partitions, origin_of, stopped, until_done
from services.chassis.clock import Clock
from services.chassis.errors import Backpressure, Fatal, Poison, SettingError, Transient
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
from services.chassis.service import Service, run_async
from services.chassis.topic_view import TopicView
from services.contracts import topics
from services.supervision_orchestrator.adapters.desk import Desk
from services.supervision_orchestrator.adapters.floor_view import FOLLOWED, FloorView
from services.supervision_orchestrator.adapters.incoming import READERS
from services.supervision_orchestrator.adapters.ledger import Ledger
from services.supervision_orchestrator.adapters.requests import DaemonThreads, Requests
from services.supervision_orchestrator.adapters.ringcentral_api import RingCentralSuperviseApi
from services.supervision_orchestrator.config import OrchestratorSettings
from services.supervision_orchestrator.domain.budgets import Budgets
from services.supervision_orchestrator.domain.floor import Supervisor
from services.supervision_orchestrator.domain.ports import Refused, SuperviseApi

log = structlog.get_logger()
SOURCES = (topics.TELEPHONY_EVENTS, topics.SUPERVISION_INBOX, topics.MEDIA_LEGS)
STOP_GRACE_S = 1.0


def main(service: Service[OrchestratorSettings], api: SuperviseApi | None = None) -> None:
    """Run until stopped. `api` stands in for RingCentral in tests."""
    settings = service.settings
    if api is not None:
        pool = [_Member(api)]
    else:
        pool = [_member(service, identity) for identity in settings.supervisor_identities()]
    if len(pool) == 1:
        pool[0].extension_id = settings.supervisor_extension_id
    run_async(service, partial(_run, service, pool))


@dataclass(slots=True)
class _Member:
    """One supervisor identity; `extension_id` is empty until it is known."""

    api: SuperviseApi
    device_ids: tuple[str, ...] = ()
    extension_id: str = ""
    on_limits: Callable[[str, RateLimit], object] | None = None

    def hear(self, told: RateLimit) -> None:
        """On a worker thread."""
        if self.on_limits is not None and self.extension_id:
            self.on_limits(self.extension_id, told)


def _member(service: Service[OrchestratorSettings], identity: SupervisorIdentity) -> _Member:
    client = RingCentralClient(
        service.settings, clock=service.clock, jwt=identity.jwt, on_limits=lambda told: member.hear(told)
    )
    member = _Member(RingCentralSuperviseApi(client), identity.device_ids)
    return member


async def _run(service: Service[OrchestratorSettings], pool: list[_Member], stop: asyncio.Event) -> None:
    settings, health = service.settings, service.health
    health.waiting("calls", "starting")
    threads = DaemonThreads(settings.request_threads)
    partitions = await until_done(stop, lambda: threads.run(partial(co_partitions, settings, SOURCES)))
    if partitions is None:
        return
    met = await asyncio.gather(*(_introduced(member, stop, threads, alone=len(pool) == 1) for member in pool))
    known = [member for member, is_known in zip(pool, met, strict=True) if is_known]
    if stop.is_set():
        return
    if not known:
        raise Fatal("RINGCENTRAL_JWTS: RingCentral refuses every identity of the pool")
    apis = {member.extension_id: member.api for member in known}
    if len(apis) < len(known):
        raise SettingError("RINGCENTRAL_JWTS: two identities belong to the same extension")
    log.info("supervisors_known", extension_ids=sorted(apis), partitions=partitions)
    publisher = KafkaPublisher(
        settings, service=service.name, health=health, clock=service.clock,
        dead_letter_limit=settings.dead_letter_limit,
    )  # fmt: skip
    await _serve(service, known, stop, threads, publisher, partitions)
    publisher.close(timeout_s=STOP_GRACE_S)


async def _serve(
    service: Service[OrchestratorSettings], pool: Sequence[_Member], stop: asyncio.Event, threads: DaemonThreads,
    publisher: KafkaPublisher, partitions: int,
) -> None:  # fmt: skip
    settings = service.settings
    supervisors = tuple(Supervisor(extension_id=m.extension_id, device_ids=m.device_ids) for m in pool)
    floor = FloorView(supervisors, settings.policy(), settings.rules())
    ledger = Ledger(Budgets(settings.limits()))
    _learn_limits(pool, ledger, service.clock)
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
        apis = {member.extension_id: member.api for member in pool}
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


def _learn_limits(pool: Sequence[_Member], ledger: Ledger, clock: Clock) -> None:
    """What replies say of rate limits reaches the ledger on the loop, before the replies themselves do."""
    loop = asyncio.get_running_loop()

    def hear(extension_id: str, told: RateLimit) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the service ends
            loop.call_soon_threadsafe(ledger.learn, extension_id, told, clock.now())

    for member in pool:
        member.on_limits = hear


async def _introduced(member: _Member, stop: asyncio.Event, threads: DaemonThreads, *, alone: bool) -> bool:
    """Whether the identity's extension is known; one refused for good is left out, unless it is the only one."""
    try:
        if not member.extension_id:
            member.extension_id = await until_done(stop, lambda: threads.run(partial(_own_extension, member.api))) or ""
    except Fatal as fatal:
        if alone:
            raise
        log.error("supervisor_left_out", reason=str(fatal))
    return bool(member.extension_id)


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


def _own_extension(api: SuperviseApi) -> str:
    try:
        return api.own_extension_id()
    except Refused as refused:
        if not refused.retryable or refused.error_code.startswith("invalid_"):
            raise Fatal(f"RingCentral refuses to say whose credentials these are: {refused}") from None
        raise Transient(str(refused), retry_after_ms=refused.retry_after_ms) from None
