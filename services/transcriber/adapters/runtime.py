"""What runs a Whisper's weights: windows of speech to states, states to tokens. Two do (``packed_runtime`` and
``ctranslate2_runtime``); the engine is the same with either.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from services.transcriber.adapters.onnx_graph import Floats
from services.transcriber.adapters.sound import Sound
from services.transcriber.domain.recognition import Quality, nothing

FRAMES_PER_S = 100
FULL_FRAMES = 3_000
FULL_STATES = 1_500
STATES_PER_S = 50
MOST_TOKENS = 224
"""Half of what the decoder has positions for, as it was trained."""

Stage = Callable[[str], AbstractContextManager[None]]


Tail = tuple[Floats, Floats]
"""Keys and values [1, positions, width] of a layer of the encoder."""

Cross = tuple[Floats, ...]
"""Keys and values [1, heads, positions, width of a head] of the decoder's layers, one behind the other."""


@dataclass(frozen=True, slots=True)
class Heard:
    """States [n, width] of speech and of the silence behind it, of which the first ``own`` were computed for it.

    ``weight`` [n] is the logarithm of how many positions each stands for. Where the runtime uses them: ``tails``, each
    layer's keys and values of the own states, to hear more of the same speech; ``cross``, what the decoder looks at.
    """

    states: Floats
    weight: Floats
    own: int
    tails: tuple[Tail, ...] = ()
    cross: Cross = ()


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Tokens without prompt and end, the mean log probability of a token, and the probability that nobody spoke.

    ``ended``: whether it came to its end before the limit. ``chances``: each token's log probability, or none where the
    runtime does not tell. ``asked``: what the layers that tell of times looked for in the audio [tokens, width], before
    each token of the answer and its end, where that is known already. ``path``: what the answer to more of the same
    speech can go on from.
    """

    tokens: tuple[int, ...]
    score: float
    no_speech: float
    ended: bool
    chances: tuple[float, ...] = ()
    asked: tuple[Floats, ...] = field(default=(), compare=False)
    path: object = field(default=None, compare=False)

    def cut(self, length: int) -> Hypothesis:
        """Without the tokens from ``length`` on."""
        return replace(self, tokens=self.tokens[:length], chances=self.chances[:length], asked=(), path=None)


@dataclass(frozen=True, slots=True)
class Alignment:
    """The state at which each token begins, and behind them the end; the probability of each token."""

    starts: tuple[int, ...]
    probabilities: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What stands before the answer, and how long that may be. ``draft``: tokens that may be right.

    ``proven``: a greedy answer is to be the same, to the last rounding, whatever was drafted; else, of a draft that was
    the answer to less of the same speech, ``path`` is that answer's.
    """

    prompt: tuple[int, ...]
    limit: int
    draft: tuple[int, ...] = ()
    proven: bool = False
    path: object = None


class Runtime(Protocol):
    """Thread-safe. Raises RuntimeError or ValueError where the library fails."""

    @property
    def version(self) -> str:
        """The library that runs the weights, and its version."""
        ...

    def batch_key(self, duration_ms: int, quality: Quality, expected: str) -> Hashable | None:
        """Stretches with equal keys are cheaper together; ``expected`` are the words before the prompt. None: alone."""
        ...

    def hear(
        self,
        sounds: Sequence[Sound],
        quality: Quality,
        *,
        full: bool = False,
        earlier: Sequence[Heard | None] = (),
        between: Callable[[], None] = nothing,
    ) -> list[Heard]:
        """States of each stretch, from as short a window as will do, or from the full one; see ``decode``.

        ``earlier``, for partials: what was made of less of each.
        """
        ...

    def plain(self, heard: Heard) -> Floats:
        """States [n, width] of which each stands for itself."""
        ...

    def decode(
        self,
        heard: Sequence[Heard],
        questions: Sequence[Question],
        *,
        beam: int,
        between: Callable[[], None] = nothing,
    ) -> list[Hypothesis]:
        """The likeliest answer to each. ``between`` is called between steps where it can be."""
        ...

    def align(self, heard: Heard, prompt: Sequence[int], said: Hypothesis, duration_ms: int) -> Alignment:
        """When each token was said, of at least one, within so much audio. ``prompt``: its tokens, no context."""
        ...


def even_frames(seconds: float) -> int:
    """Frames of at least so much time, two to a state, and no more than the full window's."""
    return min(2 * int(np.ceil(seconds * STATES_PER_S)), FULL_FRAMES)


def states_within(duration_ms: int) -> int:
    """States of so much audio, one at least."""
    return max(1, duration_ms * STATES_PER_S // 1000)


def spliced(own: Floats, silence: Floats, silent_from: int, length: int) -> Floats:
    """States up to ``length``; the silence stands at its own positions, and holds speech before ``silent_from``."""
    missing = length - len(own)
    start = min(max(len(own), silent_from), FULL_STATES - missing)
    return np.concatenate([own, silence[start : start + missing]])
