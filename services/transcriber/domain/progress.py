"""What is committed for a partition: an offset that loses nothing and marks that repeat nothing.

The offset is the lowest that any of the partition's legs still needs, else the position. The marks say how far each
leg's finals are published, for the legs that a successor may meet again; they travel as the commit's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.transcriber.domain.cues import Asked, Topic
from services.transcriber.domain.transcript import LegMark

NOTE_BYTES = 4_000
"""Brokers take 4,096 bytes of commit metadata by default."""
PLAIN_ROW, ASKED_ROW = 7, 10
_TOPICS = tuple(Topic)


@dataclass(slots=True)
class PartitionMarks:
    """The marks of one partition's legs, by leg id, each with the last offset at which its leg was seen."""

    _marks: dict[str, tuple[LegMark, int]] = field(default_factory=dict)

    def get(self, leg_id: str) -> LegMark | None:
        """How far a leg is published, as far as is known."""
        known = self._marks.get(leg_id)
        return known[0] if known else None

    def put(self, leg_id: str, mark: LegMark, offset: int) -> None:
        """Take note."""
        self._marks[leg_id] = (mark, offset)

    def forget_ended(self, before_offset: int) -> None:
        """Let go of ended legs that lie wholly before an offset: nobody will read them again."""
        for leg_id, (mark, offset) in list(self._marks.items()):
            if mark.ended and offset < before_offset:
                del self._marks[leg_id]

    def keep(self, leg_ids: set[str]) -> None:
        """Let go of legs that have not ended but are followed no more."""
        for leg_id, (mark, _) in list(self._marks.items()):
            if not mark.ended and leg_id not in leg_ids:
                del self._marks[leg_id]

    def note(self) -> str:
        """As commit metadata: the legs seen last, as many as fit."""
        newest = sorted(self._marks.items(), key=lambda item: -item[1][1])
        while True:
            note = json.dumps({leg: _row(mark, at) for leg, (mark, at) in newest}, separators=(",", ":"))
            if len(note.encode()) <= NOTE_BYTES:
                return note if newest else ""
            newest.pop()


def _row(mark: LegMark, offset: int) -> list[int]:
    row = [mark.done_ms, mark.utterances, mark.words, mark.audio_ms, mark.gap_ms, int(mark.ended), offset]
    asked = mark.asked
    if asked is not None:
        row += [_TOPICS.index(asked.topic), asked.age, asked.strong + 2 * asked.direct + 4 * asked.follows_number]
    return row


def _asked(row: list[int]) -> Asked | None:
    if len(row) != ASKED_ROW or not 0 <= row[PLAIN_ROW] < len(_TOPICS):
        return None
    topic, age, flags = row[PLAIN_ROW:]
    return Asked(_TOPICS[topic], bool(flags & 1), age, bool(flags & 2), bool(flags & 4))


def read_note(note: str) -> PartitionMarks:
    """Marks from commit metadata; none where it is empty or not ours."""
    try:
        rows = json.loads(note) if note else {}
    except ValueError:
        rows = {}
    marks = PartitionMarks()
    for leg_id, row in rows.items() if isinstance(rows, Mapping) else ():
        if (
            isinstance(row, list)
            and len(row) in (PLAIN_ROW, ASKED_ROW)
            and all(isinstance(value, int) for value in row)
        ):
            done_ms, utterances, words, audio_ms, gap_ms, ended, offset = row[:PLAIN_ROW]
            mark = LegMark(
                done_ms=done_ms,
                utterances=utterances,
                words=words,
                audio_ms=audio_ms,
                gap_ms=gap_ms,
                ended=bool(ended),
                asked=_asked(row),
            )
            marks.put(leg_id, mark, offset)
    return marks
