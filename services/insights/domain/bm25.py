"""Words in common: BM25 (Robertson and Zaragoza, 2009) over passages, and how much of a question a passage covers.

The BM25 score orders passages; it is told in units of the weight of a word that no passage holds, so that it means
alike for knowledge bases small and large. Coverage is the share of the question's weight (by inverse document
frequency) that the passage holds, 0 to 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from services.insights.domain.articles import Passage
from services.insights.domain.questions import Inquiry
from services.insights.domain.text import terms

K1 = 1.2
B = 0.4
TITLE_WEIGHT = 2
SECTION_WEIGHT = 3
CONTEXT_WEIGHT = 0.15
VAGUE = frozenset(
    terms("long time second number minute hour day week month year send find hold start new old read line")
)
"""Words that fit every subject: they take part in the score, but are no evidence."""


class Bm25:
    """An index over passages; immutable once built. Results are by the passages' positions."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._counts = [_weighted(passage) for passage in passages]
        self._lengths = [sum(counts.values()) for counts in self._counts]
        self._mean = sum(self._lengths) / len(self._lengths) if self._lengths else 1.0
        self._holding: dict[str, list[int]] = {}
        for at, counts in enumerate(self._counts):
            for term in counts:
                self._holding.setdefault(term, []).append(at)
        total = len(passages)
        self._idf = {
            term: math.log(1 + (total - len(at) + 0.5) / (len(at) + 0.5)) for term, at in self._holding.items()
        }
        self._unknown_idf = math.log(1 + (total + 0.5) / 0.5)

    def scores(self, inquiry: Inquiry) -> dict[int, float]:
        """Passages that share a word with the inquiry."""
        found: dict[int, float] = {}
        for term, weight in query_weights(inquiry).items():
            for at in self._holding.get(term, ()):
                found[at] = found.get(at, 0.0) + weight * self._term_score(term, at)
        return {at: score / self._unknown_idf for at, score in found.items()}

    def coverage(self, at: int, inquiry: Inquiry) -> float:
        """What the passage holds of the inquiry, or of one sentence of it that says enough by itself."""
        weights = query_weights(inquiry)
        counts = self._counts[at]
        shared = {term for term in weights if term in counts} - VAGUE
        if not shared:
            return 0.0
        best = self._covered(counts, weights)
        for sentence in inquiry.core:
            core = dict.fromkeys(terms(sentence), 1.0)
            if sum(term in counts for term in core) >= 2:
                best = max(best, self._covered(counts, core))
        return best

    def _covered(self, counts: Mapping[str, int], weights: Mapping[str, float]) -> float:
        parts = [(weight * self._idf.get(term, self._unknown_idf), term in counts) for term, weight in weights.items()]
        whole = sum(part for part, _ in parts)
        return sum(part for part, shared in parts if shared) / whole if whole else 0.0

    def _term_score(self, term: str, at: int) -> float:
        count = self._counts[at][term]
        length = self._lengths[at] / self._mean
        return self._idf[term] * count * (K1 + 1) / (count + K1 * (1 - B + B * length))


def query_weights(inquiry: Inquiry, *, core_only: bool = False) -> dict[str, float]:
    """The inquiry's terms, those of its context lightly."""
    weights: dict[str, float] = {}
    for sentence in () if core_only else inquiry.context:
        weights |= dict.fromkeys(terms(sentence), CONTEXT_WEIGHT)
    for sentence in inquiry.core:
        weights |= dict.fromkeys(terms(sentence), 1.0)
    return weights


def _weighted(passage: Passage) -> Counter[str]:
    counts = Counter(terms(f"{passage.text} {passage.lead}"))
    for term in terms(passage.title):
        counts[term] += TITLE_WEIGHT
    for term in terms(passage.section):
        counts[term] += SECTION_WEIGHT
    return counts
