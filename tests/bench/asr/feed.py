"""Calls as the chunks that the media gateway would send, each due at the moment its last sample was spoken."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.chassis.consumer import Incoming
from services.chassis.records import encode_headers
from services.contracts.records import AudioChunk
from services.contracts.topics import AUDIO_CHUNKS
from tests.bench.asr.material import RATE_HZ, Call, Leg, cut

EPOCH = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CHUNK_MS = 200
PLACE = ("audio.chunks", 0)


@dataclass(frozen=True, slots=True)
class Playing:
    """A leg of a call that began ``began_ms`` after the feed did."""

    leg_id: str
    leg: Leg
    began_ms: int


@dataclass(order=True, frozen=True, slots=True)
class Due:
    """A message and when it is due, in ms from the feed's beginning."""

    at_ms: int
    number: int
    message: Incoming


class Feed:
    """``slots`` calls at a time until ``until_ms``; where one ends, the slot's next begins. Seeded."""

    def __init__(
        self,
        calls: Sequence[Call],
        *,
        legs: int,
        until_ms: int,
        seed: int = 7,
        runs_on: bool = True,
        from_start: bool = False,
    ) -> None:
        """Spread the calls so that at any time some begin, some end and most are in the middle.

        Without ``runs_on`` a slot's call is not followed by another; ``from_start`` plays each from its beginning.
        """
        self.playing: dict[str, Playing] = {}
        chance = random.Random(seed)
        self._number = 0
        self._until_ms = until_ms
        self._runs_on = runs_on
        streams = []
        slot = 0
        while legs > 0:
            call = calls[slot % len(calls)]
            taken = Call(call.name, call.legs[:legs])
            legs -= len(taken.legs)
            from_ms = 0 if from_start else int(chance.random() * max(leg.duration_ms for leg in call.legs))
            streams.append(self._slot(slot, taken, _between_words(taken, from_ms), chance.randrange(CHUNK_MS)))
            slot += 1
        self._due = heapq.merge(*streams)

    def __iter__(self) -> Iterator[Due]:
        """All messages in the order of time."""
        return self._due

    def _slot(self, slot: int, call: Call, from_ms: int, phase_ms: int) -> Iterator[Due]:
        at_ms, turn = phase_ms, 0
        while at_ms < self._until_ms:
            playing = cut(call, from_ms)
            yield from self._call(f"s-{slot}-{turn}", playing, at_ms)
            at_ms += max(leg.duration_ms for leg in playing.legs) + CHUNK_MS
            if not self._runs_on:
                return
            from_ms, turn = 0, turn + 1

    def _call(self, call_id: str, call: Call, at_ms: int) -> Iterator[Due]:
        for side, leg in enumerate(call.legs):
            self.playing[f"p-{call_id}-{side}~0a0b0c0d"] = Playing(f"p-{call_id}-{side}~0a0b0c0d", leg, at_ms)
        longest_ms = min(max(leg.duration_ms for leg in call.legs), self._until_ms - at_ms)
        for number, media_ms in enumerate(range(0, longest_ms, CHUNK_MS)):
            for side, leg in enumerate(call.legs):
                stop_ms = min(media_ms + CHUNK_MS, leg.duration_ms, longest_ms)
                if stop_ms > media_ms:
                    end = stop_ms == min(leg.duration_ms, longest_ms)
                    yield self._due_at(call_id, side, leg, number, media_ms, stop_ms, at_ms, end=end)

    def _due_at(
        self, call_id: str, side: int, leg: Leg, number: int, media_ms: int, stop_ms: int, at_ms: int, *, end: bool
    ) -> Due:
        began = EPOCH + timedelta(milliseconds=at_ms)
        header = AudioChunk(
            call_id=call_id, leg_id=f"p-{call_id}-{side}~0a0b0c0d", party_id=f"p-{side}", role=leg.role,
            role_source="party_supervision" if leg.role != "unknown" else "unknown", sequence=number,
            codec="pcm_s16le", sample_rate_hz=RATE_HZ, media_time_ms=media_ms, duration_ms=stop_ms - media_ms,
            captured_at=began + timedelta(milliseconds=stop_ms), epoch=began, end=end,
        )  # fmt: skip
        self._number += 1
        message = Incoming(
            topic=AUDIO_CHUNKS, full_name=PLACE[0], partition=PLACE[1], offset=self._number, key=call_id,
            value=leg.pcm16[media_ms * RATE_HZ // 1000 * 2 : stop_ms * RATE_HZ // 1000 * 2],
            headers=tuple(encode_headers(header)), timestamp_ms=0,
        )  # fmt: skip
        return Due(at_ms + stop_ms, self._number, message)


def _between_words(call: Call, from_ms: int) -> int:
    """The first moment from ``from_ms`` on at which nobody is in the middle of a word."""
    spoken = sorted((w.start_ms, w.end_ms) for leg in call.legs for w in leg.words)
    for start_ms, end_ms in spoken:
        if start_ms <= from_ms < end_ms + 300:
            from_ms = end_ms + 300
    return from_ms
