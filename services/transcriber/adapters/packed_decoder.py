"""Decoding by our own graph (``decoder_graph``): greedy for partials, beam search for finals, on onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from services.transcriber.adapters.ctranslate2_weights import HEAD, openai_state, read_variables
from services.transcriber.adapters.decoder_graph import cross_graph, shape_of, step_graph

Floats = npt.NDArray[np.float32]

NEAR = 8.0
"""Log probability below the best within which the best few are looked for first: sorting a vocabulary is slow."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Tokens without prompt and end, the mean log probability of a token, and the probability that nobody spoke."""

    tokens: tuple[int, ...]
    score: float
    no_speech: float


@dataclass(slots=True)
class _Beam:
    tokens: list[int]
    total: float


class PackedDecoder:
    """Whisper's decoder. Thread-safe: it keeps nothing between calls."""

    def __init__(self, model_dir: Path, *, end: int, start: int, no_speech: int) -> None:
        """Make the graphs (about two seconds). ``end``, ``start``, ``no_speech``: tokens of the model's vocabulary."""
        state = openai_state(read_variables(model_dir / "model.bin"))
        config = json.loads((model_dir / "config.json").read_text(encoding="utf-8"))
        self._shape = shape_of(state)
        self._embedding = state["decoder.token_embedding.weight"].astype(np.float16)
        self._positions = state["decoder.positional_embedding"]
        self._cross = _session(cross_graph(state))
        self._step = _session(step_graph(state))
        self._end, self._start, self._no_speech = end, start, no_speech
        self._never = np.array(config.get("suppress_ids", []), dtype=np.int64)
        self._not_first = np.array(config.get("suppress_ids_begin", []), dtype=np.int64)
        self._names = [f"{part}{layer}" for layer in range(self._shape.layers) for part in ("k", "v")]

    def decode(self, states: Floats, prompt: Sequence[int], *, beam: int, limit: int) -> Hypothesis:
        """The likeliest of at most ``limit`` tokens after ``prompt``, for one audio's ``states`` [n, width]."""
        cross = self._cross.run(None, {"states": states[np.newaxis]})
        fixed = {f"cross_{name}": value for name, value in zip(self._names, cross, strict=True)}
        empty = np.zeros((1, self._shape.heads, 0, HEAD), dtype=np.float32)
        logits, past = self._run(fixed, [empty] * len(self._names), np.array([prompt]), 0)
        silent = float(np.exp(_log_softmax(logits[0, list(prompt).index(self._start)])[self._no_speech]))
        logits[:, -1, self._not_first] = -np.inf
        first = self._chances(logits)
        if beam == 1:
            return self._greedy(fixed, past, first, len(prompt), limit, silent)
        return self._search(fixed, past, first, len(prompt), beam, limit, silent)

    def _greedy(
        self, fixed: dict[str, Any], past: list[Floats], chances: Floats, at: int, limit: int, silent: float
    ) -> Hypothesis:
        tokens: list[int] = []
        total = 0.0
        while True:
            best = int(chances[0].argmax())
            total += float(chances[0, best])
            if best == self._end:
                break
            tokens.append(best)
            if len(tokens) >= limit:
                break
            logits, past = self._run(fixed, past, np.array([[best]]), at + len(tokens) - 1)
            chances = self._chances(logits)
        return Hypothesis(tuple(tokens), total / max(1, len(tokens)), silent)

    def _search(
        self, fixed: dict[str, Any], past: list[Floats], chances: Floats, at: int, size: int, limit: int, silent: float
    ) -> Hypothesis:
        beams = [_Beam([], 0.0)]
        done: list[tuple[float, list[int]]] = []
        while True:
            totals = chances + np.array([[beam.total] for beam in beams], dtype=np.float32)
            rows, heads = _best(totals, 2 * size)
            kept: list[_Beam] = []
            sources: list[int] = []
            for rank, (row, token) in enumerate(zip(rows, heads, strict=True)):
                source, total = beams[row], float(totals[row, token])
                if token == self._end:
                    if rank < size:
                        done.append((total / max(1, len(source.tokens)), source.tokens))
                elif len(kept) < size:
                    kept.append(_Beam([*source.tokens, int(token)], total))
                    sources.append(int(row))
            if len(done) >= size or len(kept[0].tokens) >= limit:
                break
            past = [value[sources] for value in past]
            tokens = np.array([[beam.tokens[-1]] for beam in kept])
            logits, past = self._run(fixed, past, tokens, at + len(kept[0].tokens) - 1)
            chances = self._chances(logits)
            beams = kept
        if not done:
            done = [(beam.total / len(beam.tokens), beam.tokens) for beam in kept]
        score, best = max(done, key=lambda one: one[0])
        return Hypothesis(tuple(best), score, silent)

    def _run(
        self, fixed: dict[str, Any], past: list[Floats], tokens: npt.NDArray[np.int64], at: int
    ) -> tuple[Floats, list[Floats]]:
        embedded = self._embedding[tokens].astype(np.float32) + self._positions[at : at + tokens.shape[1]]
        feeds = {"embedded": embedded} | fixed
        feeds |= {f"past_{name}": value for name, value in zip(self._names, past, strict=True)}
        logits, *present = self._step.run(None, feeds)
        return logits, present

    def _chances(self, logits: Floats) -> Floats:
        """Log probability of each token that may come next, a row for each of ``logits``."""
        following = logits[:, -1]
        following[:, self._never] = -np.inf
        return _log_softmax(following)


def _session(graph: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _log_softmax(logits: Floats) -> Floats:
    most = logits.max(axis=-1, keepdims=True)
    out: Floats = logits - (most + np.log(np.exp(logits - most).sum(axis=-1, keepdims=True)))
    return out


def _best(totals: Floats, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and tokens of the largest, the largest first."""
    flat = totals.ravel()
    near = np.flatnonzero(flat > flat.max() - NEAR)
    if len(near) < count:
        near = np.argpartition(flat, -count)[-count:]
    largest = near[np.argsort(-flat[near], kind="stable")][:count]
    rows, heads = np.divmod(largest, totals.shape[1])
    return rows, heads
