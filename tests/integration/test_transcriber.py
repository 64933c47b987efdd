"""The transcriber on real models: known words of a conversation, and the service on a broker with a restart."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import confluent_kafka
import numpy as np
import pytest
import soundfile

from services.chassis.clock import SystemClock
from services.chassis.consumer import Incoming
from services.chassis.errors import SettingError
from services.chassis.health import Health
from services.chassis.publisher import KafkaPublisher
from services.chassis.records import decode, encode_headers
from services.chassis.settings import KafkaSettings
from services.chassis.testing.fake_publisher import FakePublisher
from services.chassis.topic_admin import ensure_topics
from services.cli.adapters.audio_file import open_conversation
from services.cli.adapters.child_process import ChildProcess
from services.cli.domain.accuracy import bare, word_error_rate
from services.cli.domain.conversation import SPEAKERS, KnownWords, Speaker
from services.contracts.records import AudioChunk, TranscriptLeg, Utterance
from services.contracts.topics import (
    AUDIO_CHUNKS,
    TRANSCRIPTS_FINAL,
    TRANSCRIPTS_LEGS,
    TRANSCRIPTS_PARTIAL,
    Topic,
)
from services.transcriber.adapters.chunk_handler import ChunkHandler
from services.transcriber.adapters.decode_pool import DecodePool
from services.transcriber.adapters.silero import SileroModel
from services.transcriber.adapters.transcript_writer import TranscriptWriter
from services.transcriber.adapters.weights import model_folder, verified
from services.transcriber.adapters.whisper_engine import WhisperEngine
from services.transcriber.app import leg_limits, load_engine
from services.transcriber.config import TranscriberSettings
from services.transcriber.domain.recognition import Recognizer
from tests.support.brokers import Broker

CONVERSATIONS = Path(__file__).parents[1] / "data" / "conversations"
CALL = "s-a0d7f1c2z19a"
EPOCH = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CHUNK_MS = 200
MAX_WER = 0.15
WAIT_S = 90.0


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    folder = verified(model_folder(""), name="tiny.en", sha256="")
    return WhisperEngine(folder, model_name="tiny.en", compute_type="int8", workers=1, short_windows=True)


def leg_id(speaker: Speaker) -> str:
    return f"p-{speaker}~0a0b0c0d"


def chunks(name: str, *, until_ms: int | None = None) -> list[tuple[AudioChunk, bytes]]:
    """Both legs of a conversation, interleaved as they would arrive; each leg ends with its end marker."""
    samples, rate_hz = soundfile.read(CONVERSATIONS / f"{name}.flac", dtype="int16", always_2d=True)
    assert rate_hz == 8_000
    samples = samples[: until_ms * 8] if until_ms else samples
    out = []
    step = CHUNK_MS * 8
    total = len(samples) // 8 * 8
    for number, at in enumerate(range(0, total, step)):
        stop = min(at + step, total)
        for side, speaker in enumerate(SPEAKERS):
            header = AudioChunk(
                call_id=CALL, leg_id=leg_id(speaker), party_id=f"p-{speaker}", role=speaker,
                role_source="party_supervision", sequence=number, codec="pcm_s16le", sample_rate_hz=8000,
                media_time_ms=at // 8, duration_ms=(stop - at) // 8,
                captured_at=EPOCH + timedelta(milliseconds=stop // 8),
                epoch=EPOCH, end=stop == total,
            )  # fmt: skip
            out.append((header, np.ascontiguousarray(samples[at:stop, side]).tobytes()))
    return out


def check_words(finals: Sequence[Utterance], known: KnownWords, *, until_ms: int | None = None) -> None:
    """WER, first and last words, order and no overlap, on each leg."""
    for speaker in SPEAKERS:
        mine = sorted((u for u in finals if u.leg_id == leg_id(speaker)), key=lambda u: u.start_ms)
        assert all(one.end_ms <= other.start_ms for one, other in itertools.pairwise(mine))
        assert {u.role for u in mine} == {speaker}
        spoken = [w for w in known.words[speaker] if until_ms is None or w.end_ms <= until_ms]
        reference = known.publishable[speaker] if until_ms is None else " ".join(w.text for w in spoken)
        heard = " ".join(u.text for u in mine)
        assert word_error_rate(reference, heard) <= MAX_WER, heard
        words = [bare(word) for word in heard.split()]
        assert bare(spoken[0].text) in words[:3]
        if until_ms is None:
            assert bare(spoken[-1].text) in words[-3:]


@pytest.mark.timeout(300)
def test_the_known_words_of_a_conversation_are_heard(engine: WhisperEngine) -> None:
    publisher = heard(
        engine, TranscriberSettings(partial_step_ms=4_000, partials_off_after_ms=10**12), chunks("broadband_outage")
    )
    known = open_conversation(CONVERSATIONS / "broadband_outage.flac").known
    assert known is not None
    finals = publisher.records(TRANSCRIPTS_FINAL)
    check_words(finals, known)
    _check_times(finals, known)
    shown = " ".join(u.text for u in (*finals, *publisher.records(TRANSCRIPTS_PARTIAL)))
    assert all(secret not in shown for secret in known.hidden)


def heard(
    engine: Recognizer, settings: TranscriberSettings, played: Sequence[tuple[AudioChunk, bytes]]
) -> FakePublisher:
    """What becomes of chunks that come no faster than they are decoded."""
    publisher, clock = FakePublisher(), SystemClock()
    pool = DecodePool(engine, threads=1, wall_ms=lambda: 0)
    handler = ChunkHandler(
        detectors=SileroModel().detector, pool=pool, publisher=publisher,
        writer=TranscriptWriter(publisher, engine.identity, clock), clock=clock, limits=leg_limits(settings),
    )  # fmt: skip
    handler.assigned("t", 0, "")
    for offset, (header, value) in enumerate(played):
        headers = tuple((name, text) for name, text in encode_headers(header))
        message = Incoming(
            topic=AUDIO_CHUNKS, full_name="t", partition=0, offset=offset, key=CALL, value=value, headers=headers,
            timestamp_ms=0,
        )  # fmt: skip
        handler.handle(message)
        while pool.load()[0]:
            pool.wait(0.05)
            handler.idle()
        handler.idle()
    deadline_s = time.monotonic() + WAIT_S
    legs = {header.leg_id for header, _ in played}
    while len(publisher.records(TRANSCRIPTS_LEGS)) < len(legs) and time.monotonic() < deadline_s:
        pool.wait(0.1)
        handler.idle()
    pool.close()
    return publisher


FRENCH = Path("/usr/share/asterisk/sounds/fr_CA_f_June")
QUEUES = 'queues: {"62001": {languages: [fr], vocabulary: [Earshot]}}'


@pytest.mark.timeout(300)
def test_a_french_queue_is_transcribed_in_french_and_other_calls_as_set_for_all(tmp_path: Path) -> None:
    """On a human prompt of Debian's asterisk-core-sounds-fr-wav: all lines are busy."""
    queues = tmp_path / "queues.yaml"
    queues.write_text(QUEUES)
    settings = TranscriberSettings(model_name="base", queues=str(queues), partials_off_after_ms=0)
    try:
        engine = load_engine(settings)
    except SettingError as error:
        pytest.skip(str(error))
    if not FRENCH.is_dir():
        pytest.skip(f"no prompts in {FRENCH} (Debian: asterisk-core-sounds-fr-wav)")
    pause = np.zeros(8_000, dtype=np.int16)
    samples = np.concatenate([pause, soundfile.read(FRENCH / "tt-allbusy.wav", dtype="int16")[0], pause])
    samples = samples[: len(samples) // (CHUNK_MS * 8) * CHUNK_MS * 8]
    played = []
    for at in range(0, len(samples), CHUNK_MS * 8):
        audio = samples[at : at + CHUNK_MS * 8].tobytes()
        for leg, queue in (("p-1~0a0b0c0d", "62001"), ("p-2~0a0b0c0d", None)):
            header = AudioChunk(
                call_id=CALL, leg_id=leg, queue_id=queue, sequence=at // (CHUNK_MS * 8), codec="pcm_s16le",
                sample_rate_hz=8000, media_time_ms=at // 8, duration_ms=len(audio) // 16,
                captured_at=EPOCH + timedelta(milliseconds=at // 8 + CHUNK_MS), epoch=EPOCH,
                end=at + CHUNK_MS * 8 >= len(samples),
            )  # fmt: skip
            played.append((header, audio))
    finals = heard(engine, settings, played).records(TRANSCRIPTS_FINAL)
    french, other = ([u for u in finals if u.leg_id == leg] for leg in ("p-1~0a0b0c0d", "p-2~0a0b0c0d"))
    assert ({u.language for u in french}, {u.language for u in other}) == ({"fr"}, {"en"})
    assert "appel est important pour nous" in " ".join(u.text for u in french)


def _check_times(finals: Sequence[Utterance], known: KnownWords) -> None:
    """Words that are heard once and said once start when they were said: half of them within 200 ms."""
    off_ms = []
    for speaker in SPEAKERS:
        heard = [(bare(w.text), w.start_ms) for u in finals if u.leg_id == leg_id(speaker) for w in u.words]
        said = [(bare(w.text), w.start_ms) for w in known.words[speaker]]
        for word, start_ms in heard:
            places = [at for text, at in said if text == word]
            if len(places) == 1 and sum(text == word for text, _ in heard) == 1:
                off_ms.append(abs(places[0] - start_ms))
    assert len(off_ms) > 20
    assert float(np.median(off_ms)) <= 200


@contextmanager
def transcriber(broker: Broker, prefix: str, log_path: Path) -> Iterator[ChildProcess]:
    """The service as a process of its own; killed, not stopped, at the end."""
    env = os.environ | {
        "KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "EARSHOT_TOPIC_PREFIX": prefix,
        "TRANSCRIBER_GROUP": f"{prefix}transcriber",
        "KAFKA_GROUP_INSTANCE_ID": "transcriber-0",
        "HEALTH_HOST": "127.0.0.1",
        "HEALTH_PORT": "0",
    }
    child = ChildProcess.start(
        [sys.executable, "-m", "services.transcriber"], log_path=log_path, env=env, cwd=Path(__file__).parents[2]
    )
    try:
        yield child
    finally:
        child.kill()


def read_all(broker: Broker, full_name: str) -> list[confluent_kafka.Message]:
    """What a topic of one partition holds now."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "reader", "enable.partition.eof": True}
    )
    try:
        consumer.assign([confluent_kafka.TopicPartition(full_name, 0, confluent_kafka.OFFSET_BEGINNING)])
        out: list[confluent_kafka.Message] = []
        while True:
            message = consumer.poll(10.0)
            assert message is not None
            error = message.error()
            if error is not None and error.code() == confluent_kafka.KafkaError._PARTITION_EOF:
                return out
            assert error is None
            out.append(message)
    finally:
        consumer.close()


def records(broker: Broker, prefix: str, topic: Topic[Any]) -> list[Any]:
    return [decode(topic, message.value()) for message in read_all(broker, prefix + topic.name)]  # type: ignore[arg-type]


def wait_until(child: ChildProcess, enough: Any) -> None:
    deadline_s = time.monotonic() + WAIT_S
    while not enough():
        assert child.exit_code() is None, child.log_path.read_text()[-2_000:]
        assert time.monotonic() < deadline_s, child.log_path.read_text()[-2_000:]
        time.sleep(0.25)


@pytest.mark.timeout(400)
def test_a_killed_transcriber_loses_and_repeats_nothing_and_poison_is_put_aside(
    broker: Broker, topic_prefix: str, tmp_path: Path
) -> None:
    settings = KafkaSettings(kafka_bootstrap_servers=broker.bootstrap_servers, topic_prefix=topic_prefix)
    ensure_topics(settings, partitions=1)
    publisher = KafkaPublisher(settings, service="test", health=Health())
    until_ms = 60_000
    played = chunks("broadband_outage", until_ms=until_ms)
    half = len(played) // 2

    def publish(some: Sequence[tuple[AudioChunk, bytes]]) -> None:
        for header, value in some:
            publisher.publish_bytes(AUDIO_CHUNKS, CALL, value, header, event_id=f"{header.leg_id}/{header.sequence}")
        assert publisher.flush(30.0)

    def finals() -> list[Utterance]:
        return records(broker, topic_prefix, TRANSCRIPTS_FINAL)

    def legs() -> list[TranscriptLeg]:
        return records(broker, topic_prefix, TRANSCRIPTS_LEGS)

    with transcriber(broker, topic_prefix, tmp_path / "first.log") as child:
        publish(played[: half // 2])
        publisher.publish_value(AUDIO_CHUNKS, CALL, b"not audio", event_id="poison")
        publish(played[half // 2 : half])
        wait_until(child, lambda: len(finals()) >= 3)
    with transcriber(broker, topic_prefix, tmp_path / "second.log") as child:
        publish(played[half:])
        wait_until(child, lambda: {leg.leg_id for leg in legs()} == {leg_id(s) for s in SPEAKERS})
        wait_until(child, lambda: len(read_all(broker, f"{topic_prefix}{AUDIO_CHUNKS.name}.dlq")) >= 1)
        child.stop()
        assert child.exit_code() == 0
    assert publisher.close()
    by_id = {u.utterance_id: u for u in finals()}
    assert all(leg.status == "complete" for leg in legs())
    known = open_conversation(CONVERSATIONS / "broadband_outage.flac").known
    assert known is not None
    check_words(list(by_id.values()), known, until_ms=until_ms)
    dead = read_all(broker, f"{topic_prefix}{AUDIO_CHUNKS.name}.dlq")
    ids = {dict(message.headers() or [])["dlq_id"] for message in dead}
    assert len(ids) == 1
    assert dict(dead[0].headers() or [])["dlq_reason"] == b"bad_headers"
    assert dead[0].value() == b"not audio"
