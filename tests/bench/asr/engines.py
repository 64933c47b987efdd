"""The engines that are measured, by the name of their weights."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from faster_whisper import WhisperModel

from services.chassis.errors import SettingError
from services.transcriber.adapters.weights import model_folder, verified
from services.transcriber.adapters.whisper_engine import Stage, WhisperEngine
from services.transcriber.config import CACHE_DIR

MODELS = ("tiny.en", "base")


def load_engine(model: str, *, short_windows: bool = True, stage: Stage | None = None) -> WhisperEngine:
    """The product's engine with its defaults. Raises SettingError where the weights are not installed."""
    return WhisperEngine(
        _folder(model), model_name=model, compute_type="int8", workers=1, short_windows=short_windows,
        stage=stage or (lambda _: nullcontext()),
    )  # fmt: skip


def missing(model: str) -> str:
    """Why a model is not measured; empty where its weights are there."""
    try:
        _folder(model)
    except SettingError as error:
        return str(error)
    return ""


def offline(model: str) -> WhisperModel:
    """faster-whisper as it is, with the same weights and number format."""
    return WhisperModel(str(_folder(model)), device="cpu", compute_type="int8", cpu_threads=1)


def _folder(model: str) -> Path:
    return verified(model_folder("", model, cache=CACHE_DIR), name=model, sha256="")
