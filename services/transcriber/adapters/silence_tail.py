"""The encoder states of the silence that follows speech, made from the model itself.

The states must come after real speech (those of pure silence decode badly), hold none of it, and be averaged over
several voices; three short clips of test speech that ship beside this module give them. They stand at their own
positions: a state's index is its time in the 30-second window, 50 a second.
"""

from __future__ import annotations

import wave
from collections.abc import Callable
from importlib import resources

import numpy as np
import numpy.typing as npt

from services.transcriber.adapters.sound import Sound, sound_of

TAIL_FROM = 225
"""First state used: 4.5 s, well behind the clips' last word."""

States = npt.NDArray[np.float32]


def clips() -> list[Sound]:
    """Three voices, three seconds each."""
    found = (item for item in resources.files(__package__).joinpath("voices").iterdir() if item.name.endswith(".wav"))
    out = []
    for clip in sorted(found, key=lambda item: item.name):
        with clip.open("rb") as file, wave.open(file) as reader:
            pcm16, rate_hz = reader.readframes(reader.getnframes()), reader.getframerate()
        out.append(sound_of(pcm16, rate_hz))
    return out


def mean_tail(encode_full: Callable[[Sound], States]) -> States:
    """States of 1,500 positions, of which those from ``TAIL_FROM`` on are silence; shape (1500, d_model)."""
    mean: States = np.mean(np.stack([encode_full(clip) for clip in clips()]), axis=0)
    return mean
