"""What went out before a kill: the ids at the end of the topics that must hold nothing twice.

A row is stored after its outputs are acknowledged, so a kill in between would make the replay publish them again. The
ids are the same then, and the newest of each partition are read back at the start and after every change of partitions.
"""

from __future__ import annotations

from typing import Any

import confluent_kafka
import structlog

from services.chassis.errors import Transient
from services.chassis.records import header
from services.chassis.settings import KafkaSettings
from services.contracts import topics

log = structlog.get_logger()
TOPICS = (topics.ASSIST_SUGGESTIONS, topics.ALERTS, topics.CALLS_SUMMARY)
NEWEST = 500
"""Records a partition: minutes at a thousand calls, where a replay goes back some seconds."""
TIMEOUT_S = 10.0


def read_gone_out(settings: KafkaSettings) -> frozenset[str]:
    """Event ids of the newest records. Blocking. Raises Transient while the broker does not answer."""
    options = {
        "group.id": f"{settings.topic_prefix}insights-gone-out-unused",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 20,
    }
    consumer = confluent_kafka.Consumer(options | settings.kafka_options())
    try:
        return _read(consumer, [settings.topic_prefix + topic.name for topic in TOPICS])
    except confluent_kafka.KafkaException as error:
        raise Transient(f"the broker does not answer ({error.args[0].name()})") from None
    finally:
        consumer.close()


def _read(consumer: confluent_kafka.Consumer, names: list[str]) -> frozenset[str]:
    places = []
    for name in names:
        found = consumer.list_topics(name, timeout=TIMEOUT_S).topics.get(name)
        for number in found.partitions if found is not None and found.error is None else ():
            partition = confluent_kafka.TopicPartition(name, number)
            low, high = consumer.get_watermark_offsets(partition, timeout=TIMEOUT_S)
            if high > low:
                places.append(confluent_kafka.TopicPartition(name, number, max(low, high - NEWEST)))
    ids: set[str] = set()
    if not places:
        return frozenset()
    consumer.assign(places)
    open_ends = {(place.topic, place.partition) for place in places}
    while open_ends:
        message = consumer.poll(TIMEOUT_S)
        if message is None:
            raise Transient("the broker does not answer (no records come)")
        error = message.error()
        if error is None:
            headers: Any = message.headers()
            ids.add(header(headers, "ce_id") or "")
        elif error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
            open_ends.discard((message.topic() or "", message.partition() or 0))
        elif error.fatal():
            raise confluent_kafka.KafkaException(error)
    return frozenset(ids)
