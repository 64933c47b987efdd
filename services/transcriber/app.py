"""Wiring: audio.chunks through the legs' state machines and the decode pool to transcripts.*.

One thread polls, hears and publishes; the pool's threads decode. All state of a leg is touched by the first alone.
Finals, legs' ends and dead letters leave in a transaction with the offsets; partials at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import structlog

from services.chassis.clock import Clock
from services.chassis.consumer import ConsumeLoop
from services.chassis.errors import Fatal, SettingError
from services.chassis.publisher import KafkaPublisher
from services.chassis.service import Service
from services.chassis.settings import load
from services.chassis.transactions import TransactionalPublisher, transactional_id
from services.contracts.topics import AUDIO_CHUNKS
from services.transcriber.adapters.chunk_handler import ChunkHandler, LegLimits
from services.transcriber.adapters.compute_device import check_ctranslate2, check_torch
from services.transcriber.adapters.decode_pool import DecodePool
from services.transcriber.adapters.model_vocabulary import Expected, check_speech
from services.transcriber.adapters.openai_engine import OpenAIWhisperEngine
from services.transcriber.adapters.queues_file import SETTING as QUEUES
from services.transcriber.adapters.queues_file import load_queues
from services.transcriber.adapters.silero import SileroModel, silero_file
from services.transcriber.adapters.transcript_writer import TranscriptWriter
from services.transcriber.adapters.weights import model_folder, verified
from services.transcriber.adapters.whisper_engine import WhisperEngine
from services.transcriber.config import ComputeType, TranscriberSettings
from services.transcriber.domain.endpointing import EndpointRules, VoiceDetector
from services.transcriber.domain.policy import read_policy
from services.transcriber.domain.queues import FIELDS, Speech
from services.transcriber.domain.recognition import Recognizer

log = structlog.get_logger()


def main(service: Service[TranscriberSettings]) -> None:
    """Run until told to stop."""
    settings = service.settings
    service.health.waiting("model", "loading")
    engine = load_engine(settings)
    detectors = SileroModel()
    service.health.ready("model")
    log.info("model_loaded", engine=settings.engine, model=settings.model_name, version=engine.identity.version)
    serve(service, engine, detectors.detector)


def load_engine(settings: TranscriberSettings) -> Recognizer:
    """The engine that the settings ask for. Raises SettingError that names what to change."""
    folder = _weights(settings, _queues(settings))
    _check_device(settings)
    if settings.engine == "openai-whisper":
        return OpenAIWhisperEngine(
            folder,
            model_name=settings.model_name,
            device=settings.device,
            threads=settings.decode_threads,
            languages=settings.spoken_languages,
            hot_words=settings.vocabulary,
        )
    try:
        return WhisperEngine(
            folder,
            model_name=settings.model_name,
            compute_type=settings.compute_type,
            workers=settings.decode_threads,
            short_windows=settings.short_windows,
            device=settings.device,
            languages=settings.spoken_languages,
            hot_words=settings.vocabulary,
            runtime=settings.runtime,
        )
    except RuntimeError as error:
        if settings.device == "cpu":
            raise
        raise SettingError(f"TRANSCRIBER_DEVICE: {settings.device} cannot be used ({error})") from None


def serve(service: Service[TranscriberSettings], engine: Recognizer, detectors: Callable[[int], VoiceDetector]) -> None:
    """Run until told to stop, with any engine. ``detectors`` makes a voice detector for a rate in Hz."""
    settings = service.settings
    plain = KafkaPublisher(
        settings, service=service.name, health=service.health, dead_letter_limit=settings.dead_letter_limit
    )
    committer = _committer(service)
    publisher = committer or plain
    pool = DecodePool(
        engine,
        threads=settings.decode_threads,
        wall_ms=lambda: _wall_ms(service.clock),
        batch=settings.decode_batch,
    )
    handler = ChunkHandler(
        detectors=detectors,
        pool=pool,
        publisher=publisher,
        writer=TranscriptWriter(publisher, engine.identity, service.clock, partials=plain),
        clock=service.clock,
        limits=leg_limits(settings),
    )
    loop = ConsumeLoop(
        settings, group=settings.group, topics=[AUDIO_CHUNKS], handler=handler, publisher=publisher,
        health=service.health, group_instance_id=settings.group_instance_id, start=settings.start, poll_s=0.02,
        assignor=settings.assignor, committer=committer,
    )  # fmt: skip
    try:
        if committer is not None:
            committer.open(service.stop)
        loop.run(service.stop, service.clock.monotonic_s)
    finally:
        pool.close()
        if not plain.close():
            log.error("unacknowledged_at_stop")


def _committer(service: Service[TranscriberSettings]) -> TransactionalPublisher | None:
    settings = service.settings
    if settings.delivery == "at_least_once":
        return None
    return TransactionalPublisher(
        settings,
        service=service.name,
        transactional_id=transactional_id(settings, group=settings.group, instance_id=settings.group_instance_id),
        health=service.health,
        clock=service.clock,
        dead_letter_limit=settings.dead_letter_limit,
    )


def leg_limits(settings: TranscriberSettings) -> LegLimits:
    """The settings as the handler's limits."""
    return LegLimits(
        rules=EndpointRules(silence_ms=settings.silence_ms, max_ms=settings.max_utterance_ms),
        partial_step_ms=settings.partial_step_ms,
        partials_off_after_ms=settings.partials_off_after_ms,
        number_hold_ms=settings.number_hold_ms,
        languages=settings.spoken_languages,
        queues=_queues(settings),
        redact=read_policy(settings.redact),
        backlog=settings.backlog,
        quiet_ms=settings.leg_quiet_ms,
        timeout_ms=settings.leg_timeout_ms,
    )


def check() -> int:
    """Whether the models are there and whole: a line on standard output and 0, or why not and 2 or 1."""
    try:
        settings = load(TranscriberSettings)
        queues = _queues(settings)
        folder = _weights(settings, queues)
        _check_device(settings)
        silero_file()
    except SettingError as error:
        print(str(error), file=sys.stderr)
        return 2
    except Fatal as error:
        print(str(error), file=sys.stderr)
        return 1
    print(f"transcriber: {settings.model_name} in {folder} is whole, the voice detector is there")
    for queue, speech in queues.items():
        languages = ", ".join(speech.languages) or "languages as set for all"
        words = "vocabulary as set for all" if speech.hot_words is None else speech.hot_words or "no vocabulary"
        print(f"queue {queue}: {languages}; {words}")
    return 0


def _weights(settings: TranscriberSettings, queues: Mapping[str, Speech]) -> Path:
    """The model's folder. Raises SettingError where it is not whole, or is not for what the settings expect."""
    folder = model_folder(settings.model_dir, settings.model_name, cache=Path(settings.model_cache_dir))
    folder = verified(folder, name=settings.model_name, sha256=settings.model_sha256)
    for_all = Speech(settings.spoken_languages, settings.vocabulary)
    expected = [Expected("TRANSCRIBER_LANGUAGES", "TRANSCRIBER_VOCABULARY", for_all)]
    for queue, speech in queues.items():
        languages, vocabulary = (f"{QUEUES}: queue {queue}, {field}" for field in FIELDS)
        expected.append(Expected(languages, vocabulary, speech))
    check_speech(folder, settings.model_name, expected)
    return folder


def _check_device(settings: TranscriberSettings) -> None:
    if settings.engine == "openai-whisper":
        check_torch(settings.device)
    else:
        check_ctranslate2(settings.device, settings.compute_type, get_args(ComputeType))


def _queues(settings: TranscriberSettings) -> dict[str, Speech]:
    return load_queues(settings.queues, english_only=settings.english_only)


def _wall_ms(clock: Clock) -> int:
    return int(clock.now().timestamp() * 1000)
