"""Where in the audio each token was said: dynamic time warping of a decoder's cross-attention.

The steps are those of OpenAI's ``whisper/timing.py``: each head's attention over the audio, each position of it seen
against the other tokens', outliers along the audio smoothed away, the mean of the heads; and of all ways to go
through tokens and positions in order, the one that meets most attention.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.transcriber.adapters.onnx_graph import Floats

REACH = 3
"""Positions to either side that smoothing looks at."""
FLAT = 1e-15
"""Standard deviation of a position that none of the tokens looks at; its square is still a number in 32 bits."""


def token_starts(scores: Floats, first: int) -> list[int]:
    """At which position each token begins, the first at the first, and none before its forerunner.

    ``scores`` [heads, queries, positions]: how much each query looks at each position, before the softmax. The query of
    a token is what stood before it: those of the prompt, the last of which is ``first``, then the tokens'. The answer
    is one longer than the tokens: the end begins, too.
    """
    return warped(np.mean([smoothed(_contrast(head)[first:]) for head in scores], axis=0))


def _contrast(scores: Floats) -> Floats:
    """Attention of one head, each position's over all queries around zero and as far apart as any other's."""
    attention: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    attention /= attention.sum(axis=1, keepdims=True)
    attention -= attention.mean(axis=0)
    attention /= np.maximum(np.sqrt(np.square(attention).mean(axis=0)), FLAT)
    return attention


def smoothed(values: Floats) -> Floats:
    """The median of each of the last axis with three to either side, mirrored at the ends; as it is where too short.

    That of four and of three in order is the least of what must be the fourth of all.
    """
    count = values.shape[-1]
    if count <= REACH:
        return values
    begin, end = values[..., REACH:0:-1], values[..., -2 : -2 - REACH : -1]
    padded = np.concatenate([begin, values, end], axis=-1)
    lows, highs = np.minimum(padded[..., :-1], padded[..., 1:]), np.maximum(padded[..., :-1], padded[..., 1:])
    (low_0, low_2, low_4), (high_0, high_2, high_4) = (
        [of[..., at : at + count] for at in (0, 2, 4)] for of in (lows, highs)
    )
    single = padded[..., 2 * REACH :]
    inner_low, inner_high = np.maximum(low_0, low_2), np.minimum(high_0, high_2)
    four = (
        np.minimum(low_0, low_2),
        np.minimum(inner_low, inner_high),
        np.maximum(inner_low, inner_high),
        np.maximum(high_0, high_2),
    )
    three = (np.minimum(low_4, single), np.minimum(np.maximum(low_4, single), high_4), np.maximum(high_4, single))
    out: Floats = four[3]
    for place, other in enumerate(three):
        out = np.minimum(out, np.maximum(four[2 - place], other))
    return out


def warped(gains: Floats) -> list[int]:
    """The column at which each row begins on the way from the first to the last of both with the largest sum.

    A step goes to the next row, the next column or both. ``gains`` [rows, columns]. All columns of a row at once: what
    a row's way is worth that begins at a column is what there was before it, less the row's own sum up to there.
    """
    rows, columns = gains.shape
    sums = np.cumsum(gains, axis=1, dtype=np.float64)
    begun = np.full((rows, columns), -np.inf)
    begun[0, 0] = 0.0
    reached: npt.NDArray[np.float64] = np.empty((rows, columns))
    for row in range(rows):
        if row:
            begun[row] = reached[row - 1]
            np.maximum(begun[row, 1:], reached[row - 1, :-1], out=begun[row, 1:])
            begun[row, 1:] -= sums[row, :-1]
        reached[row] = sums[row] + np.maximum.accumulate(begun[row])
    starts: list[int] = []
    last = columns - 1
    for row in range(rows - 1, -1, -1):
        start = int(begun[row, : last + 1].argmax())
        starts.insert(0, start)
        before = reached[row - 1]
        last = start - 1 if start and before[start - 1] >= before[start] else start
    return starts
