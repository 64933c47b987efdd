"""What the services share that keep a row a call on Faust: waiting for the topics, agents that lose no record.

Built on `faust_app`; the services' own `app.py` wires it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import confluent_kafka
import faust
import structlog
from confluent_kafka.admin import AdminClient

from services.chassis.errors import SettingError, Transient
from services.chassis.faust_app import SourceRecord, raw_topic, source_record
from services.chassis.publisher import Origin
from services.chassis.service import stopped
from services.chassis.settings import KafkaSettings
from services.contracts.topics import Topic

log = structlog.get_logger()
METADATA_TIMEOUT_S = 10.0
LONGEST_WAIT_S = 15.0
ResultT = TypeVar("ResultT")


class Outage:
    """The first error that ends the service; it sets the stop, and whoever found it stands still."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self.error: BaseException | None = None

    def declare(self, error: BaseException) -> None:
        """Take note of an error that the service cannot go on with."""
        self.error = self.error or error
        self._stop.set()


def add_agent(
    app: faust.App, full_name: str, name: str, take: Callable[[SourceRecord], Awaitable[None]], outage: Outage
) -> None:
    """Read a topic with `take`, one record after the other; `take` deals with Poison itself.

    Anything else that it raises is an outage: the record stays uncommitted and the next start reads it again.
    """

    async def on_records(stream: faust.StreamT[bytes]) -> None:
        async for event in stream.events():
            try:
                await take(source_record(event))
            except Exception as error:
                log.exception("record_not_taken", topic=full_name)
                outage.declare(error)
                await asyncio.Event().wait()

    app.agent(raw_topic(app, full_name), name=f"on_{name.replace('.', '_')}")(on_records)


def origin_of(record: SourceRecord) -> Origin:
    """What a record's dead letter says of it."""
    return Origin(
        topic=record.topic, partition=record.partition, offset=record.offset, key=record.key, value=record.value,
        headers=record.headers,
    )  # fmt: skip


def co_partitions(settings: KafkaSettings, sources: Sequence[Topic[Any]]) -> int:
    """How the source topics are partitioned: alike, else a call's records would meet different rows. Blocking.

    Raises Transient while the broker is away or a topic is missing, SettingError when the counts differ.
    """
    client = AdminClient(settings.kafka_options())
    try:
        known = client.list_topics(timeout=METADATA_TIMEOUT_S).topics
    except confluent_kafka.KafkaException as error:
        raise Transient(f"no broker answers ({error.args[0].name()})") from None
    names = [settings.topic_prefix + topic.name for topic in sources]
    counts = {name: len(known[name].partitions) if name in known else 0 for name in names}
    missing = sorted(name for name, count in counts.items() if not count)
    if missing:
        raise Transient(f"topics are missing: {', '.join(missing)}")
    if len(set(counts.values())) != 1:
        raise SettingError(f"EARSHOT_TOPIC_PREFIX: topics must have equally many partitions, found {counts}")
    return next(iter(counts.values()))


async def until_done(stop: asyncio.Event, attempt: Callable[[], Awaitable[ResultT]]) -> ResultT | None:
    """The first success, with growing waits after each Transient; None when the service is to stop before."""
    wait_s = 0.5
    while not stop.is_set():
        try:
            return await attempt()
        except Transient as error:
            log.info("start_waiting", reason=str(error))
            if await stopped(stop, max(wait_s, error.retry_after_ms / 1000)):
                break
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)
    return None
