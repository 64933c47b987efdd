"""The engines that are measured, by the name of their weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from services.chassis.errors import SettingError
from services.transcriber.adapters.weights import model_folder, verified
from services.transcriber.adapters.whisper_engine import Stage, WhisperEngine

MODELS = ("tiny.en", "base")


def load_engine(model: str, *, short_windows: bool = True, stage: Stage | None = None) -> WhisperEngine:
    """The product's engine with its defaults. Raises SettingError where the weights are not installed."""
    folder = verified(model_folder("", model), name=model, sha256="")
    return WhisperEngine(
        folder, model_name=model, compute_type="int8", workers=1, short_windows=short_windows,
        stage=stage or (lambda _: nullcontext()),
    )  # fmt: skip


def installed() -> Iterator[str]:
    """Names of the models whose weights are there."""
    for model in MODELS:
        with _skipping():
            model_folder("", model)
            yield model


@contextmanager
def _skipping() -> Iterator[None]:
    try:
        yield
    except SettingError:
        return
