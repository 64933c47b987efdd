"""The time of a topic's newest record, while its leader changes and where the broker does not tell."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from services.chassis import topic_admin
from services.chassis.errors import Transient
from services.chassis.settings import KafkaSettings
from services.contracts.topics import CALLS_STATE

AT_MS = 1_760_000_000_000


class ScriptedAdmin:
    """Answers each question for offsets with the next of `answers`: a time in ms, or an error's code."""

    def __init__(self, answers: list[int | KafkaError]) -> None:
        self.answers = answers

    def list_topics(self, name: str, timeout: float) -> Any:
        return SimpleNamespace(topics={name: SimpleNamespace(error=None, partitions={0: None})})

    def list_offsets(self, asked: dict[Any, Any], request_timeout: float) -> dict[Any, Future[Any]]:
        answer, future = self.answers.pop(0), Future[Any]()
        if isinstance(answer, KafkaError):
            future.set_exception(KafkaException(answer))
        else:
            future.set_result(SimpleNamespace(timestamp=answer))
        return dict.fromkeys(asked, future)


def ask(monkeypatch: pytest.MonkeyPatch, *answers: int | KafkaError, timeout_s: float = 10.0) -> tuple[Any, Any]:
    admin = ScriptedAdmin(list(answers))
    monkeypatch.setattr(topic_admin, "AdminClient", lambda _: admin)
    monkeypatch.setattr(topic_admin, "ASK_AGAIN_S", 0.0)
    settings = KafkaSettings(kafka_bootstrap_servers="unused:9092")
    return topic_admin.newest_record_at(settings, CALLS_STATE, timeout_s=timeout_s), admin


def test_it_is_asked_again_while_a_partition_has_no_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    no_leader = KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)
    found, admin = ask(monkeypatch, no_leader, no_leader, AT_MS)
    assert found.timestamp() * 1000 == AT_MS
    assert admin.answers == []


@pytest.mark.parametrize(
    ("code", "timeout_s"), [(KafkaError.TOPIC_AUTHORIZATION_FAILED, 10.0), (KafkaError.NOT_LEADER_FOR_PARTITION, -1.0)]
)
def test_what_the_broker_does_not_tell_is_said(monkeypatch: pytest.MonkeyPatch, code: int, timeout_s: float) -> None:
    with pytest.raises(Transient, match=KafkaError(code).name()):
        ask(monkeypatch, KafkaError(code), AT_MS, timeout_s=timeout_s)


def test_an_empty_topic_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = ask(monkeypatch, -1)
    assert found is None
