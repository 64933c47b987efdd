"""Exactly once: what a service publishes, and how far it has read, in one Kafka transaction.

`TransactionalPublisher` is a Publisher that keeps what it is given until `commit`, which sends it together with the
consumer's offsets and their notes. A reader that sees only what is committed (`read_committed`, librdkafka's
default) thus sees each output once, however often the service dies in between: on its return it reads on from
offsets that belong to exactly the outputs that are out.

The transactional id names a place, not a process: topic prefix + group + `KAFKA_GROUP_INSTANCE_ID`, or the host's
name where that is empty. A successor with the same id ends what its predecessor left open and shuts it out, so two
replicas on one host need instance ids of their own.

Not thread-safe: the consume loop's thread publishes and commits.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import confluent_kafka
import structlog

from services.chassis import metrics
from services.chassis.clock import Clock, SystemClock
from services.chassis.errors import Fatal, Transient
from services.chassis.health import Health
from services.chassis.publisher import RawHeaders, RecordWriter
from services.chassis.settings import KafkaSettings

log = structlog.get_logger()
TRANSACTION_TIMEOUT_MS = 10_000
"""How long an abandoned transaction holds up the topics' readers."""
OPEN_TRY_S = 5.0
TRY_S = 10.0
GIVE_UP_AFTER = 10


def transactional_id(settings: KafkaSettings, *, group: str, instance_id: str) -> str:
    """The id of this replica's place; see the module's text."""
    return f"{settings.topic_prefix}{group}-{instance_id or socket.gethostname()}"


class TransactionalProducer(Protocol):
    """What is used of `confluent_kafka.Producer`."""

    def init_transactions(self, timeout: float) -> None:
        """End what a predecessor left open."""
        ...

    def begin_transaction(self) -> None:
        """Start."""
        ...

    def produce(self, topic: str, *, value: bytes | None, key: bytes | None, headers: Any) -> None:
        """Add a message."""
        ...

    def send_offsets_to_transaction(
        self, positions: list[confluent_kafka.TopicPartition], group_metadata: Any, timeout: float
    ) -> None:
        """Add offsets."""
        ...

    def commit_transaction(self, timeout: float) -> None:
        """All of it, or an error."""
        ...

    def abort_transaction(self, timeout: float) -> None:
        """None of it."""
        ...


@dataclass(frozen=True, slots=True)
class _Message:
    topic: str
    key: bytes | None
    value: bytes | None
    headers: RawHeaders


class TransactionalPublisher(RecordWriter):
    """A Publisher whose messages leave with `commit`; call `open` once before anything is read."""

    def __init__(
        self, settings: KafkaSettings, *, service: str, transactional_id: str, health: Health,
        clock: Clock | None = None, dead_letter_limit: int = 100, producer: TransactionalProducer | None = None,
    ) -> None:  # fmt: skip
        super().__init__(settings, service=service, clock=clock or SystemClock(), dead_letter_limit=dead_letter_limit)
        self._health = health
        options = {
            "transactional.id": transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
            "linger.ms": 0,
            "compression.type": "none",
        }
        self._producer: TransactionalProducer = producer or confluent_kafka.Producer(options | settings.kafka_options())
        self._outbox: list[_Message] = []
        self._aborted = 0

    @property
    def pending(self) -> int:
        """Messages that wait for `commit`."""
        return len(self._outbox)

    def flush(self, timeout_s: float) -> bool:
        """True: what is pending leaves with the offsets that speak of it, never after them."""
        return True

    def open(self, stop: threading.Event) -> None:
        """End what a predecessor left open; waits for the broker until `stop`. Raises Fatal when it refuses."""
        self._health.waiting("transactions", "the broker has not answered yet")
        while not stop.is_set():
            try:
                self._producer.init_transactions(OPEN_TRY_S)
            except confluent_kafka.KafkaException as raised:
                error = raised.args[0]
                if error.fatal() or not error.retriable():
                    raise Fatal(f"the broker refused transactions: {error.name()}") from None
                log.info("transactions_waiting", error=error.name())
                stop.wait(0.2)
            else:
                self._health.ready("transactions")
                return

    def commit(self, offsets: Sequence[confluent_kafka.TopicPartition], group: Any) -> None:
        """Send what is pending and the offsets (their metadata kept), all or nothing.

        `group` is the consumer's `consumer_group_metadata()`. Raises Transient when the transaction was aborted:
        the messages stay pending for the next try. Raises Fatal when nobody can say what became of it, or another
        process has our place: the process must end, and its successor finds out.
        """
        try:
            self._producer.begin_transaction()
            for message in self._outbox:
                self._producer.produce(
                    message.topic, value=message.value, key=message.key, headers=list(message.headers)
                )
            if offsets:
                places = list(offsets)
                self._insist(lambda: self._producer.send_offsets_to_transaction(places, group, TRY_S))
            self._insist(lambda: self._producer.commit_transaction(TRY_S))
        except BufferError:
            self._abort("queue_full")
        except confluent_kafka.KafkaException as raised:
            error = raised.args[0]
            if error.fatal() or not error.txn_requires_abort():
                raise Fatal(f"a transaction failed: {error.name()}") from None
            self._abort(error.name())
        for message in self._outbox:
            metrics.PUBLISHED.labels(message.topic).inc()
        self._outbox.clear()
        self._aborted = 0

    def drop(self) -> int:
        """Forget what is pending (its input is read again, here or elsewhere); how much it was."""
        dropped = len(self._outbox)
        self._outbox.clear()
        return dropped

    def _produce(self, name: str, key: bytes | None, value: bytes | None, headers: RawHeaders) -> None:
        self._outbox.append(_Message(name, key, value, headers))

    def _abort(self, reason: str) -> None:
        self._aborted += 1
        metrics.ABORTED.inc()
        log.warning("transaction_aborted", reason=reason, messages=len(self._outbox), in_a_row=self._aborted)
        try:
            self._insist(lambda: self._producer.abort_transaction(TRY_S))
        except confluent_kafka.KafkaException as raised:
            raise Fatal(f"a transaction could not be aborted: {raised.args[0].name()}") from None
        if self._aborted >= GIVE_UP_AFTER:
            raise Fatal(f"{self._aborted} transactions in a row were aborted, the last for {reason}")
        raise Transient(f"the transaction was aborted: {reason}")

    def _insist(self, step: Callable[[], None]) -> None:
        """Repeat a step that may be repeated, while its transaction can still be open."""
        deadline_s = time.monotonic() + 2 * TRANSACTION_TIMEOUT_MS / 1000
        while True:
            try:
                step()
            except confluent_kafka.KafkaException as raised:
                error = raised.args[0]
                if error.fatal() or not error.retriable() or time.monotonic() >= deadline_s:
                    raise
                log.info("transaction_waiting", error=error.name())
                time.sleep(0.05)
            else:
                return
