"""What is committed for a partition: an offset that loses nothing and marks that repeat nothing.

The offset is the lowest that any of the partition's legs still needs, else the position. The marks say how far each
leg's finals are published, for the legs that a successor may meet again, and which messages behind the offset were
put aside as unreadable. They travel as the commit's metadata, packed: some hundred legs a partition fit in.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from services.transcriber.domain.cues import Ask, Asked, Topic
from services.transcriber.domain.endpointing import FRAME_MS, Anchor
from services.transcriber.domain.transcript import Foothold, LegMark

NOTE_BYTES = 4_000
"""Brokers take 4,096 bytes of commit metadata by default."""
FORM = 2
KEY_BYTES = 6
LANGUAGE_BYTES = 2
DEAD_KEPT = 100
_TOPICS = tuple(Topic)
Leg = bytes


def _key(leg_id: str) -> Leg:
    return blake2b(leg_id.encode(), digest_size=KEY_BYTES).digest()


@dataclass(slots=True)
class PartitionMarks:
    """The marks of one partition's legs, by leg id, each with the last offset at which its leg was seen."""

    _marks: dict[Leg, tuple[LegMark, int]] = field(default_factory=dict)
    _dead: set[int] = field(default_factory=set)

    def get(self, leg_id: str) -> LegMark | None:
        """How far a leg is published, as far as is known."""
        known = self._marks.get(_key(leg_id))
        return known[0] if known else None

    def put(self, leg_id: str, mark: LegMark, offset: int) -> None:
        """Take note."""
        self._marks[_key(leg_id)] = (mark, offset)

    def put_aside(self, offset: int) -> None:
        """Take note that this message could not be read, and is told of."""
        self._dead.add(offset)

    def is_put_aside(self, offset: int) -> bool:
        """Whether this message was told of already."""
        return offset in self._dead

    def forget_before(self, offset: int) -> None:
        """Let go of what lies wholly before an offset: ended legs, messages put aside. Nobody reads them again."""
        self._dead = {at for at in self._dead if at >= offset}
        for leg, (mark, seen_at) in list(self._marks.items()):
            if mark.ended and seen_at < offset:
                del self._marks[leg]

    def keep(self, leg_ids: set[str]) -> None:
        """Let go of legs that have not ended but are followed no more."""
        followed = {_key(leg_id) for leg_id in leg_ids}
        for leg, (mark, _) in list(self._marks.items()):
            if not mark.ended and leg not in followed:
                del self._marks[leg]

    def note(self) -> tuple[str, int]:
        """As commit metadata, the legs seen last and as many as fit; and how many do not."""
        if not self._marks and not self._dead:
            return "", 0
        newest = sorted(self._marks.items(), key=lambda item: -item[1][1])
        dead = sorted(self._dead)[-DEAD_KEPT:]
        base = min([*dead, *(at for _, at in self._marks.values())])
        rows = [_row(leg, mark, at - base) for leg, (mark, at) in newest]
        kept = len(rows)
        while True:
            head = [FORM, base, len(dead), *(at - base for at in dead)]
            note = base64.b85encode(_packed(head) + b"".join(rows[:kept])).decode()
            if len(note) <= NOTE_BYTES:
                return note, len(rows) - kept
            kept -= max(1, (len(note) - NOTE_BYTES) // 50)


def read_note(note: str) -> PartitionMarks:
    """Marks from commit metadata; none where it is empty or not ours."""
    marks = PartitionMarks()
    try:
        packed = _Packed(base64.b85decode(note))
        if note and packed.number() == FORM:
            base = packed.number()
            marks._dead = {base + packed.number() for _ in range(packed.number())}
            marks._marks = dict(_marks(packed, base))
    except (ValueError, IndexError):
        return PartitionMarks()
    return marks


def _row(leg: Leg, mark: LegMark, offset: int) -> bytes:
    stood, asked = mark.foothold, mark.asked
    anchor = stood.anchor if stood else Anchor(0)
    flags = (mark.ended, mark.failed, stood, anchor.goes_on, asked)
    said = (asked.strong, asked.direct, asked.follows_number) if asked else (False, False, False)
    told = len(mark.language.encode()) == LANGUAGE_BYTES
    again = mark.judged_ms >= 0
    row = [sum(1 << bit for bit, flag in enumerate((*flags, *said, told, again, mark.asks)) if flag), offset]
    row += [mark.utterances, mark.words, mark.unreadable]
    if stood is not None:
        began_ms = anchor.at_ms - stood.audio_ms - stood.gap_ms
        row += [anchor.at_ms // FRAME_MS, anchor.pre_roll_ms // FRAME_MS, _zigzag(began_ms), stood.gap_ms]
        row += [stood.gap_since_ms, _zigzag(mark.skew_ms)]
        row += [max(0, mark.done_ms - anchor.since_ms) // FRAME_MS]
    if asked is not None:
        row += [_TOPICS.index(asked.topic), asked.age]
    if told:
        row += mark.language.encode()
    if again:
        row += [(mark.published_ms + FRAME_MS) // FRAME_MS, mark.judged_ms // FRAME_MS]
    if mark.asks:
        row.append(len(mark.asks))
        for heard_ms, ask in mark.asks:
            row += [_TOPICS.index(ask.topic) * 2 + ask.strong, heard_ms, _zigzag(heard_ms - ask.at_ms)]
    return leg + _packed(row)


def _marks(packed: _Packed, base: int) -> Iterator[tuple[Leg, tuple[LegMark, int]]]:
    number = packed.number
    while packed.left:
        leg, flags, offset = packed.take(KEY_BYTES), number(), base + number()
        ended, failed, stood, goes_on, has_asked, *said, told, again, has_asks = (
            bool(flags & 1 << bit) for bit in range(11)
        )
        mark = LegMark(ended=ended, failed=failed, utterances=number(), words=number(), unreadable=number())
        if stood:
            at_ms, pre_roll_ms, began_ms = number() * FRAME_MS, number() * FRAME_MS, _unzigzag(number())
            gap_ms, gap_since_ms, skew_ms, ahead = number(), number(), _unzigzag(number()), number()
            anchor, audio_ms = Anchor(at_ms, pre_roll_ms, goes_on), at_ms - began_ms - gap_ms
            done_ms = anchor.since_ms + ahead * FRAME_MS if ahead else 0
            foothold = Foothold(anchor=anchor, audio_ms=audio_ms, gap_ms=gap_ms, gap_since_ms=gap_since_ms)
            mark = replace(mark, foothold=foothold, skew_ms=skew_ms, done_ms=done_ms)
        if has_asked:
            topic, age, (strong, direct, follows_number) = _TOPICS[number()], number(), said
            mark = replace(mark, asked=Asked(topic, strong, age, direct, follows_number))
        if told:
            mark = replace(mark, language=bytes(number() for _ in range(LANGUAGE_BYTES)).decode())
        if again:
            published_ms = max(-1, number() * FRAME_MS - FRAME_MS)
            mark = replace(mark, published_ms=published_ms, judged_ms=number() * FRAME_MS)
        if has_asks:
            mark = replace(mark, asks=tuple(_ask(packed) for _ in range(number())))
        yield leg, (mark, offset)


def _ask(packed: _Packed) -> tuple[int, Ask]:
    topic, heard_ms = packed.number(), packed.number()
    return heard_ms, Ask(_TOPICS[topic // 2], bool(topic % 2), heard_ms - _unzigzag(packed.number()))


class _Packed:
    """Numbers in bytes, seven bits each. Raises IndexError past the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value


def _packed(numbers: Iterable[int]) -> bytes:
    out = bytearray()
    for number in numbers:
        while number >= 0x80:
            out.append(number & 0x7F | 0x80)
            number >>= 7
        out.append(number)
    return bytes(out)


def _zigzag(number: int) -> int:
    return number * 2 if number >= 0 else -number * 2 - 1


def _unzigzag(number: int) -> int:
    return number // 2 if number % 2 == 0 else -(number // 2) - 1
