"""Recall and precision of the redaction on the labelled set, finals and partials, and what it costs a word."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from services.transcriber.domain.redaction import RedactionStream, TimedWord
from tests.support.redaction_set import HELD_OUT, TUNED, Score, Spoken, load, play

COST_ROUNDS = 5


def measure() -> dict[str, Any]:
    """The figures of the tuned and of the held-out part."""
    out: dict[str, Any] = {"suite": "redaction"}
    for part, names in (("tuned", TUNED), ("held_out", HELD_OUT)):
        sequences = load(names)
        finals, partials = score(sequences)
        out[part] = {
            "sequences": len(sequences),
            "finals": _figures(finals, named=True),
            "partials": _figures(partials),
        }
    out["leaked_prefix_chars"] = sum(out[part]["partials"]["leaked_chars"] for part in ("tuned", "held_out"))
    out["cost"] = _cost(load(TUNED))
    return out


def score(sequences: Sequence[Spoken], steps: Sequence[int] = (1,)) -> tuple[Score, Score]:
    """Finals and partials of some sequences."""
    finals, partials = Score(), Score()
    for sequence in sequences:
        play(sequence, finals, partials, steps)
    return finals, partials


def _figures(score: Score, *, named: bool = False) -> dict[str, Any]:
    return {
        "recall": round(score.recall(), 4),
        "precision": round(score.precision(), 4),
        "leaked_chars": score.leaked_chars,
        "marks": score.marks.total(),
        "kinds": {
            kind: {
                "pieces": count,
                "recall": round(score.recall(kind), 4),
                "precision": round(score.right[kind] / max(1, score.marks[kind]), 4),
            }
            | ({"named_right": round(score.typed[kind] / count, 4)} if named else {})
            for kind, count in sorted(score.pieces.items())
        },
        "wrong": sorted(score.wrong),
    }


def _cost(sequences: Sequence[Spoken]) -> dict[str, float]:
    """CPU time of a partial every three words and of the final, a word of speech."""
    words = 0
    began = time.process_time()
    for _ in range(COST_ROUNDS):
        for sequence in sequences:
            leg: RedactionStream[int] = RedactionStream()
            for number, turn in enumerate(sequence.turns):
                timed = [TimedWord(w.text, 0, 0) for w in turn.words]
                for known in range(3, len(timed), 3):
                    leg.partial(timed[:known])
                leg.final(number, timed)
                words += len(timed)
    return {"words": words, "us_per_word": round((time.process_time() - began) * 1e6 / words, 1)}
