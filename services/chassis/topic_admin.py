"""Creating the topics of the registry, with their dead-letter topics, as `schemas/topics` describes them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import confluent_kafka
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # not in its __all__
from confluent_kafka.cimpl import NewTopic

from services.chassis.errors import Fatal, Transient
from services.chassis.settings import KafkaSettings
from services.contracts.topics import ALL, Topic

DEAD_LETTER_RETENTION_MS = 14 * 24 * 3_600_000
NEW_LEADER = (
    confluent_kafka.KafkaError.NOT_LEADER_FOR_PARTITION,
    confluent_kafka.KafkaError.LEADER_NOT_AVAILABLE,
)
ASK_AGAIN_S = 0.2


def new_topics(
    topics: Sequence[Topic[Any]], *, prefix: str, partitions: int | None = None, replication: int = -1
) -> list[NewTopic]:
    """What to create: each topic, and `<topic>.dlq` with one partition kept for 14 days.

    `partitions` overrides the schemas' numbers for call-keyed topics (a laptop needs fewer); they must stay equal
    among themselves, because tables keyed by call are partitioned alike. `replication` -1 is the broker's default.
    """
    created = []
    for topic in topics:
        config: dict[str, str] = {"cleanup.policy": topic.cleanup_policy}
        if topic.retention_ms is not None:
            config["retention.ms"] = str(topic.retention_ms)
        count = partitions if partitions and topic.key == "call_id" else topic.partitions
        name = prefix + topic.name
        created.append(NewTopic(name, num_partitions=count, replication_factor=replication, config=config))
        dead = {"cleanup.policy": "delete", "retention.ms": str(DEAD_LETTER_RETENTION_MS)}
        created.append(NewTopic(f"{name}.dlq", num_partitions=1, replication_factor=replication, config=dead))
    return created


def ensure_topics(
    settings: KafkaSettings, *, topics: Sequence[Topic[Any]] = ALL, partitions: int | None = None,
    replication: int = -1, timeout_s: float = 30.0,
) -> list[str]:  # fmt: skip
    """Create what is missing; returns the names that were created. Raises Transient when the broker is away."""
    wanted = new_topics(topics, prefix=settings.topic_prefix, partitions=partitions, replication=replication)
    return create_missing(settings, wanted, timeout_s=timeout_s)


def create_missing(settings: KafkaSettings, wanted: Sequence[NewTopic], *, timeout_s: float) -> list[str]:
    """Create those of the topics that do not exist; returns their names.

    Raises Transient when the broker is away, Fatal when it refuses.
    """
    client = AdminClient(settings.kafka_options())
    try:
        existing = set(client.list_topics(timeout=timeout_s).topics)
    except confluent_kafka.KafkaException as error:
        raise Transient(
            f"no broker answers at KAFKA_BOOTSTRAP_SERVERS={settings.kafka_bootstrap_servers} ({error.args[0].name()})"
        ) from None
    missing = [topic for topic in wanted if topic.topic not in existing]
    if not missing:
        return []
    for name, future in client.create_topics(missing, operation_timeout=timeout_s).items():
        try:
            future.result()
        except confluent_kafka.KafkaException as error:
            if error.args[0].code() != confluent_kafka.KafkaError.TOPIC_ALREADY_EXISTS:
                raise Fatal(f"topic {name} could not be created: {error.args[0].str()}") from None
    return [topic.topic for topic in missing]


def newest_record_at(settings: KafkaSettings, topic: Topic[Any], *, timeout_s: float = 10.0) -> datetime | None:
    """The timestamp of a topic's newest record; None when it is empty or missing.

    Asks again for up to `timeout_s` while its partitions change their leader, as those of a new topic do. Raises
    Transient when the broker does not tell.
    """
    client = AdminClient(settings.kafka_options())
    name = settings.topic_prefix + topic.name
    give_up_s = time.monotonic() + timeout_s
    while True:
        try:
            newest_ms = _newest_ms(client, name, timeout_s)
            return datetime.fromtimestamp(newest_ms / 1000, UTC) if newest_ms > 0 else None
        except confluent_kafka.KafkaException as error:
            reason = error.args[0]
            if reason.code() not in NEW_LEADER or time.monotonic() > give_up_s:
                raise Transient(f"no times of {name}: {reason.name()}") from None
            time.sleep(ASK_AGAIN_S)


def _newest_ms(client: AdminClient, name: str, timeout_s: float) -> int:
    """0 or less where there is no record."""
    found = client.list_topics(name, timeout=timeout_s).topics.get(name)
    if found is None or found.error is not None or not found.partitions:
        return 0
    newest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]
    asked = {confluent_kafka.TopicPartition(name, partition): newest for partition in found.partitions}
    told = client.list_offsets(asked, request_timeout=timeout_s)
    return max(int(future.result().timestamp) for future in told.values())
