"""A publisher that keeps what it is given, encoded as the real one would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from services.chassis.errors import Poison
from services.chassis.publisher import Origin
from services.chassis.records import Headers, decode, decode_headers, encode, encode_headers
from services.contracts.topics import Topic

RecordT = TypeVar("RecordT", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One message."""

    topic: Topic[Any]
    key: str
    value: bytes | None
    headers: Headers
    event_id: str


class FakePublisher:
    """Implements Publisher; `messages` and `dead_letters` hold what was sent, in order."""

    def __init__(self) -> None:
        self.messages: list[Published] = []
        self.dead_letters: list[tuple[Origin, Poison]] = []

    def publish(self, topic: Topic[RecordT], key: str, record: RecordT, *, event_id: str) -> None:
        """Keep a record."""
        self.publish_value(topic, key, encode(record), event_id=event_id)

    def publish_value(self, topic: Topic[Any], key: str, value: bytes | None, *, event_id: str) -> None:
        """Keep a value or a tombstone."""
        self.messages.append(Published(topic=topic, key=key, value=value, headers=[], event_id=event_id))

    def publish_bytes(self, topic: Topic[RecordT], key: str, value: bytes, metadata: RecordT, *, event_id: str) -> None:
        """Keep bytes with their headers."""
        headers = encode_headers(metadata)
        self.messages.append(Published(topic=topic, key=key, value=value, headers=headers, event_id=event_id))

    def dead_letter(self, origin: Origin, poison: Poison) -> None:
        """Keep a dead letter."""
        self.dead_letters.append((origin, poison))

    def flush(self, timeout_s: float) -> bool:
        """Everything is acknowledged at once."""
        return True

    def records(self, topic: Topic[RecordT]) -> list[RecordT]:
        """The records sent to a topic, decoded again, tombstones left out."""
        sent = [m for m in self.messages if m.topic.name == topic.name]
        if topic.value_is_bytes:
            return [decode_headers(topic, m.headers) for m in sent]
        return [decode(topic, m.value) for m in sent if m.value is not None]
