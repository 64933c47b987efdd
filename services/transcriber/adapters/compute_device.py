"""Whether this machine has the device and the number format that the settings name."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

import ctranslate2

from services.chassis.errors import SettingError

CUDA = "cuda"
NO_GPU = "TRANSCRIBER_DEVICE: cuda: no GPU is found, or no driver for it; cpu works everywhere"


def check_ctranslate2(device: str, compute_type: str, choices: Sequence[str]) -> None:
    """Raise SettingError where CTranslate2 cannot compute so here. ``choices`` are the formats one may ask for."""
    if device == CUDA and not ctranslate2.get_cuda_device_count():
        raise SettingError(NO_GPU)
    known = ctranslate2.get_supported_compute_types(device)
    if compute_type not in known:
        fit = ", ".join(sorted(known.intersection(choices)))
        raise SettingError(f"TRANSCRIBER_COMPUTE_TYPE: {compute_type} is not for this {device}; there are {fit}")


def check_torch(device: str) -> None:
    """The same for openai-whisper, which computes in floats. Without torch it is its engine that says so."""
    if device == CUDA and find_spec("torch") is not None:
        import torch

        if not torch.cuda.is_available():
            raise SettingError(NO_GPU)
