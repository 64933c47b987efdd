"""Tokens of tiny.en, and how far apart states of it are."""

from __future__ import annotations

import numpy as np

from services.transcriber.adapters.onnx_graph import Floats

START, END = 50_257, 50_256
PROMPT = (START, 50_362)
"""Start, and no timestamps."""


def difference(some: Floats, others: Floats) -> float:
    """The mean difference, by the mean size of the others (root mean squares)."""
    return float(np.sqrt(((some - others) ** 2).mean() / (others**2).mean()))
