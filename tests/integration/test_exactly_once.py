"""A transcriber killed again and again publishes what one that is left alone does: each final once, at its place."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import confluent_kafka
import pytest
import soundfile

from services.chassis.health import Health
from services.chassis.publisher import KafkaPublisher
from services.chassis.records import decode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.cli.adapters.child_process import ChildProcess
from services.contracts.records import AudioChunk, TranscriptLeg, Utterance
from services.contracts.topics import AUDIO_CHUNKS, TRANSCRIPTS_FINAL, TRANSCRIPTS_LEGS, Topic
from tests.support.brokers import Broker

ROOT = Path(__file__).parents[2]
CONVERSATIONS = ROOT / "tests" / "data" / "conversations"
CALLS = {"s-a0d7f1c2z19a": "broadband_outage", "s-b1e8a2d3z19a": "late_parcel"}
EPOCH = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CHUNK_MS = 200
STRETCH_MS = 9_000
KILLS = 4
SPEED = 8
WAIT_S = 60.0
Sent = tuple[AudioChunk, bytes]


def played(until_ms: int) -> list[list[Sent]]:
    """Four legs in the order of time, as one list for each stretch."""
    audio = {
        call: soundfile.read(CONVERSATIONS / f"{name}.flac", dtype="int16", always_2d=True)[0]
        for call, name in CALLS.items()
    }
    out: list[list[Sent]] = [[] for _ in range(until_ms // STRETCH_MS)]
    for at_ms in range(0, until_ms, CHUNK_MS):
        for call, samples in audio.items():
            for side, role in enumerate(("agent", "customer")):
                header = AudioChunk(
                    call_id=call, leg_id=f"p-{call[2:6]}-{side}~0a0b0c0d", party_id=f"p-{side}", role=role,
                    role_source="party_supervision", sequence=at_ms // CHUNK_MS, codec="pcm_s16le",
                    sample_rate_hz=8000, media_time_ms=at_ms, duration_ms=CHUNK_MS,
                    captured_at=EPOCH + timedelta(milliseconds=at_ms + CHUNK_MS), epoch=EPOCH,
                    end=at_ms + CHUNK_MS == until_ms,
                )  # fmt: skip
                value = samples[at_ms * 8 : (at_ms + CHUNK_MS) * 8, side].tobytes()
                out[at_ms // STRETCH_MS].append((header, value))
    return out


class Reader:
    """What a read_committed consumer of a topic of one partition has seen so far, raw."""

    def __init__(self, broker: Broker, full_name: str) -> None:
        self._consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader", "isolation.level": "read_committed"}
        )
        self._consumer.assign([confluent_kafka.TopicPartition(full_name, 0, confluent_kafka.OFFSET_BEGINNING)])
        self.seen: list[bytes] = []

    def read(self, wait_s: float) -> bool:
        """Take one more; whether there was one."""
        message = self._consumer.poll(wait_s)
        if message is None or message.error() is not None:
            return False
        self.seen.append(message.value() or b"")
        return True

    def close(self) -> None:
        self._consumer.close()


@dataclass(frozen=True, slots=True)
class Outcome:
    finals: list[Utterance]
    legs: list[TranscriptLeg]

    def spans(self) -> list[tuple[str, str, int, int]]:
        return sorted((u.leg_id, u.utterance_id, u.start_ms, u.end_ms) for u in self.finals)


class Run:
    """One playing of the audio into topics of its own."""

    def __init__(self, broker: Broker, prefix: str, folder: Path) -> None:
        self._broker, self._prefix, self._folder = broker, prefix, folder
        settings = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=prefix)
        ensure_topics(settings, partitions=1)
        self._publisher = KafkaPublisher(settings, service="test", health=Health())
        self._finals = Reader(broker, prefix + TRANSCRIPTS_FINAL.name)
        self._legs = Reader(broker, prefix + TRANSCRIPTS_LEGS.name)
        self._child = self._start()

    def play(self, stretches: Sequence[Sequence[Sent]], kills: random.Random | None) -> Outcome:
        """With `kills`, the service is killed once in each stretch but the last."""
        try:
            for number, stretch in enumerate(stretches):
                feed = threading.Thread(target=self._feed, args=(stretch,))
                feed.start()
                if kills is not None and number < len(stretches) - 1:
                    self._wait_for_a_moment(kills, after_a_final=number % 2 == 0)
                    self._child.kill()
                    self._child = self._start()
                feed.join()
            self._wait_for_legs(4)
            self._child.stop()
            assert self._child.exit_code() == 0
            while self._finals.read(1.0):
                pass
            return Outcome(_decoded(TRANSCRIPTS_FINAL, self._finals), _decoded(TRANSCRIPTS_LEGS, self._legs))
        finally:
            self._child.kill()
            self._publisher.close()
            self._finals.close()
            self._legs.close()

    def _start(self) -> ChildProcess:
        env = os.environ | {
            "KAFKA_BOOTSTRAP_SERVERS": self._broker.bootstrap_servers,
            "EARSHOT_TOPIC_PREFIX": self._prefix,
            "TRANSCRIBER_GROUP": f"{self._prefix}transcriber",
            "KAFKA_GROUP_INSTANCE_ID": "transcriber-0",
            "HEALTH_HOST": "127.0.0.1",
            "HEALTH_PORT": "0",
            # The test's pauses are not the call's.
            "TRANSCRIBER_LEG_QUIET_MS": "60000",
        }
        command = [sys.executable, "-m", "tests.support.scripted_transcriber"]
        return ChildProcess.start(command, log_path=self._folder / f"{self._prefix}log", env=env, cwd=ROOT)

    def _feed(self, stretch: Sequence[Sent]) -> None:
        for number, (header, value) in enumerate(stretch):
            event_id = f"{header.leg_id}/{header.sequence}"
            self._publisher.publish_bytes(AUDIO_CHUNKS, header.call_id, value, header, event_id=event_id)
            if number % 4 == 3:
                time.sleep(CHUNK_MS / 1000 / SPEED)

    def _wait_for_a_moment(self, kills: random.Random, *, after_a_final: bool) -> None:
        self._wait_for_final()
        if not after_a_final:
            time.sleep(kills.uniform(0.0, 0.6))

    def _wait_for_final(self) -> None:
        while self._finals.read(0.0):
            pass
        known, deadline_s = len(self._finals.seen), time.monotonic() + WAIT_S
        while len(self._finals.seen) == known:
            self._finals.read(0.01)
            self._check(deadline_s)

    def _wait_for_legs(self, count: int) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while len(self._legs.seen) < count:
            self._legs.read(0.1)
            self._check(deadline_s)

    def _check(self, deadline_s: float) -> None:
        assert self._child.exit_code() is None, self._child.log_path.read_text()[-2_000:]
        assert time.monotonic() < deadline_s, self._child.log_path.read_text()[-2_000:]


def _decoded(topic: Topic, reader: Reader) -> list:  # type: ignore[type-arg]
    return [decode(topic, value) for value in reader.seen]


@pytest.mark.timeout(400)
def test_what_is_published_under_kills_is_what_is_published_without(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    stretches = played((KILLS + 1) * STRETCH_MS)
    calm = Run(broker, f"{topic_prefix}calm.", tmp_path).play(stretches, None)
    killed = Run(broker, f"{topic_prefix}killed.", tmp_path).play(stretches, random.Random(20260302))
    assert len(calm.finals) > 12
    assert killed.spans() == calm.spans()
    for leg in {u.leg_id for u in killed.finals}:
        mine = sorted((u for u in killed.finals if u.leg_id == leg), key=lambda u: u.start_ms)
        assert all(one.end_ms <= other.start_ms for one, other in pairwise(mine))
    counts = [sorted((leg.leg_id, leg.status, leg.utterances) for leg in run.legs) for run in (calm, killed)]
    assert counts[0] == counts[1]
    assert len(counts[1]) == 4
