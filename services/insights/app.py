"""Wires insights: Faust agents on five topics of one partitioning, a table of calls, the knowledge base."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import structlog

from services.chassis.call_stream import Outage, add_agent, co_partitions, origin_of, until_done
from services.chassis.errors import Backpressure, Fatal, Poison
from services.chassis.faust_app import (
    FaustAppCrashedError,
    SourceRecord,
    create_app,
    create_changelog,
    raw_table,
    run_app,
)
from services.chassis.publisher import KafkaPublisher
from services.chassis.service import Service, run_async
from services.chassis.topic_view import TopicView
from services.contracts import topics
from services.insights.adapters.desk import Desk
from services.insights.adapters.encoder import MiniLmEncoder
from services.insights.adapters.gone_out import read_gone_out
from services.insights.adapters.groups import RosterGroups
from services.insights.adapters.incoming import READERS
from services.insights.adapters.language_model import LanguageModel
from services.insights.adapters.lexicon import VaderScorer
from services.insights.adapters.reload import Files, follow
from services.insights.config import InsightsSettings
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.retrieval import HybridIndex

log = structlog.get_logger()
SOURCES = (
    topics.TRANSCRIPTS_FINAL, topics.TRANSCRIPTS_LEGS, topics.CALLS_LIFECYCLE, topics.ASSIST_FEEDBACK,
    topics.INSIGHTS_TIMERS,
)  # fmt: skip
TIMER_RESOLUTION_S = 0.25
FETCH_WAIT_MS = 10
"""Suggestions are for now: a tenth of what other services wait for at the broker."""
STOP_GRACE_S = 1.0


def main(service: Service[InsightsSettings]) -> None:
    """Run until stopped. Raises SettingError for articles, rules or weights that cannot be read."""
    settings = service.settings
    files = Files(
        knowledge_dir=settings.knowledge_dir, knowledge_url=settings.knowledge_url, rules_file=settings.rules_file,
        embedder=MiniLmEncoder(settings.data_dir),
    )  # fmt: skip
    groups = RosterGroups()

    def knowledge(index: HybridIndex) -> Knowledge:
        return Knowledge(retriever=index, scorer=VaderScorer(), groups=groups, policy=settings.policy())

    read = files.read(knowledge)
    view = groups.follow(settings)
    view.start()
    try:
        run_async(service, partial(_run, service, read, files, view))
    finally:
        view.stop()


async def _run(
    service: Service[InsightsSettings], knowledge: Knowledge, files: Files, view: TopicView, stop: asyncio.Event
) -> None:
    settings, health = service.settings, service.health
    health.waiting("calls", "starting")
    partitions = await until_done(stop, partial(asyncio.to_thread, co_partitions, settings, SOURCES))
    if partitions is None:
        return
    publisher = KafkaPublisher(
        settings, service=service.name, health=health, clock=service.clock,
        dead_letter_limit=settings.dead_letter_limit, linger_ms=0,
    )  # fmt: skip
    try:
        await _serve(service, knowledge, files, view, stop, publisher, partitions)
    finally:
        publisher.close(timeout_s=STOP_GRACE_S)


async def _serve(
    service: Service[InsightsSettings], knowledge: Knowledge, files: Files, view: TopicView, stop: asyncio.Event,
    publisher: KafkaPublisher, partitions: int,
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
        fetch_wait_ms=FETCH_WAIT_MS,
    )
    outage = Outage(stop)
    model = None
    if settings.model_url:
        model = LanguageModel(
            url=settings.model_url, api_key=settings.model_api_key.get_secret_value(), model=settings.model_name,
            publisher=publisher, clock=service.clock,
        )  # fmt: skip
    desk = Desk(
        raw_table(app, table, partitions=partitions), publisher, service.clock, knowledge,
        gone_out=partial(read_gone_out, settings), ask=model.ask if model else None,
    )  # fmt: skip
    for topic in SOURCES:
        take = partial(_take, name=topic.name, desk=desk, publisher=publisher)
        add_agent(app, settings.topic_prefix + topic.name, topic.name, take, outage)

    @app.on_partitions_assigned.connect
    async def assigned(*_: object, **__: object) -> None:
        desk.fall_behind()

    @app.on_rebalance_complete.connect
    async def rebuilt(*_: object, **__: object) -> None:
        log.info("rows_ready", rows=desk.rebuild())
        await desk.look_back()
        service.health.ready("calls")

    beside = [
        asyncio.create_task(_ask_for_due(desk), name="timers"),
        asyncio.create_task(_watch(publisher, view, outage), name="watch"),
        asyncio.create_task(_follow(files, desk, settings.reload_every_ms / 1000), name="files"),
    ]
    try:
        await run_app(app, stop)
    except FaustAppCrashedError as crashed:
        raise Fatal(f"the stream ended by itself ({type(crashed.__cause__).__name__})") from crashed
    finally:
        for task in beside:
            task.cancel()
        if model is not None:
            await model.close()
    if outage.error is not None:
        raise Fatal(f"cannot go on: {type(outage.error).__name__}: {outage.error}") from outage.error


async def _take(record: SourceRecord, *, name: str, desk: Desk, publisher: KafkaPublisher) -> None:
    try:
        call_id, event = READERS[name](record.value)
        if record.key != call_id.encode():
            raise Poison("key_mismatch", "the key is not the record's call_id")
    except Poison as poison:
        publisher.dead_letter(origin_of(record), poison)
        return
    if event is not None:
        await desk.take(call_id, event)


async def _ask_for_due(desk: Desk) -> None:
    while True:
        with contextlib.suppress(Backpressure):  # those that did not go out are due again at the next look
            desk.ask_for_due()
        await asyncio.sleep(TIMER_RESOLUTION_S)


async def _follow(files: Files, desk: Desk, every_s: float) -> None:
    def put(knowledge: Knowledge) -> None:
        desk.knowledge = knowledge

    await follow(files, lambda: desk.knowledge, put, every_s)


async def _watch(publisher: KafkaPublisher, view: TopicView, outage: Outage) -> None:
    while True:
        if publisher.failed:
            outage.declare(Fatal("the broker never acknowledged a record"))
        if view.error is not None:
            outage.declare(Fatal("the roster cannot be followed any more"))
        await asyncio.sleep(0.5)
