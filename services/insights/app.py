"""Wires insights: Faust agents on five topics of one partitioning, a table of calls, the knowledge base."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

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
from services.chassis.service import Service, run_async
from services.contracts import topics
from services.insights.adapters.desk import Desk
from services.insights.adapters.files import PACKAGED_RULES, SAMPLE_KNOWLEDGE, load_passages, load_rules
from services.insights.adapters.incoming import READERS
from services.insights.adapters.lexicon import VaderScorer
from services.insights.config import InsightsSettings
from services.insights.domain.decide import Knowledge
from services.insights.domain.retrieval import Bm25Index

log = structlog.get_logger()
SOURCES = (
    topics.TRANSCRIPTS_FINAL, topics.TRANSCRIPTS_LEGS, topics.CALLS_LIFECYCLE, topics.ASSIST_FEEDBACK,
    topics.INSIGHTS_TIMERS,
)  # fmt: skip
TIMER_RESOLUTION_S = 0.25
STOP_GRACE_S = 1.0
METADATA_TIMEOUT_S = 10.0


def main(service: Service[InsightsSettings]) -> None:
    """Run until stopped."""
    knowledge = read_knowledge(service.settings)
    run_async(service, partial(_run, service, knowledge))


def read_knowledge(settings: InsightsSettings) -> Knowledge:
    """The knowledge base, the rules and the lexicon. Raises SettingError for what cannot be read."""
    index = Bm25Index(load_passages(settings.knowledge_dir or SAMPLE_KNOWLEDGE))
    rules = load_rules(settings.rules_file or PACKAGED_RULES)
    log.info("knowledge_read", passages=len(index), rules=len(rules))
    return Knowledge(retriever=index, scorer=VaderScorer(), rules=rules, policy=settings.policy())


async def _run(service: Service[InsightsSettings], knowledge: Knowledge, stop: asyncio.Event) -> None:
    settings, health = service.settings, service.health
    health.waiting("calls", "starting")
    partitions = await _until(stop, partial(_partitions, settings))
    if partitions is None:
        return
    publisher = KafkaPublisher(
        settings, service=service.name, health=health, clock=service.clock,
        dead_letter_limit=settings.dead_letter_limit,
    )  # fmt: skip
    try:
        await _serve(service, knowledge, stop, publisher, partitions)
    finally:
        publisher.close(timeout_s=STOP_GRACE_S)


async def _serve(
    service: Service[InsightsSettings], knowledge: Knowledge, stop: asyncio.Event, publisher: KafkaPublisher,
    partitions: int,
) -> None:  # fmt: skip
    settings = service.settings
    app_id, table = settings.topic_prefix + settings.app_id, "calls"
    await asyncio.to_thread(
        create_changelog, settings, app_id=app_id, table=table, partitions=partitions,
        replication_factor=1 if settings.kafka_embedded else settings.changelog_replication,
    )  # fmt: skip
    app = create_app(
        settings,
        app_id=app_id,
        data_dir=settings.data_dir,
        partitions=partitions,
        embedded=settings.kafka_embedded,
        replication_factor=settings.changelog_replication,
        instance_id=settings.group_instance_id or None,
    )
    outage = _Outage(stop)
    desk = Desk(raw_table(app, table, partitions=partitions), publisher, service.clock, knowledge)
    for topic in SOURCES:
        _add_agent(app, settings.topic_prefix + topic.name, topic.name, desk, publisher, outage)

    @app.on_rebalance_complete.connect
    async def rebuilt(*_: object, **__: object) -> None:
        log.info("rows_ready", rows=desk.rebuild())
        service.health.ready("calls")

    beside = [
        asyncio.create_task(_ask_for_due(desk), name="timers"),
        asyncio.create_task(_watch(publisher, outage), name="watch"),
    ]
    try:
        await run_app(app, stop)
    except FaustAppCrashedError as crashed:
        raise Fatal(f"the stream ended by itself ({type(crashed.__cause__).__name__})") from crashed
    finally:
        for task in beside:
            task.cancel()
    if outage.error is not None:
        raise Fatal(f"cannot go on: {type(outage.error).__name__}: {outage.error}") from outage.error


class _Outage:
    """The first error that ends the service; it sets the stop, and whoever found it stands still."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self.error: BaseException | None = None

    def declare(self, error: BaseException) -> None:
        self.error = self.error or error
        self._stop.set()


def _add_agent(
    app: faust.App, full_name: str, name: str, desk: Desk, publisher: KafkaPublisher, outage: _Outage
) -> None:
    async def on_records(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            try:
                await _take(source_record(event), name, desk, publisher)
            except Exception as error:
                log.exception("record_not_taken", topic=full_name)
                outage.declare(error)
                await asyncio.Event().wait()  # this record stays uncommitted; the next start reads it again

    app.agent(raw_topic(app, full_name), name=f"on_{name.replace('.', '_')}")(on_records)


async def _take(record: SourceRecord, name: str, desk: Desk, publisher: KafkaPublisher) -> None:
    try:
        call_id, event = READERS[name](record.value)
        if record.key != call_id.encode():
            raise Poison("key_mismatch", "the key is not the record's call_id")
    except Poison as poison:
        publisher.dead_letter(_origin(record), poison)
        return
    if event is not None:
        await desk.take(call_id, event)


def _origin(record: SourceRecord) -> Origin:
    return Origin(
        topic=record.topic, partition=record.partition, offset=record.offset, key=record.key, value=record.value,
        headers=record.headers,
    )  # fmt: skip


async def _ask_for_due(desk: Desk) -> None:
    while True:
        with contextlib.suppress(Backpressure):  # those that did not go out are due again at the next look
            desk.ask_for_due()
        await asyncio.sleep(TIMER_RESOLUTION_S)


async def _watch(publisher: KafkaPublisher, outage: _Outage) -> None:
    while True:
        if publisher.failed:
            outage.declare(Fatal("the broker never acknowledged a record"))
        await asyncio.sleep(0.5)


def _partitions(settings: InsightsSettings) -> int:
    """How the source topics are partitioned: alike, else a call's records would meet different rows."""
    client = AdminClient(settings.kafka_options())
    try:
        known = client.list_topics(timeout=METADATA_TIMEOUT_S).topics
    except KafkaException as error:
        raise Transient(f"no broker answers ({error.args[0].name()})") from None
    names = [settings.topic_prefix + topic.name for topic in SOURCES]
    counts = {name: len(known[name].partitions) if name in known else 0 for name in names}
    missing = sorted(name for name, count in counts.items() if not count)
    if missing:
        raise Transient(f"topics are missing: {', '.join(missing)}")
    if len(set(counts.values())) != 1:
        raise SettingError(f"EARSHOT_TOPIC_PREFIX: topics must have equally many partitions, found {counts}")
    return next(iter(counts.values()))


async def _until(stop: asyncio.Event, attempt: Callable[[], int]) -> int | None:
    """The first success of a blocking attempt, with growing waits; None when the service is to stop before."""
    wait_s = 0.5
    while not stop.is_set():
        try:
            return await asyncio.to_thread(attempt)
        except Transient as error:
            log.info("start_waiting", reason=str(error))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)
        wait_s = min(wait_s * 2, 15.0)
    return None
