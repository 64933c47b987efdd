"""Whether a final stands as the first look has it, or is to be heard again."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from services.transcriber.adapters.runtime import Hypothesis

SURE = {"tiny": -0.2, "larger": -0.15}
"""Mean log probability from which a final stands."""
SURE_OF_EACH = {"tiny": -0.6, "larger": -0.5}
"""It stands, too, where no part of a word is less likely than this: then it is punctuation that is in doubt."""
UNLIKELY = -1.0
"""A part of a word that is less likely than this puts the whole in doubt."""
SPACE = "\u0120"
"""How a vocabulary writes the space before a word."""


def marks_of(vocabulary: Mapping[str, int]) -> frozenset[int]:
    """The tokens without a letter or a digit."""
    return frozenset(token for text, token in vocabulary.items() if not any(c.isalnum() for c in text.lstrip(SPACE)))


def stands(said: Hypothesis, marks: Collection[int], size: str) -> bool:
    """Whether the model is sure of the whole, or, where the runtime tells of each token, of all that are no ``marks``.

    ``size``: tiny or larger.
    """
    told = zip(said.tokens, said.chances, strict=False)
    least = min((chance for token, chance in told if token not in marks), default=UNLIKELY)
    return least >= SURE_OF_EACH[size] or (said.score >= SURE[size] and least >= UNLIKELY)
