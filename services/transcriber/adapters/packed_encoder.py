"""Encoding by our own graph (``encoder_graph``): windows as short as the speech, which see the silence behind it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from services.transcriber.adapters.ctranslate2_weights import HEAD, layers_of
from services.transcriber.adapters.encoder_graph import KEY, layer_graph, weighted, window_graph
from services.transcriber.adapters.onnx_graph import Floats, session
from services.transcriber.adapters.runtime import FULL_STATES, Heard, Tail
from services.transcriber.adapters.silence_tail import TAIL_FROM
from services.transcriber.domain.recognition import nothing

STRIDE = 32
"""So many neighbouring states of the silence are nearly alike: one stands for them."""
SETTLED_STATES = 18
"""States nearer to the end of a window, where silence stood for what was still to come, are made anew: 0.36 s."""


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
        self.picked: Floats = self.silence[picked]
        """Those of them that stand for all."""
        self._tails: list[Tail] = []
        for layer in range(len(self._layers)):
            key, value = (np.mean([tails[layer][part] for _, tails in told], axis=0) for part in (0, 1))
            self._tails.append((key[:, picked], value[:, picked]))

    def encode(self, mel: Floats, *, earlier: Heard | None = None, between: Callable[[], None] = nothing) -> Heard:
        """``mel`` [1, mels, frames], an even number of at most 3,000: the speech, and something of what is behind it.

        States that ``earlier`` has, which heard less of the same speech, are taken over but for its last, nearly as
        they would be. ``between`` is called before each layer.
        """
        own = mel.shape[2] // 2
        known = settled(earlier)
        before = [_cut(tail, 0, known) for tail in earlier.tails] if earlier is not None and known else []
        count = sum(position >= own for position in range(TAIL_FROM, FULL_STATES, STRIDE))
        each = math.log((FULL_STATES - own) / count) if count else 0.0
        weight = np.full(count, each, dtype=np.float32)
        first = len(self.picked) - count
        cut = [_cut(tail, first, first + count) for tail in self._tails]
        behind = [(weighted(key, each), value) for key, value in cut]
        made, tails = self._run(mel, before, behind, between)
        taken = earlier.states[:known] if earlier is not None else made[:0]
        weights = np.concatenate([np.zeros(own, dtype=np.float32), weight])
        return Heard(np.concatenate([taken, made, self.picked[first:]]), weights, own, tuple(tails))

    def alone(self, mel: Floats) -> tuple[Floats, list[Tail]]:
        """States [frames / 2, width] of a window that sees nothing behind it; each layer's own keys and values."""
        keys, values = (np.zeros((1, 0, width), dtype=np.float32) for width in (self._width // HEAD * KEY, self._width))
        return self._run(mel, [], [(keys, values)] * len(self._layers), nothing)

    def _run(
        self, mel: Floats, before: Sequence[Tail], behind: Sequence[Tail], between: Callable[[], None]
    ) -> tuple[Floats, list[Tail]]:
        """States [n, width] of what ``before`` does not have, and each layer's keys and values, those of before too."""
        known = before[0][0].shape[1] if before else 0
        # The convolutions look a state to the left.
        margin = min(known, 1)
        first = known - margin
        (x,) = self._window.run(None, {"mel": mel[:, :, 2 * first :], "first": np.array([first])})
        x = x[:, margin:]
        tails: list[Tail] = []
        for number, layer in enumerate(self._layers):
            between()
            key, value = _joined(before[number], behind[number]) if before else behind[number]
            x, *own = layer.run(None, {"before": x, "tail_k": key, "tail_v": value})
            tails.append(_joined(before[number], (own[0], own[1])) if before else (own[0], own[1]))
        return x[0], tails


def settled(earlier: Heard | None) -> int:
    """How many of its states hardly change by what is heard behind them."""
    return max(0, earlier.own - SETTLED_STATES) if earlier is not None and earlier.tails else 0


def _cut(tail: Tail, first: int, end: int) -> Tail:
    key, value = tail
    return key[:, first:end], value[:, first:end]


def _joined(one: Tail, other: Tail) -> Tail:
    return np.concatenate([one[0], other[0]], axis=1), np.concatenate([one[1], other[1]], axis=1)
