"""How well suggestions fit: labelled customer turns, each the only one of its call, through insights' own decisions.

`hit_at_1`: of the turns that an article answers, how many got it first. `false_suggestions`: of the turns that none
answers, how many got a suggestion all the same. `wrong_article`: of the answered ones, how many got another article.
`tuning_left_one_out`: the same of the tuning part, each turn with a confidence that was fitted on all others.
Calibration: the suggestions that were shown, in steps of confidence, and how many of each were right.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from typing import Any

from services.insights.domain.outputs import Suggested
from services.insights.domain.policy import Policy
from tests.bench.assist.fit import judged
from tests.bench.assist.labelled_turns import PARTS, Turn, labelled_turns
from tests.support.insights_call import Call, said
from tests.support.insights_knowledge import encoder, sample_index

STEPS = (0.5, 0.7, 0.9, 1.01)
REPEATS = 200


def measure() -> dict[str, Any]:
    """By part, and over both."""
    sample_index()
    results = [(turn, _suggested(turn)) for turn in labelled_turns()]
    parts = {part: _figures([each for each in results if each[0].part == part]) for part in PARTS}
    found = judged(sample_index())
    return {
        **parts,
        "all": _figures(results),
        "tuning_left_one_out": found.figures(found.left_out(), Policy().min_confidence),
        "calibration_of_held_out": _calibration([each for each in results if each[0].part == "held_out"]),
        "embedding_ms": _embedding_ms(),
    }


def _suggested(turn: Turn) -> Suggested | None:
    call = Call().take(said("customer", turn.text))
    return call.suggested[0] if call.suggested else None


def _figures(results: Sequence[tuple[Turn, Suggested | None]]) -> dict[str, Any]:
    answered = [(turn.article, found.source if found else None) for turn, found in results if turn.article]
    others = [found for turn, found in results if not turn.article]
    return {
        "answered_turns": len(answered),
        "unanswered_turns": len(others),
        "hit_at_1": round(sum(wanted == got for wanted, got in answered) / len(answered), 3),
        "wrong_article": round(sum(got is not None and wanted != got for wanted, got in answered) / len(answered), 3),
        "false_suggestions": round(sum(found is not None for found in others) / len(others), 3),
    }


def _calibration(results: Sequence[tuple[Turn, Suggested | None]]) -> list[dict[str, Any]]:
    shown = [(found.confidence, turn.article == found.source) for turn, found in results if found]
    told = []
    for low, high in itertools.pairwise(STEPS):
        within = [(confidence, right) for confidence, right in shown if low <= confidence < high]
        if within:
            told.append({
                "confidence_from": low, "suggestions": len(within),
                "mean_confidence": round(statistics.mean(confidence for confidence, _ in within), 3),
                "right": round(statistics.mean(right for _, right in within), 3),
            })  # fmt: skip
    return told


def _embedding_ms() -> dict[str, float]:
    """Of a question, on one core."""
    texts = [turn.text for turn in labelled_turns()][:REPEATS]
    took = []
    for text in texts:
        started = time.perf_counter()
        encoder().embed([text])
        took.append((time.perf_counter() - started) * 1000)
    return {"p50": round(statistics.median(took), 2), "p95": round(statistics.quantiles(took, n=20)[-1], 2)}
