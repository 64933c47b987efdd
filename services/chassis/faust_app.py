"""A Faust app as this product runs it: the base of every service that keeps a changelogged table by call.

What the settings are for:

* **read_committed**: the transcriber publishes in transactions and Faust reads uncommitted records unless it
  runs transactions of its own. `_Transport` makes its consumer skip what was aborted.
* **at_least_once**: Faust's `exactly_once` crashes the surviving worker on a rebalance. So a table row must
  keep the last sequence it has taken per source and skip what is older: after a kill, records since the last
  commit (up to `COMMIT_INTERVAL_S`) come again.
* **tables in memory**, rebuilt from their changelog topics (`<app_id>-<table>-changelog`, compacted) at each
  start.
* **no leader topic, no web server, no reply topic**: nothing here uses them, and each costs topics or ports.
* Session of 10 s: a killed worker's partitions move that much later. A closed one leaves its group at once.

Rules for agents: nothing that blocks (tables, timers and heartbeats stand still meanwhile); table rows change
only while a record of their partition is being processed, so timers send a record rather than write a row;
source topics and table have the same number of partitions; an exception that leaves an agent drops its record
and restarts the agent, so the agent catches `Poison` itself and sends the record to the dead-letter topic.

    app = create_app(settings, app_id="earshot-insights", data_dir=..., partitions=8, embedded=False)
    rows = raw_table(app, "calls", partitions=8)

    @app.agent(raw_topic(app, "earshot.transcripts.final.v1"))
    async def on_final(stream: faust.Stream[bytes]) -> None:
        async for event in stream.events():
            record = source_record(event)
            rows[record.key] = decide(rows.get(record.key), record.value)

    await run_app(app, stop)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import faust
from confluent_kafka.cimpl import NewTopic
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, EventT, Message, TableT, TopicT, TransportT

from services.chassis.errors import SettingError
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import create_missing

COMMIT_INTERVAL_S = 1.0
FETCH_WAIT_MS = 100
"""How long a fetch waits at the broker; a record of a partition that was just read may wait for one to end."""
STOP_TIMEOUT_S = 4.0
"""How long a clean stop may take before its tasks are cancelled; Kubernetes and the demo both wait longer."""


class FaustAppCrashedError(RuntimeError):
    """The app ended without being asked to; the cause is chained. The process should exit non-zero."""


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One Kafka record as an agent read it, with what a dead-letter record needs to name its origin."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def create_app(
    settings: KafkaSettings,
    *,
    app_id: str,
    data_dir: Path,
    partitions: int,
    embedded: bool,
    replication_factor: int = 1,
    instance_id: str | None = None,
    fetch_wait_ms: int = FETCH_WAIT_MS,
) -> faust.App:
    """An app that is not started; declare agents and tables on it, then `run_app`.

    `settings` says how to reach the broker, security included. `app_id` is the consumer group and the prefix of
    the changelog topics. `data_dir` is created by Faust when it starts (checkpoints only; tables live in
    memory). `partitions` is that of the source topics. `replication_factor` is that of the changelog topics
    (a company's cluster wants 3; Faust cannot ask for the broker's default). `embedded`: the broker is the
    demo's own process. `instance_id`: fixed per worker, so that a killed and restarted one takes its place
    back at once; the embedded broker needs one and gets `<app_id>-0`. `fetch_wait_ms`: less is faster and costs more
    when idle.
    """
    app = _App(
        id=app_id,
        broker=[f"kafka://{address.strip()}" for address in settings.kafka_bootstrap_servers.split(",")],
        broker_credentials=_credentials(settings),
        datadir=data_dir,
        store="memory://",
        processing_guarantee="at_least_once",
        topic_partitions=partitions,
        topic_replication_factor=1 if embedded else replication_factor,
        topic_allow_declare=True,
        topic_disable_leader=True,
        web_enabled=False,
        reply_create_topic=False,
        autodiscover=False,
        key_serializer="raw",
        value_serializer="raw",
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=instance_id or (f"{app_id}-0" if embedded else None),
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_rebalance_timeout=20.0,
        broker_request_timeout=20.0,
        broker_commit_interval=COMMIT_INTERVAL_S,
        producer_request_timeout=20.0,
        stream_wait_empty=True,
        worker_redirect_stdouts=False,
    )
    app.fetch_wait_ms = fetch_wait_ms
    return app


def _credentials(settings: KafkaSettings) -> Any:
    """What Faust connects with; None for PLAINTEXT. Raises SettingError for what aiokafka cannot do."""
    protocol = settings.kafka_security_protocol.upper()
    context = None
    if protocol.endswith("SSL"):
        context = ssl.create_default_context(cafile=settings.kafka_ssl_ca_location or None)
    if protocol.startswith("SASL"):
        try:
            return faust.SASLCredentials(
                username=settings.kafka_sasl_username,
                password=settings.kafka_sasl_password.get_secret_value(),
                mechanism=settings.kafka_sasl_mechanism,
                ssl_context=context,
            )
        except ValueError:
            raise SettingError("KAFKA_SASL_MECHANISM: must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512") from None
    return faust.SSLCredentials(context=context) if context is not None else None


def create_changelog(
    settings: KafkaSettings, *, app_id: str, table: str, partitions: int, replication_factor: int
) -> None:
    """Create a table's changelog topic, if it is not there, before the app starts. Blocking.

    Left to Faust it appears while the app already reads: until the next refresh of its metadata Faust then takes
    it for a topic of no partitions and refuses every row.
    """
    name = f"{app_id}-{table}-changelog"
    create_missing(
        settings,
        [NewTopic(name, partitions, replication_factor, config={"cleanup.policy": "compact"})],
        timeout_s=30.0,
    )


def raw_topic(app: faust.App, name: str) -> TopicT:
    """A source topic of undecoded records; codecs stay in our own adapters, where their errors have types."""
    return app.topic(
        name,
        key_type=bytes,
        value_type=bytes,
    )


def raw_table(app: faust.App, name: str, *, partitions: int) -> TableT[bytes, bytes]:
    """A changelogged table of bytes by bytes (the call id). `partitions` as the source topics have."""
    return app.Table(name, key_type=bytes, value_type=bytes, partitions=partitions)


def source_record(event: EventT[Any]) -> SourceRecord:
    """What an agent read from `stream.events()`, without Faust's types. An absent key or value is empty."""
    message = event.message
    headers: Any = message.headers or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return SourceRecord(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp_ms=round((message.timestamp or 0.0) * 1000),
        key=_as_bytes(message.key),
        value=_as_bytes(message.value),
        headers=tuple((name, _as_bytes(value)) for name, value in pairs),
    )


async def run_app(app: faust.App, stop: asyncio.Event, *, ready: asyncio.Event | None = None) -> None:
    """Run `app` in the current loop until `stop` is set, then leave its group and flush what it sent.

    `ready` is set once tables are rebuilt and agents read. Signals and health stay the caller's: Faust
    installs no handlers this way. Raises FaustAppCrashedError when the app ends by itself.
    """
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(logging.WARNING)
    Path(app.conf.datadir).parent.mkdir(parents=True, exist_ok=True)
    app.finalize()
    asked = asyncio.create_task(stop.wait(), name="faust-stop-asked")
    starting = asyncio.create_task(_start(app), name="faust-start")
    crashed = asyncio.create_task(_crash(app), name="faust-crash")
    try:
        await asyncio.wait({asked, starting, crashed}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and starting.exception() is None:
            if ready is not None:
                ready.set()
            await asyncio.wait({asked, crashed}, return_when=asyncio.FIRST_COMPLETED)
        error = starting.exception() if starting.done() else None
        failed = error is not None or crashed.done()
    finally:
        await _cancelled((asked, starting, crashed))
        await _stop(app)
    if failed and not stop.is_set():
        raise FaustAppCrashedError(app.conf.id) from error or app.crash_reason


async def _start(app: faust.App) -> None:
    await app.start()


async def _crash(app: faust.App) -> None:
    await app._crashed.wait()


async def _stop(app: faust.App) -> None:
    """Stop, or give up: Faust swallows the cancellation of a stop that waits for a record in hand."""
    stopping = asyncio.create_task(app.stop(), name="faust-stop")
    done, _ = await asyncio.wait({stopping}, timeout=STOP_TIMEOUT_S)
    if not done:
        logging.getLogger(__name__).warning("faust_stop_timed_out")


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def _as_bytes(value: Any) -> bytes:
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else bytes(value)


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Faust has no setting for either; aiokafka reads both when the consumer starts.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = getattr(self.app, "fetch_wait_ms", FETCH_WAIT_MS)
        return consumer

    async def _fetch_records(
        self,
        consumer: Any,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust names it
        max_records: int | None = None,
    ) -> Any:
        """Fetch for the partitions that were active when the fetch began.

        Faust hands over its live set. At the end of a recovery the changelogs are paused while a fetch is
        waiting; the set is then empty, which aiokafka takes for "every partition", and the source records it
        returns are dropped by Faust as not active, with the position already past them: lost at about every
        second start.
        """
        wanted = set(active_partitions)
        if not wanted:
            return {}
        return await super()._fetch_records(consumer, wanted, timeout=timeout, max_records=max_records)


class _Consumer(driver.Consumer):
    """Three corrections to Faust's consumer, all about what counts as read.

    Offsets are committed once the rows of the records before them are acknowledged: Faust only hands rows to its
    producer, so that a kill right after a commit could lose a row whose record never comes again.

    Source partitions are read only once they stand at their committed offsets: at the end of a recovery Faust
    lets them flow first and seeks second, so that what was read in between comes twice. Both places in Faust
    that resume source partitions seek right after, so waiting for that holds nothing back.

    A gap right after offset 0 (the marker of a transaction) counts as read: Faust takes offset 0 for "nothing
    read", leaves the gap unacknowledged and never commits past it until the next start.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._held: set[TP] = set()
        super().__init__(*args, **kwargs)

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        asked = set(tps)
        changelogs = {tp for tp in asked if self._is_changelog_tp(tp)}
        self._held |= asked - changelogs
        super().resume_partitions(changelogs)

    def pause_partitions(self, tps: Iterable[TP]) -> None:
        paused = set(tps)
        self._held -= paused
        super().pause_partitions(paused)

    async def _commit_offsets(self, offsets: Any, start_new_transaction: bool = True) -> bool:
        await self.app.producer.flush()
        return bool(await super()._commit_offsets(offsets, start_new_transaction=start_new_transaction))

    async def perform_seek(self) -> None:
        await super().perform_seek()
        held, self._held = self._held, set()
        super().resume_partitions(held)

    async def getmany(
        self,
        timeout: float,  # noqa: ASYNC109 - Faust names it
    ) -> AsyncIterator[tuple[TP, Message]]:
        async for tp, message in super().getmany(timeout):
            gap_after_first = self._read_offset[tp] == 0 and message.offset > 1
            if gap_after_first and self.app.topics.acks_enabled_for(message.topic):
                await self._add_gap(tp, 1, message.offset)
            yield tp, message

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class _Transport(driver.Transport):
    Consumer: ClassVar[type[Any]] = _Consumer


class _App(faust.App):
    fetch_wait_ms: int = FETCH_WAIT_MS

    def _new_transport(self) -> TransportT:
        return _Transport(self.conf.broker_consumer, self)


__all__ = [
    "COMMIT_INTERVAL_S",
    "STOP_TIMEOUT_S",
    "FaustAppCrashedError",
    "SourceRecord",
    "create_app",
    "create_changelog",
    "raw_table",
    "raw_topic",
    "run_app",
    "source_record",
]
