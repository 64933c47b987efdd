"""How far a consumer has read, and when that is committed: by itself, or together with what it has published."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import confluent_kafka
import structlog

from services.chassis.errors import Fatal, Transient

log = structlog.get_logger()
COMMIT_EVERY_S = 1.0
Place = tuple[str, int]


class Committer(Protocol):
    """Commits outputs and offsets as one; see `transactions.TransactionalPublisher`."""

    @property
    def pending(self) -> int:
        """Outputs that wait."""
        ...

    def commit(self, offsets: Sequence[confluent_kafka.TopicPartition], group: Any) -> None:
        """All or nothing. Raises Transient when it was nothing, Fatal when the process must end."""
        ...

    def drop(self) -> int:
        """Forget the outputs that wait."""
        ...


class CommitsOffsets(Protocol):
    """What is used of `confluent_kafka.Consumer`."""

    def commit(self, *, offsets: list[confluent_kafka.TopicPartition], asynchronous: Literal[False]) -> Any:
        """Commit offsets alone."""
        ...

    def consumer_group_metadata(self) -> Any:
        """Who we are in the group."""
        ...


class Commits:
    """Positions by partition; `safe_offset` and `note` are the handler's. Used by the consume loop's thread alone.

    With a `committer`, outputs leave as soon as `tend` is called after they were made, unless a commit has just
    been: then as much time passes as that one took, so that commits never fill more than half of the loop's time.
    """

    def __init__(
        self, consumer: CommitsOffsets, *, safe_offset: Callable[[str, int, int], int],
        note: Callable[[str, int], str], clock_s: Callable[[], float], committer: Committer | None = None,
    ) -> None:  # fmt: skip
        self._consumer = consumer
        self._safe_offset = safe_offset
        self._note = note
        self._clock_s = clock_s
        self._committer = committer
        self._positions: dict[Place, int] = {}
        self._committed: dict[Place, tuple[int, str]] = {}
        self._next_s = clock_s() + COMMIT_EVERY_S
        self._rest_until_s = clock_s()

    def read(self, full_name: str, partition: int, position: int) -> None:
        """Everything before `position` is handled."""
        self._positions[full_name, partition] = position

    def tend(self) -> None:
        """Commit if it is time: each second, or because outputs wait."""
        now_s = self._clock_s()
        waiting = self._committer is not None and self._committer.pending > 0 and now_s >= self._rest_until_s
        if not waiting and now_s < self._next_s:
            return
        rest_s = 0.0
        try:
            self.commit()
        except Transient:
            rest_s = COMMIT_EVERY_S
        ended_s = self._clock_s()
        self._next_s = ended_s + COMMIT_EVERY_S
        self._rest_until_s = ended_s + max(rest_s, ended_s - now_s)

    def commit(self) -> None:
        """Commit now. Raises Transient when nothing of it was taken, with a committer; else only logs that."""
        self._commit(list(self._positions))

    def revoked(self, places: Sequence[Place]) -> None:
        """The last chance to commit these. Raises Fatal where outputs can no longer be bound to their offsets."""
        if self._committer is None:
            self._commit(places)
        else:
            # All places: what waits may come from any of them.
            try:
                self.commit()
            except Transient as error:
                raise Fatal(f"partitions left before what came of them was published: {error}") from None
        self._forget(places)

    def lost(self, places: Sequence[Place]) -> None:
        """These are another's already: what came of them since is theirs to publish."""
        self._forget(places)
        if self._committer is not None and (dropped := self._committer.drop()):
            log.warning("outputs_dropped", count=dropped)
            if self._positions:
                raise Fatal("some partitions were lost while outputs waited that may come from others")

    def _forget(self, places: Sequence[Place]) -> None:
        for place in places:
            self._positions.pop(place, None)
            self._committed.pop(place, None)

    def _commit(self, places: Sequence[Place]) -> None:
        reached: dict[Place, tuple[int, str]] = {}
        for place in places:
            position = self._positions.get(place)
            if position is not None:
                safe = min(self._safe_offset(*place, position), position)
                reached[place] = (safe, self._note(*place))
        if not (self._committer and self._committer.pending):
            reached = {place: at for place, at in reached.items() if self._committed.get(place) != at}
            if not reached:
                return
        offsets = [confluent_kafka.TopicPartition(*place, *at) for place, at in reached.items()]
        if self._committer is not None:
            self._committer.commit(offsets, self._consumer.consumer_group_metadata())
        else:
            try:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            except confluent_kafka.KafkaException as error:
                log.warning("commit_failed", error=error.args[0].name())
                return
        self._committed |= reached
