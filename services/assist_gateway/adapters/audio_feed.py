"""Audio of the calls that somebody listens to, straight from `audio.chunks`, from now on.

A consumer without a group stands at the end of just those partitions that have such a call; nobody listens, nothing is
read. All calls' topics are partitioned alike, so a call's partition is known from its other records.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable

import confluent_kafka
import structlog

from services.assist_gateway.domain.listening import Channel, Piece
from services.chassis import metrics
from services.chassis.consumer import Incoming, incoming_from
from services.chassis.errors import Poison
from services.chassis.records import decode_headers
from services.chassis.settings import KafkaSettings
from services.contracts.topics import AUDIO_CHUNKS

log = structlog.get_logger()
HEADER = struct.Struct(">BBBBHHIIII")
VERSION = 1
CHANNELS: dict[Channel, int] = {"agent": 0, "customer": 1, "mixed": 2, "unknown": 2}
LOOK_EVERY_S = 0.1
AGAIN_S = 1.0
MOST = 2**32 - 1


def frame(stream: int, leg: int, piece: Piece) -> bytes:
    """A piece as a binary message; PROTOCOL.md has the layout."""
    numbers = (piece.sample_rate_hz, piece.media_time_ms, piece.gap_before_ms, piece.skipped_ms)
    head = HEADER.pack(
        VERSION, CHANNELS[piece.channel], 0 if piece.pcmu else 1, int(piece.end), stream, min(leg, 65_535),
        *(min(number, MOST) for number in numbers),
    )  # fmt: skip
    return head + piece.audio


class AudioFeed:
    """Implements Feed. `on_piece` is called on the feed's thread. `stop` ends it."""

    def __init__(self, settings: KafkaSettings, on_piece: Callable[[str, Piece], None]) -> None:
        self._settings = settings
        self._full_name = settings.topic_prefix + AUDIO_CHUNKS.name
        self._on_piece = on_piece
        self._calls: dict[str, int] = {}
        self._wanted = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, calls: dict[str, int]) -> None:
        """See Feed."""
        self._calls = calls
        if calls:
            self._wanted.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="assist-audio", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wanted.wait()
            self._wanted.clear()
            while self._calls and not self._stop.is_set():
                try:
                    self._read_while_wanted()
                except confluent_kafka.KafkaException as error:
                    log.warning("audio_feed_broken", error=error.args[0].name())
                    self._stop.wait(AGAIN_S)

    def _read_while_wanted(self) -> None:
        options = {"group.id": "earshot-assist-audio-unused", "enable.auto.commit": False, "fetch.wait.max.ms": 100}
        consumer = confluent_kafka.Consumer(options | self._settings.kafka_options())
        assigned: set[int] = set()
        try:
            while not self._stop.is_set():
                calls = self._calls
                if not calls:
                    return
                assigned = self._assign(consumer, assigned, set(calls.values()))
                message = consumer.poll(LOOK_EVERY_S)
                if message is None:
                    continue
                error = message.error()
                if error is not None:
                    log.info("audio_waiting", error=error.name())
                    self._stop.wait(LOOK_EVERY_S)
                    continue
                self._take(message, calls)
        finally:
            consumer.close()

    def _assign(self, consumer: confluent_kafka.Consumer, assigned: set[int], wanted: set[int]) -> set[int]:
        if wanted - assigned:
            consumer.incremental_assign([self._end_of(partition) for partition in wanted - assigned])
        if assigned - wanted:
            consumer.incremental_unassign([self._end_of(partition) for partition in assigned - wanted])
        return wanted

    def _end_of(self, partition: int) -> confluent_kafka.TopicPartition:
        return confluent_kafka.TopicPartition(self._full_name, partition, confluent_kafka.OFFSET_END)

    def _take(self, message: confluent_kafka.Message, calls: dict[str, int]) -> None:
        incoming = incoming_from(message, {self._full_name: AUDIO_CHUNKS})
        if incoming.key not in calls:
            return
        metrics.CONSUMED.labels(incoming.full_name).inc()
        try:
            piece = piece_from(incoming)
        except Poison as poison:  # the transcriber, whose topic it is, has dead-lettered it
            metrics.DEAD_LETTERED.labels(incoming.full_name, poison.reason).inc()
            return
        self._on_piece(incoming.key, piece)


def piece_from(message: Incoming) -> Piece:
    """The audio in a message; raises Poison."""
    chunk = decode_headers(AUDIO_CHUNKS, message.headers)
    if chunk.call_id != message.key:
        raise Poison("wrong_key", "the key is not the call_id of the headers")
    return Piece(
        leg_id=chunk.leg_id, channel=chunk.role, pcmu=chunk.codec == "pcmu", sample_rate_hz=chunk.sample_rate_hz,
        media_time_ms=chunk.media_time_ms, duration_ms=chunk.duration_ms, gap_before_ms=chunk.gap_before_ms,
        end=chunk.end, audio=message.value or b"",
    )  # fmt: skip
