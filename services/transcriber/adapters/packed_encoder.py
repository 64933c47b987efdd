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
        width = state["encoder.positional_embedding"].shape[1]
        self._tail: list[Floats] = [np.zeros((1, 0, width), dtype=np.float32)] * (2 * layers_of(state, "encoder"))
        self._session = session(encoder_graph(state))
        telling = session(encoder_graph(state, telling=True))
        none = np.zeros(0, dtype=np.float32)
        told = [telling.run(None, self._feeds(clip, none)) for clip in clips]
        mean: list[Floats] = [np.mean(np.stack(parts), axis=0) for parts in zip(*told, strict=True)]
        self.silence: Floats = mean[0][0]
        """States of 1,500 positions, silent from ``TAIL_FROM`` on."""
        picked = np.arange(TAIL_FROM, FULL_STATES, STRIDE)
        self._picked = self.silence[picked]
        self._tail = [np.ascontiguousarray(part[:, picked]) for part in mean[1:]]

    def encode(self, mel: Floats) -> Heard:
        """``mel`` [1, mels, frames], an even number of at most 3,000: the speech, and at least 0.3 s behind it."""
        own = mel.shape[2] // 2
        count = sum(position >= own for position in range(TAIL_FROM, FULL_STATES, STRIDE))
        each = math.log((FULL_STATES - own) / count) if count else 0.0
        weight = np.full(count, each, dtype=np.float32)
        (states,) = self._session.run(None, self._feeds(mel, weight))
        silence = self._picked[len(self._picked) - count :]
        weights = np.concatenate([np.zeros(own, dtype=np.float32), weight])
        return Heard(np.concatenate([states[0], silence]), weights, own)

    def _feeds(self, mel: Floats, weight: Floats) -> dict[str, Floats]:
        """With the last of the tail, as many as there are weights."""
        feeds = {"mel": mel, "tail_weight": weight}
        for number, tail in enumerate(self._tail):
            feeds[f"tail_{'kv'[number % 2]}{number // 2}"] = tail[:, tail.shape[1] - len(weight) :]
        return feeds
