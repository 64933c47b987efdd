"""`python -m tests.bench.assist.fit`: coefficients of the confidence, fitted on the turns for tuning alone.

Prints what `services/insights/domain/retrieval.py`'s `Calibration` holds, and, by leaving each turn out in its turn,
how many right and false suggestions each threshold would give. The held-out part is never looked at here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.insights.adapters.encoder import MiniLmEncoder
from services.insights.adapters.knowledge_folder import SAMPLE_KNOWLEDGE, read_folder
from services.insights.domain.questions import find_inquiry, find_statement
from services.insights.domain.retrieval import HybridIndex
from tests.bench.assist.labelled_turns import labelled_turns

NAMES = ("bias", "likeness", "lead", "coverage", "asks", "stated")
PENALTY = np.array([0.0, 0.02, 0.02, 0.05, 0.2, 0.2])
STEPS = 60


@dataclass(frozen=True, slots=True)
class Judged:
    """The turns for tuning in which something may be asked: measures, whether the best article is right, and its turn.

    `answered` and `unanswered` count all turns for tuning.
    """

    x: NDArray[Any]
    right: NDArray[Any]
    asked: NDArray[Any]
    answered: int
    unanswered: int

    def left_out(self) -> NDArray[Any]:
        """The confidence of each turn, fitted on all others."""
        return np.array(
            [
                predict(self.x[at], fit(np.delete(self.x, at, 0), np.delete(self.right, at)))
                for at in range(len(self.right))
            ]
        )

    def figures(self, confidence: NDArray[Any], threshold: float) -> dict[str, float]:
        """What would be shown at a threshold."""
        shown = confidence >= threshold
        return {
            "hit_at_1": round(float((shown & (self.right == 1)).sum()) / self.answered, 3),
            "false_suggestions": round(float((shown & ~self.asked).sum()) / self.unanswered, 3),
        }


def judged(index: HybridIndex) -> Judged:
    """Measure the turns for tuning."""
    turns = [turn for turn in labelled_turns() if turn.part == "tuning"]
    rows, right, asked = [], [], []
    for turn in turns:
        inquiry = find_inquiry(turn.text) or find_statement(turn.text)
        if inquiry is None:
            continue
        passage, found = index.measures(inquiry)
        measures = [found.likeness, found.lead, found.coverage, float(found.asks), float(found.stated)]
        rows.append([1.0, *measures])
        right.append(float(passage.source == turn.article))
        asked.append(turn.article is not None)
    answered = sum(turn.article is not None for turn in turns)
    return Judged(np.array(rows), np.array(right), np.array(asked), answered, len(turns) - answered)


def main() -> None:
    """Fit and print."""
    found = judged(HybridIndex(read_folder(SAMPLE_KNOWLEDGE), MiniLmEncoder(Path(".run/insights"))))
    coefficients = fit(found.x, found.right)
    print({name: round(float(value), 2) for name, value in zip(NAMES, coefficients, strict=True)})
    left_out = found.left_out()
    for threshold in np.arange(0.25, 0.75, 0.05):
        print(f"from {threshold:.2f}: {found.figures(left_out, float(threshold))}")


def fit(x: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Logistic regression with a light penalty, by Newton's method."""
    weights = np.zeros(x.shape[1])
    for _ in range(STEPS):
        p = predict(x, weights)
        gradient = x.T @ (p - y) + PENALTY * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(PENALTY + 1e-6)
        weights -= np.linalg.solve(hessian, gradient)
    return weights


def predict(x: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """The probability that the suggestion is right."""
    return 1 / (1 + np.exp(-np.asarray(x @ weights)))


if __name__ == "__main__":
    main()
