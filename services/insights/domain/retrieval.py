"""Finds the passage that answers: BM25 (Robertson and Zaragoza, 2009) with a confidence, so that it can be silent.

The BM25 score only orders passages; it has no scale. Confidence is the share of the question's weight (by inverse
document frequency) that the passage covers: a question full of words that no article knows stays without answer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.insights.domain.articles import Passage
from services.insights.domain.questions import Inquiry
from services.insights.domain.text import sentences, terms

K1 = 1.2
B = 0.4
TITLE_WEIGHT = 2
SECTION_WEIGHT = 3
CONTEXT_WEIGHT = 0.15
NEARLY = 0.97
VAGUE = frozenset(
    terms("long time second number minute hour day week month year send find hold start new old read line")
)
"""Words that fit every subject: they take part in the score, but are no evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage and how surely it answers, 0 to 1."""

    passage: Passage
    confidence: float
    answer: str
    """The sentences of the passage that fit best."""


class Retriever(Protocol):
    """Finds passages; the room for another way of searching."""

    def find(self, inquiry: Inquiry) -> Sequence[Hit]:
        """Hits, best first; confidence is for the caller to judge."""
        ...


class Bm25Index:
    """An index over passages; immutable once built."""

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._passages = tuple(passages)
        self._counts = [_weighted(passage) for passage in self._passages]
        self._subjects = _subjects(self._passages)
        self._lengths = [sum(counts.values()) for counts in self._counts]
        self._mean = sum(self._lengths) / len(self._lengths) if self._lengths else 1.0
        found_in = Counter(term for counts in self._counts for term in counts)
        total = len(self._passages)
        self._idf = {term: math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in found_in.items()}
        self._unknown_idf = math.log(1 + (total + 0.5) / 0.5)

    def __len__(self) -> int:
        return len(self._passages)

    def find(self, inquiry: Inquiry) -> tuple[Hit, ...]:
        """Passages that share a word with the inquiry, best first, at most five."""
        weights = _query(inquiry)
        scored = []
        for at, counts in enumerate(self._counts):
            shared = [term for term in weights if term in counts]
            if shared:
                scored.append((sum(weights[term] * self._term_score(term, at) for term in shared), at))
        scored.sort(key=lambda s: (-s[0], s[1]))
        if scored:  # of sections that fit about as well, the earlier is the more general
            best, first = scored[0]
            article = self._passages[first].source
            near = [s for s in scored if s[0] >= NEARLY * best and self._passages[s[1]].source == article]
            general = min(near, key=lambda s: s[1])
            scored = [general, *(s for s in scored if s is not general)]
        return tuple(self._hit(at, inquiry, weights) for _, at in scored[:5])

    def _confidence(self, at: int, inquiry: Inquiry, weights: Mapping[str, float]) -> float:
        """What the passage covers of the inquiry, or of one sentence of it that says enough by itself.

        A single word in common proves nothing unless it is the subject of this article alone.
        """
        counts = self._counts[at]
        shared = {term for term in weights if term in counts} - VAGUE
        if len(shared) < 2 and not shared & self._subjects[at]:
            return 0.0
        best = self._covered(at, weights)
        for sentence in inquiry.core:
            core = dict.fromkeys(terms(sentence), 1.0)
            if sum(term in counts for term in core) >= 2 or (core and core.keys() <= self._subjects[at]):
                best = max(best, self._covered(at, core))
        return best

    def _covered(self, at: int, weights: Mapping[str, float]) -> float:
        known = self._counts[at]
        parts = [(weight * self._idf.get(term, self._unknown_idf), term in known) for term, weight in weights.items()]
        whole = sum(part for part, _ in parts)
        return sum(part for part, shared in parts if shared) / whole if whole else 0.0

    def _term_score(self, term: str, at: int) -> float:
        count = self._counts[at][term]
        length = self._lengths[at] / self._mean
        return self._idf[term] * count * (K1 + 1) / (count + K1 * (1 - B + B * length))

    def _hit(self, at: int, inquiry: Inquiry, weights: Mapping[str, float]) -> Hit:
        passage = self._passages[at]
        confidence = round(self._confidence(at, inquiry, weights), 3)
        return Hit(passage=passage, confidence=confidence, answer=best_sentences(passage.text, weights))


def best_sentences(text: str, weights: Mapping[str, float], *, most: int = 2) -> str:
    """The sentence that shares most with the question and the one after it, in their order."""
    found = sentences(text)
    if len(found) <= most:
        return " ".join(found)
    scores = [sum(weights.get(term, 0.0) for term in set(terms(sentence))) for sentence in found]
    best = max(range(len(found)), key=lambda i: (scores[i] + 0.5 * (scores[i + 1] if i + 1 < len(found) else 0), -i))
    return " ".join(found[best : best + most])


def _subjects(passages: Sequence[Passage]) -> list[frozenset[str]]:
    """For each passage, the words of its headings that no other article has in its own."""
    headings = [frozenset(terms(f"{p.title} {p.section}")) for p in passages]
    articles: dict[str, set[str]] = {}
    for passage, found in zip(passages, headings, strict=True):
        for term in found:
            articles.setdefault(term, set()).add(passage.source)
    return [frozenset(term for term in found if len(articles[term]) == 1) for found in headings]


def _weighted(passage: Passage) -> Counter[str]:
    counts = Counter(terms(f"{passage.text} {passage.lead}"))
    for term in terms(passage.title):
        counts[term] += TITLE_WEIGHT
    for term in terms(passage.section):
        counts[term] += SECTION_WEIGHT
    return counts


def _query(inquiry: Inquiry) -> dict[str, float]:
    weights: dict[str, float] = {}
    for sentence in inquiry.context:
        weights |= dict.fromkeys(terms(sentence), CONTEXT_WEIGHT)
    for sentence in inquiry.core:
        weights |= dict.fromkeys(terms(sentence), 1.0)
    return weights
