"""Legs of the repository's conversations played into a group of transcribers, and what comes of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import confluent_kafka
import numpy as np
import orjson
import soundfile

from services.chassis.health import Health
from services.chassis.publisher import KafkaPublisher
from services.chassis.records import decode
from services.chassis.settings import KafkaSettings
from services.chassis.topic_admin import ensure_topics
from services.cli.adapters.child_process import ChildProcess
from services.contracts.records import AudioChunk, TranscriptLeg, Utterance
from services.contracts.topics import AUDIO_CHUNKS, TRANSCRIPTS_FINAL, TRANSCRIPTS_LEGS, Topic
from tests.support.conversations import FOLDER

ROOT = Path(__file__).parents[2]
CHUNK_MS = 200
BYTES_PER_MS = 16
ROLES = ("agent", "customer")
Sent = tuple[AudioChunk, bytes]


def call_ids(count: int, partitions: int) -> list[str]:
    """Ids that librdkafka's partitioner spreads evenly."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        call_id = f"s-{number:08x}z19a"
        if crc32(call_id.encode()) % partitions == len(found) % partitions:
            found.append(call_id)
        number += 1
    return found


def legs_played(calls: Sequence[str], duration_ms: int, epoch: datetime) -> Iterator[tuple[int, list[Sent]]]:
    """What is sent at each media time, over all legs. A call plays a conversation, again from its start at the end."""
    files = sorted(FOLDER.glob("*.flac"))
    audio = []
    for number in range(len(calls)):
        samples, _ = soundfile.read(files[number % len(files)], dtype="int16", always_2d=True)
        samples = np.roll(samples, -(number // len(files)) * 37 * 8_000, axis=0)  # a repeated one begins elsewhere
        audio.append(np.resize(samples, (duration_ms * 8, 2)))
    for at_ms in range(0, duration_ms, CHUNK_MS):
        sent: list[Sent] = []
        for call_id, samples in zip(calls, audio, strict=True):
            for side, role in enumerate(ROLES):
                header = AudioChunk(
                    call_id=call_id, leg_id=f"p-{call_id[2:]}-{side}~0a0b0c0d", party_id=f"p-{call_id[2:]}-{side}",
                    role=role, role_source="party_supervision", sequence=at_ms // CHUNK_MS, codec="pcm_s16le",
                    sample_rate_hz=8000, media_time_ms=at_ms, duration_ms=CHUNK_MS,
                    captured_at=epoch + timedelta(milliseconds=at_ms + CHUNK_MS), epoch=epoch,
                    end=at_ms + CHUNK_MS >= duration_ms,
                )  # fmt: skip
                sent.append((header, samples[at_ms * 8 : (at_ms + CHUNK_MS) * 8, side].tobytes()))
        yield at_ms, sent


class Worker:
    """One transcriber process with a fixed place in its group; it may be killed and started again."""

    def __init__(self, name: str, *, module: str, env: Mapping[str, str], folder: Path, nice: int = 0) -> None:
        """``nice``: how far the others go before it."""
        self.name = name
        self._command = ["nice", "-n", str(nice), sys.executable, "-m", module]
        self._env = os.environ | env | {"KAFKA_GROUP_INSTANCE_ID": name, "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": "0"}
        self.log_path = folder / f"{name}.log"
        self._child: ChildProcess | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._child is None:
            self._child = ChildProcess.start(self._command, log_path=self.log_path, env=self._env, cwd=ROOT)

    def kill(self) -> None:
        """SIGKILL."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def stop(self) -> int:
        """SIGTERM; the exit code, 0 where it does not run."""
        code = self._child.stop(grace_s=20.0) if self._child is not None else 0
        self._child = None
        return code

    def check(self) -> None:
        """Raise AssertionError with the log's end if it has ended by itself."""
        code = None if self._child is None else self._child.exit_code()
        assert code is None, f"{self.name} ended with {code}\n{self.log_path.read_text()[-3_000:]}"

    def told(self, event: str) -> list[dict[str, Any]]:
        """The log's entries of one kind."""
        lines = self.log_path.read_bytes().splitlines() if self.log_path.exists() else []
        entries = [orjson.loads(line) for line in lines if line.startswith(b"{")]
        return [entry for entry in entries if entry.get("event") == event]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a read_committed reader holds, raw: repeats are not taken out."""

    finals: list[Utterance]
    legs: list[TranscriptLeg]

    def utterances(self) -> dict[str, Any]:
        """All that does not speak of when it was worked on, by utterance id."""
        return {
            u.utterance_id: (
                u.leg_id, u.role, u.start_ms, u.end_ms, u.text, u.gap_before_ms, u.end_of_turn,
                tuple((w.text, w.start_ms, w.end_ms) for w in u.words),
                tuple((r.type, r.start, r.end, r.start_ms, r.end_ms) for r in u.redactions),
            )
            for u in self.finals
        }  # fmt: skip

    def leg_counts(self) -> list[tuple[Any, ...]]:
        """The legs' own records, but for their times."""
        return sorted(
            (leg.leg_id, leg.status, leg.utterances, leg.words, leg.audio_ms, leg.gap_ms, leg.reason)
            for leg in self.legs
        )


@dataclass(slots=True)
class Group:
    """Topics of its own and a group of workers that transcribes them."""

    bootstrap_servers: str
    prefix: str
    partitions: int
    workers: list[Worker] = field(default_factory=list)
    _publisher: KafkaPublisher = field(init=False)
    _finals: Reader = field(init=False)
    _legs: Reader = field(init=False)

    def __post_init__(self) -> None:
        settings = KafkaSettings(kafka_bootstrap_servers=self.bootstrap_servers, topic_prefix=self.prefix)
        ensure_topics(settings, partitions=self.partitions)
        self._publisher = KafkaPublisher(settings, service="test", health=Health())
        self._finals = Reader(self.bootstrap_servers, self.prefix, TRANSCRIPTS_FINAL, self.partitions)
        self._legs = Reader(self.bootstrap_servers, self.prefix, TRANSCRIPTS_LEGS, self.partitions)

    def add_worker(self, name: str, *, module: str, folder: Path, nice: int = 0, **env: str) -> Worker:
        """A worker, not yet started."""
        shared = {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "EARSHOT_TOPIC_PREFIX": self.prefix,
            "TRANSCRIBER_GROUP": f"{self.prefix}transcriber",
            "TRANSCRIBER_ASSIGNOR": "cooperative-sticky",
        }
        self.workers.append(Worker(name, module=module, env=shared | env, folder=folder, nice=nice))
        return self.workers[-1]

    def send(self, sent: Sequence[Sent]) -> None:
        """Publish chunks."""
        for header, value in sent:
            event_id = f"{header.leg_id}/{header.sequence}"
            self._publisher.publish_bytes(AUDIO_CHUNKS, header.call_id, value, header, event_id=event_id)

    def outcome(self, legs: int, *, within_s: float, tend: Callable[[], None] = lambda: None) -> Outcome:
        """Wait until so many legs are said to be finished, stop the workers, read the rest."""
        deadline_s = time.monotonic() + within_s
        while len({leg.leg_id for leg in self._legs.records}) < legs:
            tend()
            self.check()
            self._legs.read(0.1)
            done = len({leg.leg_id for leg in self._legs.records})
            assert time.monotonic() < deadline_s, f"{done} of {legs} legs are finished"
        codes = [worker.stop() for worker in self.workers]
        assert not any(codes), codes
        for reader in (self._finals, self._legs):
            while reader.read(1.0):
                pass
        return Outcome(list(self._finals.records), list(self._legs.records))

    def check(self) -> None:
        """Raise AssertionError if a worker has ended by itself."""
        for worker in self.workers:
            worker.check()

    def close(self) -> None:
        """End everything."""
        for worker in self.workers:
            worker.kill()
        self._publisher.close()
        self._finals.close()
        self._legs.close()


class Reader:
    """A read_committed consumer of all partitions of a topic, from the start; repeats are kept."""

    def __init__(self, bootstrap_servers: str, prefix: str, topic: Topic[Any], partitions: int) -> None:
        self._topic = topic
        self._consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": bootstrap_servers, "group.id": "reader", "isolation.level": "read_committed"}
        )
        first = confluent_kafka.OFFSET_BEGINNING
        self._consumer.assign(
            [confluent_kafka.TopicPartition(prefix + topic.name, partition, first) for partition in range(partitions)]
        )
        self.records: list[Any] = []

    def read(self, wait_s: float) -> bool:
        """Take one more; whether there was one."""
        message = self._consumer.poll(wait_s)
        if message is None or message.error() is not None:
            return False
        self.records.append(decode(self._topic, message.value() or b""))
        return True

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL for a worker at a time, and how long it stays away."""

    at_s: float
    worker: int
    away_s: float = 0.0


class Killing:
    """Carries out kills when they are due; ``tend`` it often."""

    def __init__(self, group: Group, kills: Sequence[Kill]) -> None:
        self._group = group
        self._due = sorted(kills, key=lambda kill: kill.at_s)
        self._back: list[tuple[float, Worker]] = []
        self.done: list[tuple[Kill, datetime]] = []

    def tend(self, now_s: float) -> None:
        """Kill and start again what is due."""
        while self._due and self._due[0].at_s <= now_s:
            kill = self._due.pop(0)
            worker = self._group.workers[kill.worker]
            worker.kill()
            self.done.append((kill, datetime.now(UTC)))
            self._back.append((now_s + kill.away_s, worker))
        for back in [back for back in self._back if back[0] <= now_s]:
            self._back.remove(back)
            back[1].start()


def play(groups: Sequence[Group], calls: Sequence[str], duration_ms: int, *, speed: float, killing: Killing) -> None:
    """Send the legs' audio to every group, paced, and kill meanwhile."""
    began_s = time.monotonic()
    for at_ms, sent in legs_played(calls, duration_ms, datetime.now(UTC)):
        while (now_s := time.monotonic() - began_s) < (at_ms + CHUNK_MS) / 1000 / speed:
            killing.tend(now_s)
            time.sleep(0.005)
        for group in groups:
            group.send(sent)
            group.check()
