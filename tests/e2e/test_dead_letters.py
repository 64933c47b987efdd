"""A malformed record on every topic that a service reads ends on its dead-letter topic, and the stream goes on."""

from __future__ import annotations

import time

import confluent_kafka
import pytest

from services.chassis.records import header
from services.contracts.topics import ALL
from tests.support.pipeline import Pipeline

pytestmark = pytest.mark.timeout(180)
READ = [topic for topic in ALL if set(topic.consumers) - {"cli"}]


def test_malformed_records_are_dead_lettered_and_the_services_go_on(pipeline: Pipeline) -> None:
    settings = pipeline.stack.settings
    producer = confluent_kafka.Producer(settings.kafka_options())
    for topic in READ:
        producer.produce(settings.topic_prefix + topic.name, key=b"s-malformed", value=b'{"half a rec')
    assert producer.flush(10) == 0
    consumer = confluent_kafka.Consumer(
        settings.kafka_options() | {"group.id": "unused", "auto.offset.reset": "earliest"}
    )
    names = {f"{settings.topic_prefix}{topic.name}.dlq" for topic in READ}
    consumer.assign([confluent_kafka.TopicPartition(name, 0, confluent_kafka.OFFSET_BEGINNING) for name in names])
    reasons: dict[str, str] = {}
    deadline = time.monotonic() + 60
    while reasons.keys() != names and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        if message is None or message.error() is not None or message.key() != b"s-malformed":
            continue
        assert message.value() == b'{"half a rec'
        reasons[str(message.topic())] = str(header(message.headers(), "dlq_reason"))  # type: ignore[arg-type]
    consumer.close()
    assert names - reasons.keys() == set()
    assert set(reasons.values()) <= {"bad_json", "bad_headers"}
    assert pipeline.stack.died() is None
    pipeline.stack.wait_until_ready()
