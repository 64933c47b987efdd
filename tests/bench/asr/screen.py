"""What a reader of the topics would have seen, and when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from services.chassis.errors import Poison
from services.chassis.publisher import Origin
from services.chassis.records import encode
from services.contracts.records import Utterance
from services.contracts.topics import Topic


@dataclass(frozen=True, slots=True)
class Shown:
    """A revision of an utterance, as it was seen at ``at_ms`` of the feed."""

    at_ms: int
    utterance_id: str
    final: bool
    words: tuple[str, ...]


class Screen:
    """A ``Publisher`` that encodes as the real one does and keeps what was seen, by leg."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        """``now_ms`` counts from the feed's beginning."""
        self._now_ms = now_ms
        self.seen: dict[str, list[Shown]] = defaultdict(list)
        self.finals: list[Utterance] = []

    def publish(self, topic: Topic[Any], key: str, record: msgspec.Struct, *, event_id: str) -> None:
        """Keep an utterance's words; other records are only encoded."""
        encode(record)
        if isinstance(record, Utterance):
            if record.is_final:
                self.finals.append(record)
            words = tuple(record.spoken_text.split()) or tuple(word.text for word in record.words)
            self.seen[record.leg_id].append(Shown(self._now_ms(), record.utterance_id, record.is_final, words))

    def publish_value(self, topic: Topic[Any], key: str, value: bytes | None, *, event_id: str) -> None:
        """Nothing of the kind is expected."""
        raise NotImplementedError

    def publish_bytes(
        self, topic: Topic[Any], key: str, value: bytes, metadata: msgspec.Struct, *, event_id: str
    ) -> None:
        """Nothing of the kind is expected."""
        raise NotImplementedError

    def dead_letter(self, origin: Origin, poison: Poison) -> None:
        """No audio of the feed is unreadable."""
        raise poison

    def flush(self, timeout_s: float) -> bool:
        """All is out at once."""
        return True
