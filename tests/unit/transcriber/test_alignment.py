"""Warping tokens to positions: small matrices whose way is known, and a plain loop over all cells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from services.transcriber.adapters.alignment import smoothed, token_starts, warped
from services.transcriber.adapters.runtime import Hypothesis

Floats = npt.NDArray[np.float32]


def _floats(rows: list[list[float]]) -> Floats:
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize(
    ("gains", "starts"),
    [
        ([[1]], [0]),
        ([[0, 0, 0, 9]], [0]),
        ([[1, -1, -1], [-1, 1, -1], [-1, -1, 1]], [0, 1, 2]),
        ([[5, 5, -5, -5, -5], [-5, -5, 5, -5, -5], [-5, -5, -5, 5, 5]], [0, 2, 3]),
        ([[1, -9], [1, -9], [-9, 1]], [0, 0, 1]),
        ([[1], [1], [1]], [0, 0, 0]),
    ],
)
def test_each_row_begins_where_the_best_way_enters_it(gains: list[list[float]], starts: list[int]) -> None:
    assert warped(_floats(gains)) == starts


@pytest.mark.parametrize("seed", range(50))
def test_the_way_is_that_of_the_plain_loop(seed: int) -> None:
    chance = np.random.default_rng(seed)
    rows, columns = chance.integers(1, 12), chance.integers(1, 24)
    gains = chance.normal(size=(rows, columns)).astype(np.float32)
    found = warped(gains)
    assert found == _plainly_warped(gains)
    assert len(found) == rows
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] < columns


def _plainly_warped(gains: Floats) -> list[int]:
    rows, columns = gains.shape
    total = np.full((rows + 1, columns + 1), -np.inf)
    total[0, 0] = 0
    for row, column in np.ndindex(rows, columns):
        before = max(total[row, column], total[row, column + 1], total[row + 1, column])
        total[row + 1, column + 1] = before + gains[row, column]
    row, column = rows, columns
    starts = {}
    while row > 0:
        starts[row - 1] = column - 1
        steps = [(row - 1, column - 1), (row - 1, column), (row, column - 1)]
        row, column = max(steps, key=lambda step: total[step])
    return [starts[row] for row in range(rows)]


@pytest.mark.parametrize("count", [4, 5, 7, 40])
def test_smoothing_takes_the_median_of_seven(count: int) -> None:
    values = np.random.default_rng(count).normal(size=(3, count)).astype(np.float32)
    padded = np.pad(values, [(0, 0), (3, 3)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 7, axis=-1)
    assert smoothed(values) == pytest.approx(np.median(windows, axis=-1))


def test_what_is_too_short_to_smooth_stays() -> None:
    values = _floats([[3, 1, 2]])
    assert smoothed(values) is values


def test_tokens_begin_where_the_query_before_them_looks() -> None:
    """Two heads; the prompt's own queries look elsewhere, and do not count."""
    looks_at = [(50, 60), (0, 10), (10, 30), (30, 40), (40, 60)]
    scores = np.zeros((2, len(looks_at), 60), dtype=np.float32)
    for query, (begin, end) in enumerate(looks_at):
        scores[:, query, begin:end] = 5
    assert token_starts(scores, first=1) == [0, 10, 30, 40]


@pytest.mark.parametrize("positions", [1, 2, 5])
def test_very_short_audio_and_unseen_positions_have_starts_too(positions: int) -> None:
    scores = np.zeros((3, 8, positions), dtype=np.float32)
    scores[..., 1:] = -60
    found = token_starts(scores, first=1)
    assert len(found) == 7
    assert found == sorted(found)
    assert 0 <= found[0] <= found[-1] < positions


def test_a_cut_hypothesis_keeps_the_chances_of_its_tokens() -> None:
    whole = Hypothesis((7, 8, 9), -0.5, 0.1, ended=True, chances=(-0.1, -0.2, -0.3))
    assert (whole.cut(2).tokens, whole.cut(2).chances) == ((7, 8), (-0.1, -0.2))
