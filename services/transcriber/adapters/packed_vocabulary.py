"""Which token follows, from a decoder's state: the frequent tokens first, the rare ones where those leave doubt.

Most of a step's time would go into reading the whole vocabulary.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from services.transcriber.adapters.decoder_graph import vocabulary_graph
from services.transcriber.adapters.onnx_graph import Floats, session

FREQUENT = 24_576
"""So many tokens of a vocabulary are of frequent words: it is in the order in which its pieces were found."""
LIKELY = 5.5
"""Tokens whose rough logits are so near to the best are looked at exactly: the best lies at most 4.2 behind."""
SURE_OF_FREQUENT = float(np.log(0.5))
"""Log probability of the best of the frequent tokens, among them, from which the rare ones may be left out."""


class PackedVocabulary:
    """Logits by onnxruntime. Thread-safe: it keeps nothing between calls."""

    def __init__(
        self,
        state: Mapping[str, Floats],
        *,
        end: int,
        no_speech: int,
        never: Sequence[int],
        not_first: Sequence[int],
    ) -> None:
        """Make the graphs from OpenAI's names. ``never``, ``not_first``: tokens that are not to come."""
        self.embedding: Floats = state["decoder.token_embedding.weight"].astype(np.float32)
        self._end, self._no_speech = end, no_speech
        self._all = np.arange(len(self.embedding))
        self._frequent = np.append(self._all[:FREQUENT], end)
        left_out = {False: never, True: (*never, *not_first)}
        self._never = {first: np.array(tokens, dtype=np.int64) for first, tokens in left_out.items()}
        self._never_frequent = {first: np.flatnonzero(np.isin(self._frequent, out)) for first, out in left_out.items()}
        graphs = {
            "all": vocabulary_graph(self.embedding, rough=False),
            "frequent": vocabulary_graph(self.embedding[self._frequent], rough=False),
            "frequent, rough": vocabulary_graph(self.embedding[self._frequent], rough=True),
            "rare, rough": vocabulary_graph(self.embedding[FREQUENT:], rough=True),
        }
        self._graphs = {name: session(graph) for name, graph in graphs.items()}

    def all(self, states: Floats) -> Floats:
        """Logits [rows, tokens, vocabulary] behind states [rows, tokens, width], a row's the same in any company."""
        return self._logits("all", states)

    def frequent(self, states: Floats, *, rough: bool) -> Floats:
        """Those of the frequent tokens and the end only; ``rough``: of a state or a few, which takes less time."""
        return self._logits("frequent, rough" if rough else "frequent", states)

    def _logits(self, graph: str, states: Floats) -> Floats:
        (logits,) = self._graphs[graph].run(None, {"normed": states})
        out: Floats = logits
        return out

    def best(self, row: Floats, *, first: bool) -> tuple[int, float]:
        """The likeliest token of logits [vocabulary], the ``first`` of an answer or a later one, and its chance.

        The logits are used up.
        """
        row[self._never[first]] = -np.inf
        return _best(row)

    def best_of_frequent(self, row: Floats, state: Floats, *, first: bool) -> tuple[int, float]:
        """The same of ``frequent`` logits, and among them, where they leave little doubt that it is one of those."""
        row[self._never_frequent[first]] = -np.inf
        self._refine(row, state, self._frequent)
        best, chance = _best(row.copy())
        if chance >= SURE_OF_FREQUENT:
            return int(self._frequent[best]), chance
        return self.best(self.whole(row, state), first=first)

    def whole(self, frequent: Floats, states: Floats) -> Floats:
        """Logits [..., vocabulary] from those [..., frequent] of a step and the states [..., width] behind them."""
        flat = states.reshape(1, -1, states.shape[-1])
        rare = self._logits("rare, rough", flat).reshape(*frequent.shape[:-1], -1)
        out: Floats = np.concatenate([frequent[..., :FREQUENT], rare], axis=-1)
        for rough, state in zip(out.reshape(-1, out.shape[-1]), flat[0], strict=True):
            self.refine(rough, state)
        return out

    def refine(self, rough: Floats, state: Floats) -> None:
        """The logits [vocabulary] of what is likely anew, from the vocabulary as it is."""
        never = rough[self._never[False]]
        rough[self._never[False]] = -np.inf
        self._refine(rough, state, self._all)
        rough[self._never[False]] = never
        rough[self._no_speech] = self.embedding[self._no_speech] @ state

    def _refine(self, rough: Floats, state: Floats, tokens: npt.NDArray[np.int64]) -> None:
        likely = np.flatnonzero(rough > rough.max() - LIKELY)
        rough[likely] = self.embedding[tokens[likely]] @ state

    def silence(self, row: Floats) -> float:
        """The probability that nobody spoke, from what may follow the start."""
        return float(np.exp(_log_softmax(row)[self._no_speech]))

    def silence_beside_frequent(self, row: Floats, state: Floats) -> float:
        """The same from ``frequent`` logits: behind the start there are else the model's own marks, from the end on."""
        marks = self.embedding[self._end :] @ state
        together = np.concatenate([row[:FREQUENT], marks])
        return float(np.exp(_log_softmax(together)[FREQUENT + self._no_speech - self._end]))

    def chances(self, following: Floats, *, first: bool) -> Floats:
        """Log probability of each token that may come next, a row for each of ``following``."""
        following[:, self._never[first]] = -np.inf
        return _log_softmax(following)


def _best(row: Floats) -> tuple[int, float]:
    """The likeliest and its log probability; in place, for what is made new in such numbers costs as much again."""
    best = int(row.argmax())
    row -= row[best]
    return best, -float(np.log(np.exp(row, out=row).sum()))


def _log_softmax(logits: Floats) -> Floats:
    """Log probabilities of the last axis."""
    most = logits.max(axis=-1, keepdims=True)
    out: Floats = logits - (most + np.log(np.exp(logits - most).sum(axis=-1, keepdims=True)))
    return out
