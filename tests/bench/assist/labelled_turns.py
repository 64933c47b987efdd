"""The labelled customer turns of `tests/data/assist/turns.yaml`, and what becomes of one in a call of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

TURNS = Path(__file__).resolve().parents[2] / "data" / "assist" / "turns.yaml"
PARTS = ("tuning", "held_out")


@dataclass(frozen=True, slots=True)
class Turn:
    """What a customer says, and the article that answers it (None: nothing should be suggested)."""

    part: str
    text: str
    article: str | None


def labelled_turns() -> tuple[Turn, ...]:
    """All turns, in the file's order."""
    document = yaml.safe_load(TURNS.read_text(encoding="utf-8"))
    return tuple(
        turn
        for part in PARTS
        for turn in (
            *(
                Turn(part, text, f"{article}.md")
                for article, texts in document[part]["answered"].items()
                for text in texts
            ),
            *(Turn(part, text, None) for text in document[part]["unanswered"]),
        )
    )
