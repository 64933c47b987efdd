"""How far topics have been read, lane by lane, and the cursors that say so.

A lane is one partition of one topic. Offsets mean the same to every replica, so a cursor, the offset of the newest
record read in each lane, does too. A screen that comes back with a cursor is owed what lies behind it; whether that
can be told exactly depends on where this replica began to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Lane = tuple[str, int]
"""Short name of a topic, and the partition."""
Cursor = Mapping[Lane, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands."""

    lane: Lane
    offset: int


class Reach:
    """Where reading began and how far it has come. Partitions of all topics are told apart alike, by call."""

    def __init__(self) -> None:
        self._begun: dict[Lane, int] = {}
        self._reached: dict[Lane, int] = {}
        self._of_partition: dict[int, list[Lane]] = {}

    def stand_at(self, lane: Lane, next_offset: int) -> None:
        """What comes next in a lane has this offset. The first time, that is where reading begins."""
        if lane not in self._begun:
            self._begun[lane] = next_offset
            self._reached[lane] = next_offset - 1
            self._of_partition.setdefault(lane[1], []).append(lane)
        elif next_offset > self._reached[lane]:
            self._reached[lane] = next_offset - 1

    def advance(self, lane: Lane, offset: int) -> None:
        """The record at this offset has been taken in."""
        if lane not in self._begun:
            self.stand_at(lane, offset)
        if offset > self._reached[lane]:
            self._reached[lane] = offset

    def cursor(self, partition: int | None = None) -> dict[Lane, int]:
        """How far all lanes have been read, or those of a partition."""
        if partition is None:
            return dict(self._reached)
        return {lane: self._reached[lane] for lane in self._of_partition.get(partition, ())}

    def has_reached(self, cursor: Cursor) -> bool:
        """Whether everything before the cursor has been taken in here. False for lanes that are not known here."""
        return all(self._reached.get(lane, -2) >= offset for lane, offset in cursor.items())

    def can_continue(self, cursor: Cursor, partitions: Iterable[int]) -> bool:
        """Whether all that follows the cursor in these partitions can be told from here."""
        return all(
            lane in cursor and cursor[lane] + 1 >= self._begun[lane]
            for partition in partitions
            for lane in self._of_partition.get(partition, ())
        )
