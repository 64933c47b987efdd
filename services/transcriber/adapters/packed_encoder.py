"""Encoding by our own graph (``encoder_graph``): windows as short as the speech, which see the silence behind it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from services.transcriber.adapters.ctranslate2_weights import layers_of
from services.transcriber.adapters.encoder_graph import encoder_graph
from services.transcriber.adapters.onnx_graph import Floats, session
from services.transcriber.adapters.runtime import FULL_STATES, Heard
from services.transcriber.adapters.silence_tail import TAIL_FROM

STRIDE = 16
"""So many neighbouring states of the silence are nearly alike: one stands for them."""


class PackedEncoder:
    """Whisper's encoder. Thread-safe: it keeps nothing between calls."""

    def __init__(self, state: Mapping[str, Floats], clips: Sequence[Floats]) -> None:
        """Make the graph from OpenAI's names, and the silence from ``clips`` [1, mels, 3000] (two seconds)."""
        self._layers = layers_of(state, "encoder")
        self._width = state["encoder.positional_embedding"].shape[1]
        self._session = session(encoder_graph(state))
        telling = session(encoder_graph(state, telling=True))
        told = [telling.run(None, self._feeds(clip, 0)) for clip in clips]
        mean: list[Floats] = [np.mean(np.stack(parts), axis=0) for parts in zip(*told, strict=True)]
        self.silence: Floats = mean[0][0]
        """States of 1,500 positions, silent from ``TAIL_FROM`` on."""
        picked = np.arange(TAIL_FROM, FULL_STATES, STRIDE)
        self._picked = self.silence[picked]
        self._tail = [np.ascontiguousarray(part[:, picked]) for part in mean[1:]]

    def encode(self, mel: Floats) -> Heard:
        """``mel`` [1, mels, frames], an even number of at most 3,000: the speech, and at least 0.3 s behind it."""
        own = mel.shape[2] // 2
        count = self._silent_after(own)
        (states,) = self._session.run(None, self._feeds(mel, count))
        silence = self._picked[len(self._picked) - count :]
        weight = np.zeros(own + count, dtype=np.float32)
        weight[own:] = _weight(own, count)
        return Heard(np.concatenate([states[0], silence]), weight, own)

    def _silent_after(self, own: int) -> int:
        """How many of the picked states come behind so many of the speech's."""
        return sum(position >= own for position in range(TAIL_FROM, FULL_STATES, STRIDE))

    def _feeds(self, mel: Floats, count: int) -> dict[str, Floats]:
        feeds = {"mel": mel, "tail_weight": np.full(count, _weight(mel.shape[2] // 2, count), dtype=np.float32)}
        for number in range(2 * self._layers):
            name = f"tail_{'kv'[number % 2]}{number // 2}"
            if count:
                tail = self._tail[number]
                feeds[name] = np.ascontiguousarray(tail[:, tail.shape[1] - count :])
            else:
                feeds[name] = np.zeros((1, 0, self._width), dtype=np.float32)
        return feeds


def _weight(own: int, count: int) -> float:
    return math.log((FULL_STATES - own) / count) if count else 0.0
