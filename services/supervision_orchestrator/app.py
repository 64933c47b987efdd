"""Wires the orchestrator: Faust agents on three topics of one partitioning, a table of calls, RingCentral beside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import faust
import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from services.chassis.errors import Backpressure, Fatal, Poison, SettingError, Transient
from services.chassis.faust_app import (
    FaustAppCrashedError,
    SourceRecord,
    create_app,
    create_changelog,
    raw_table,
    raw_topic,
    run_app,
    source_record,
)
from services.chassis.publisher import KafkaPublisher, Origin
from services.chassis.ringcentral import RingCentralClient
from services.chassis.service import Service, run_async
from services.chassis.topic_view import TopicView
from services.contracts import topics
from services.supervision_orchestrator.adapters.desk import Desk
from services.supervision_orchestrator.adapters.floor_view import FOLLOWED, FloorView
from services.supervision_orchestrator.adapters.incoming import READERS
from services.supervision_orchestrator.adapters.requests import DaemonThreads, Requests
from services.supervision_orchestrator.adapters.ringcentral_api import RingCentralSuperviseApi
from services.supervision_orchestrator.config import OrchestratorSettings
from services.supervision_orchestrator.domain.ports import Refused, SuperviseApi

log = structlog.get_logger()
SOURCES = (topics.TELEPHONY_EVENTS, topics.SUPERVISION_INBOX, topics.MEDIA_LEGS)
TIMER_RESOLUTION_S = 0.05
STOP_GRACE_S = 1.0
METADATA_TIMEOUT_S = 10.0
ResultT = TypeVar("ResultT")


def main(service: Service[OrchestratorSettings], api: SuperviseApi | None = None) -> None:
    """Run until stopped. `api` stands in for RingCentral in tests."""
    if api is None:
        api = RingCentralSuperviseApi(RingCentralClient(service.settings, clock=service.clock))
    run_async(service, partial(_run, service, api))


async def _run(service: Service[OrchestratorSettings], api: SuperviseApi, stop: asyncio.Event) -> None:
    settings, health = service.settings, service.health
    health.waiting("calls", "starting")
    threads = DaemonThreads(settings.request_threads)
    partitions = await _until(stop, lambda: threads.run(partial(_partitions, settings)))
    supervisor = settings.supervisor_extension_id
    if not supervisor and partitions is not None:
        supervisor = await _until(stop, lambda: threads.run(partial(_own_extension, api))) or ""
    if partitions is None or not supervisor:
        return
    log.info("supervisor_known", extension_id=supervisor, partitions=partitions)
    publisher = KafkaPublisher(
        settings, service=service.name, health=health, clock=service.clock,
        dead_letter_limit=settings.dead_letter_limit,
    )  # fmt: skip
    await _serve(service, api, stop, threads, publisher, supervisor, partitions)
    publisher.close(timeout_s=STOP_GRACE_S)


async def _serve(
    service: Service[OrchestratorSettings], api: SuperviseApi, stop: asyncio.Event, threads: DaemonThreads,
    publisher: KafkaPublisher, supervisor: str, partitions: int,
) -> None:  # fmt: skip
    settings = service.settings
    loop = asyncio.get_running_loop()
    device_changed = asyncio.Event()
    floor = FloorView(supervisor, settings.policy(), lambda: loop.call_soon_threadsafe(device_changed.set))
    view = TopicView(settings, topics=FOLLOWED, on_record=floor.take, publisher=publisher, name="floor")
    view.start()
    try:
        while not view.caught_up.is_set() and view.error is None:
            if await _stopped(stop, 0.05):
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
        requests = Requests(api, publisher, service.clock, saved=partial(_saved, app), threads=threads)
        desk = Desk(rows, publisher, service.clock, floor=floor.floor, start_requests=requests.start)
        outage = _Outage(stop)
        for topic in SOURCES:
            _add_agent(app, settings.topic_prefix + topic.name, topic.name, desk, publisher, threads, outage)

        @app.on_rebalance_complete.connect
        async def rebuilt(*_: object, **__: object) -> None:
            log.info("rows_ready", rows=desk.rebuild())
            service.health.ready("calls")

        beside = [
            asyncio.create_task(_timers(desk, outage), name="timers"),
            asyncio.create_task(_devices(desk, device_changed), name="devices"),
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


class _Outage:
    """The first error that ends the service; it sets the stop, and whoever found it stands still."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self.error: BaseException | None = None

    def declare(self, error: BaseException) -> None:
        self.error = self.error or error
        self._stop.set()


def _add_agent(
    app: faust.App, full_name: str, name: str, desk: Desk, publisher: KafkaPublisher, threads: DaemonThreads,
    outage: _Outage,
) -> None:  # fmt: skip
    async def on_records(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            try:
                await _take(source_record(event), name, desk, publisher, threads)
            except Exception as error:
                log.exception("record_not_taken", topic=full_name)
                outage.declare(error)
                await asyncio.Event().wait()  # this record stays uncommitted; the next start reads it again

    app.agent(raw_topic(app, full_name), name=f"on_{name.replace('.', '_')}")(on_records)


async def _take(record: SourceRecord, name: str, desk: Desk, publisher: KafkaPublisher, threads: DaemonThreads) -> None:
    try:
        inputs = READERS[name](record.key.decode(errors="replace"), record.value)
    except Poison as poison:
        publisher.dead_letter(_origin(record), poison)
        return
    while True:
        try:
            ended = desk.take(record.key.decode(), inputs)
            break
        except Backpressure:
            await asyncio.sleep(0.1)
    if ended:  # an account must not get lost: it is acknowledged before its cause can be committed
        await threads.run(partial(publisher.flush, 10.0))


def _origin(record: SourceRecord) -> Origin:
    return Origin(
        topic=record.topic, partition=record.partition, offset=record.offset, key=record.key, value=record.value,
        headers=record.headers,
    )  # fmt: skip


async def _saved(app: faust.App) -> None:
    """The rows stored so far are acknowledged by the broker."""
    await app.producer.flush()


async def _timers(desk: Desk, outage: _Outage) -> None:
    while True:
        try:
            desk.publish_due_timers()
        except Backpressure as error:
            outage.declare(error)
        await asyncio.sleep(TIMER_RESOLUTION_S)


async def _devices(desk: Desk, changed: asyncio.Event) -> None:
    while True:
        await changed.wait()
        changed.clear()
        desk.device_changed()
        await asyncio.sleep(TIMER_RESOLUTION_S)


async def _watch(view: TopicView, publisher: KafkaPublisher, outage: _Outage) -> None:
    while True:
        if view.error is not None:
            outage.declare(view.error)
        if publisher.failed:
            outage.declare(Fatal("the broker never acknowledged a record"))
        await asyncio.sleep(0.5)


def _partitions(settings: OrchestratorSettings) -> int:
    """How the source topics are partitioned: alike, else a call's records would meet different rows."""
    client = AdminClient(settings.kafka_options())
    try:
        known = client.list_topics(timeout=METADATA_TIMEOUT_S).topics
    except KafkaException as error:
        raise Transient(f"no broker answers ({error.args[0].name()})") from None
    counts = {topic.name: len(known[name].partitions) if (name := settings.topic_prefix + topic.name) in known else 0
              for topic in SOURCES}  # fmt: skip
    missing = sorted(name for name, count in counts.items() if not count)
    if missing:
        raise Transient(f"topics are missing: {', '.join(missing)}")
    if len(set(counts.values())) != 1:
        raise SettingError(f"EARSHOT_TOPIC_PREFIX: topics must have equally many partitions, found {counts}")
    return next(iter(counts.values()))


def _own_extension(api: SuperviseApi) -> str:
    try:
        return api.own_extension_id()
    except Refused as refused:
        if not refused.retryable:
            raise Fatal(f"RingCentral refuses to say whose credentials these are: {refused}") from None
        raise Transient(str(refused), retry_after_ms=refused.retry_after_ms) from None


async def _until(stop: asyncio.Event, attempt: Callable[[], Awaitable[ResultT]]) -> ResultT | None:
    """The first success, with growing waits between; None when the service is to stop before."""
    wait_s = 0.5
    while not stop.is_set():
        try:
            return await attempt()
        except Transient as error:
            log.info("start_waiting", reason=str(error))
            if await _stopped(stop, max(wait_s, error.retry_after_ms / 1000)):
                break
            wait_s = min(wait_s * 2, 15.0)
    return None


async def _stopped(stop: asyncio.Event, within_s: float) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), within_s)
    return stop.is_set()
