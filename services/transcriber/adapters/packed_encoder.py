"""Encoding by our own graph (``encoder_graph``): windows as short as the speech, which see the silence behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from services.transcriber.adapters.ctranslate2_weights import layers_of
from services.transcriber.adapters.encoder_graph import layer_graph, window_graph
from services.transcriber.adapters.onnx_graph import Floats, session
from services.transcriber.adapters.runtime import FULL_STATES, Heard
from services.transcriber.adapters.silence_tail import TAIL_FROM
from services.transcriber.domain.recognition import nothing

Tail = tuple[Floats, Floats]
"""Keys and values [1, positions, width] of a layer."""
STRIDE = 16
"""So many neighbouring states of the silence are nearly alike: one stands for them."""


class PackedEncoder:
    """Whisper's encoder. Thread-safe: it keeps nothing between calls."""

    def __init__(self, state: Mapping[str, Floats], clips: Sequence[Floats]) -> None:
        """Make the graphs from OpenAI's names, and the silence from ``clips`` [1, mels, 3000] (two seconds)."""
        self._width = state["encoder.positional_embedding"].shape[1]
        self._window = session(window_graph(state))
        self._layers = [session(layer_graph(state, layer)) for layer in range(layers_of(state, "encoder"))]
        told = [self.alone(clip) for clip in clips]
        self.silence: Floats = np.mean([states for states, _ in told], axis=0)
        """States of 1,500 positions, silent from ``TAIL_FROM`` on."""
        picked = np.arange(TAIL_FROM, FULL_STATES, STRIDE)
        self._picked = self.silence[picked]
        self._tails: list[Tail] = []
        for layer in range(len(self._layers)):
            key, value = (np.mean([tails[layer][part] for _, tails in told], axis=0) for part in (0, 1))
            self._tails.append((key[:, picked], value[:, picked]))

    def encode(self, mel: Floats, *, between: Callable[[], None] = nothing) -> Heard:
        """``mel`` [1, mels, frames], an even number of at most 3,000: the speech, and at least 0.3 s behind it.

        ``between`` is called before each layer.
        """
        own = mel.shape[2] // 2
        count = sum(position >= own for position in range(TAIL_FROM, FULL_STATES, STRIDE))
        each = math.log((FULL_STATES - own) / count) if count else 0.0
        weight = np.full(count, each, dtype=np.float32)
        first = len(self._picked) - count
        states, _ = self._run(mel, [(key[:, first:], value[:, first:]) for key, value in self._tails], weight, between)
        weights = np.concatenate([np.zeros(own, dtype=np.float32), weight])
        return Heard(np.concatenate([states, self._picked[first:]]), weights, own)

    def alone(self, mel: Floats) -> tuple[Floats, list[Tail]]:
        """States [frames / 2, width] of a window that sees nothing behind it; each layer's own keys and values."""
        nothing_behind = np.zeros((1, 0, self._width), dtype=np.float32)
        tails = [(nothing_behind, nothing_behind)] * len(self._layers)
        return self._run(mel, tails, np.zeros(0, dtype=np.float32), nothing)

    def _run(
        self, mel: Floats, tails: Sequence[Tail], weight: Floats, between: Callable[[], None]
    ) -> tuple[Floats, list[Tail]]:
        (x,) = self._window.run(None, {"mel": mel})
        own: list[Tail] = []
        for layer, (key, value) in zip(self._layers, tails, strict=True):
            between()
            x, *told = layer.run(None, {"before": x, "tail_k": key, "tail_v": value, "tail_weight": weight})
            own.append((told[0], told[1]))
        return x[0], own
