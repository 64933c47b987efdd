"""The transcriber's settings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from services.chassis.settings import ServiceSettings
from services.transcriber.domain.policy import read_policy

CACHE_DIR = Path(tempfile.gettempdir()) / "earshot-models"
ComputeType = Literal["int8", "int8_float32", "float32", "float16", "int8_float16"]


class TranscriberSettings(ServiceSettings):
    """Read from the environment; see the descriptions."""

    group: str = Field("transcriber", validation_alias="TRANSCRIBER_GROUP", description="consumer group")
    assignor: Literal["cooperative-sticky", "range", "roundrobin"] = Field(
        "range",
        validation_alias="TRANSCRIBER_ASSIGNOR",
        description="how the group shares partitions: cooperative-sticky (several replicas on Apache Kafka: those that"
        " stay put are read on while others move), range or roundrobin",
    )
    delivery: Literal["exactly_once", "at_least_once"] = Field(
        "exactly_once",
        validation_alias="TRANSCRIBER_DELIVERY",
        description="exactly_once: finals and offsets in one transaction, its id made of KAFKA_GROUP_INSTANCE_ID"
        " or the host's name; at_least_once: a restart may repeat up to a second of finals",
    )
    start: Literal["earliest", "latest"] = Field(
        "earliest", validation_alias="TRANSCRIBER_START", description="where a group without offsets begins"
    )
    engine: Literal["faster-whisper", "openai-whisper"] = Field(
        "faster-whisper",
        validation_alias="TRANSCRIBER_ENGINE",
        description="faster-whisper, or openai-whisper: slower, on full windows, with the packages of"
        " infra/requirements/transcriber_openai.txt",
    )
    model_dir: str = Field(
        "",
        validation_alias="TRANSCRIBER_MODEL_DIR",
        description="folder of a CTranslate2 Whisper model; empty: the packages that hold tiny.en or base",
    )
    model_name: str = Field(
        "tiny.en",
        validation_alias="TRANSCRIBER_MODEL_NAME",
        description="name of the weights, as records give it: tiny.en (installed), base (the extra transcriber_base),"
        " or that of your own in TRANSCRIBER_MODEL_DIR",
    )
    model_cache_dir: str = Field(
        str(CACHE_DIR),
        validation_alias="TRANSCRIBER_MODEL_CACHE_DIR",
        description="where weights that come in parts are joined",
    )
    model_sha256: str = Field(
        "",
        validation_alias="TRANSCRIBER_MODEL_SHA256",
        description="SHA-256 of model.bin; empty: the known one of the model's name",
    )
    compute_type: ComputeType = Field(
        "int8", validation_alias="TRANSCRIBER_COMPUTE_TYPE", description="CTranslate2's number format"
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu", validation_alias="TRANSCRIBER_DEVICE", description="cpu, or cuda with TRANSCRIBER_COMPUTE_TYPE=float16"
    )
    runtime: Literal["onnxruntime", "ctranslate2"] = Field(
        "onnxruntime",
        validation_alias="TRANSCRIBER_RUNTIME",
        description="of faster-whisper in int8 on a CPU: graphs of our own, which cost half, or CTranslate2",
    )
    decode_threads: int = Field(
        1, ge=1, le=64, validation_alias="TRANSCRIBER_DECODE_THREADS", description="decodes at a time, one core each"
    )
    decode_batch: int = Field(
        8,
        ge=1,
        le=64,
        validation_alias="TRANSCRIBER_DECODE_BATCH",
        description="most decodes done together by CTranslate2: about 8 on a CPU, 32 on a GPU",
    )
    languages: str = Field(
        "en",
        validation_alias="TRANSCRIBER_LANGUAGES",
        description="what is spoken: one language (en), some (en,fr) of which each leg's first seconds tell, or empty"
        " for any; others than en need a multilingual model such as base",
    )
    vocabulary: str = Field(
        "",
        validation_alias="TRANSCRIBER_VOCABULARY",
        description="names and terms to expect, such as `Harbor Internet, Emilie`; not with tiny.en, which gets worse",
    )
    queues: str = Field(
        "",
        validation_alias="TRANSCRIBER_QUEUES",
        description="YAML file of languages and vocabulary by queue, see docs/transcriber.md; empty: all alike",
    )
    short_windows: bool = Field(
        True,
        validation_alias="TRANSCRIBER_SHORT_WINDOWS",
        description="encode only the speech, with the states of silence behind it; off: always 30 s windows",
    )
    partial_step_ms: int = Field(
        700, ge=200, validation_alias="TRANSCRIBER_PARTIAL_STEP_MS", description="new speech between two partials"
    )
    partials_off_after_ms: int = Field(
        3_000,
        ge=0,
        validation_alias="TRANSCRIBER_PARTIALS_OFF_AFTER_MS",
        description="lateness of the decodes past which no partials are made",
    )
    silence_ms: int = Field(
        544, ge=256, le=5_000, validation_alias="TRANSCRIBER_SILENCE_MS", description="silence that ends an utterance"
    )
    max_utterance_ms: int = Field(
        14_016, ge=4_000, le=26_000, validation_alias="TRANSCRIBER_MAX_UTTERANCE_MS", description="longest utterance"
    )
    number_hold_ms: int = Field(
        4_000,
        ge=0,
        validation_alias="TRANSCRIBER_NUMBER_HOLD_MS",
        description="silence after which what a final ends in is not gone on with; till then a final that ends in"
        " digits waits",
    )
    redact: str = Field(
        "",
        validation_alias="TRANSCRIBER_REDACT",
        description="what becomes of each kind of personal data, such as `phone=keep,payment_card=last4`: hide, keep"
        " or last4; kinds: payment_card, bank_account, iban, social_security, tax_number, phone, email,"
        " date_of_birth, other; what is not named is hidden",
    )
    backlog: int = Field(
        32, ge=1, validation_alias="TRANSCRIBER_BACKLOG", description="waiting finals past which no audio is read"
    )
    leg_quiet_ms: int = Field(
        3_000, ge=500, validation_alias="TRANSCRIBER_LEG_QUIET_MS", description="no audio for so long ends an utterance"
    )
    leg_timeout_ms: int = Field(
        300_000, ge=1_000, validation_alias="TRANSCRIBER_LEG_TIMEOUT_MS", description="no audio for so long ends a leg"
    )

    @property
    def spoken_languages(self) -> tuple[str, ...]:
        """Of `languages`."""
        return tuple(filter(None, (name.strip() for name in self.languages.split(","))))

    @property
    def english_only(self) -> str:
        """The model's name where it knows English alone, else empty."""
        return self.model_name if self.model_name.endswith(".en") else ""

    @model_validator(mode="after")
    def _fit_the_model(self) -> Self:
        if self.english_only:
            if self.spoken_languages != ("en",):
                raise ValueError(f"TRANSCRIBER_LANGUAGES: {self.model_name} knows English alone; base knows others")
            if self.vocabulary:
                raise ValueError(f"TRANSCRIBER_VOCABULARY: {self.model_name} gets worse with one; base gets better")
        return self

    @field_validator("redact")
    @classmethod
    def _readable(cls, value: str) -> str:
        read_policy(value)
        return value
