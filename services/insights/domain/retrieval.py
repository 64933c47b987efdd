"""Finds the passage that answers, by meaning and by words, with a confidence, so that it can be silent.

Theory of operation. A passage's likeness to a question is the cosine of their sentence embeddings: of the passage, of
its best single sentence, of its headings or of how customers put it (whichever is nearer), and of the whole article.
The words they share (BM25) break near ties, and settle what embeddings do not know (names of products, codes). The
confidence is a logistic regression on four measures, fitted on the part of the labelled turns that is for tuning
(`python -m tests.bench.assist.fit`): 0.7 means that about seven in ten such suggestions were the right article.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from services.insights.domain.articles import Passage
from services.insights.domain.bm25 import VAGUE, Bm25, query_weights
from services.insights.domain.questions import Inquiry
from services.insights.domain.text import sentences

Matrix = NDArray[np.float32]
"""One row a text, each of length 1."""
MOST_HITS = 5
MOST_QUERIES = 4
PASSAGE_SHARE, SENTENCE_SHARE, ASKED_SHARE, ARTICLE_SHARE = 0.3, 0.15, 0.4, 0.15
WORDS_SHARE, WORDS_WITHIN = 0.01, 0.1
"""Of the BM25 score in units of the weight of an unknown word: between articles, and between passages of one."""


class Embedder(Protocol):
    """Texts to vectors whose inner product is their likeness."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """One row a text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage and how surely it answers, 0 to 1."""

    passage: Passage
    confidence: float
    answer: str
    """The sentences of the passage that fit best."""


class Retriever(Protocol):
    """Finds passages."""

    def find(self, inquiry: Inquiry) -> Sequence[Hit]:
        """Hits, best first, each of its passage; confidence is for the caller to judge."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What the confidence of an article is judged by."""

    likeness: float
    """Of its best passage, by meaning."""
    lead: float
    """How far that is above the best passage of any other article."""
    coverage: float
    """The share of the question's weight that the passage's words hold."""
    asks: bool
    """The customer asked or wanted something, rather than told of a problem."""
    stated: bool = False
    """Nothing but the likeness says that it is a problem at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Coefficients of the logistic regression."""

    bias: float = -7.42
    likeness: float = 18.99
    lead: float = 11.08
    coverage: float = -0.47
    asks: float = -1.23
    stated: float = -3.79

    def confidence(self, measures: Measures) -> float:
        """0 to 1."""
        score = (
            self.bias
            + self.likeness * measures.likeness
            + self.lead * measures.lead
            + self.coverage * measures.coverage
            + self.asks * measures.asks
            + self.stated * measures.stated
        )
        return 1.0 / (1.0 + math.exp(-score))


class HybridIndex:
    """An index over passages; immutable once built. Building embeds every passage, its headings and sentences."""

    def __init__(
        self, passages: Sequence[Passage], embedder: Embedder, *, calibration: Calibration | None = None,
        embed_articles: Embedder | None = None,
    ) -> None:  # fmt: skip
        """`embed_articles` stands in for `embedder` while the index is built."""
        self._passages = tuple(passages)
        self._embedder = embedder
        self._calibration = calibration or Calibration()
        self._words = Bm25(self._passages)
        self._sentences = [sentences(passage.text) or (passage.text,) for passage in self._passages]
        self._owner = np.array([at for at, found in enumerate(self._sentences) for _ in found], dtype=np.int64)
        sources = list(dict.fromkeys(passage.source for passage in self._passages))
        self._article = np.array([sources.index(passage.source) for passage in self._passages], dtype=np.int64)
        if self._passages:
            self._embed_all(sources, (embed_articles or embedder).embed)

    def _embed_all(self, sources: Sequence[str], embed: Callable[[Sequence[str]], Matrix]) -> None:
        self._whole = embed([f"{p.title}. {p.section}. {p.text}" for p in self._passages])
        self._headings = embed([f"{p.title}: {p.section}" for p in self._passages])
        self._sections = embed([p.section or p.title for p in self._passages])
        self._single = embed([sentence for found in self._sentences for sentence in found])
        articles = [[p for p in self._passages if p.source == source] for source in sources]
        self._articles = embed([_whole_article(passages) for passages in articles])
        asked = [
            (number, text) for number, found in enumerate(articles) for text in (*found[0].questions, found[0].title)
        ]
        self._asked = embed([text for _, text in asked])
        self._asked_of = np.array([number for number, _ in asked], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._passages)

    def find(self, inquiry: Inquiry) -> tuple[Hit, ...]:
        """The best passages, at most five; none where the inquiry says nothing of its subject."""
        if not self._passages or not query_weights(inquiry, core_only=True).keys() - VAGUE:
            return ()
        likeness, within, single = self._likeness(inquiry)
        words = self._words.scores(inquiry)
        score = _with_words(likeness, words, WORDS_SHARE)
        best = int(np.argmax(score))
        sure = self._sure(best, inquiry, likeness, score)
        own = np.flatnonzero(self._article == self._article[best])
        first = max(map(int, own), key=lambda at: (_with_words(within, words, WORDS_WITHIN)[at], -at))
        order = [first, *(int(at) for at in np.argsort(-score, kind="stable") if at != first)]
        return tuple(
            Hit(
                passage=self._passages[at],
                confidence=sure if at == first else self._sure(at, inquiry, likeness, score),
                answer=quoted(self._sentences[at], single[self._owner == at].tolist()),
            )
            for at in order[:MOST_HITS]
        )

    def measures(self, inquiry: Inquiry) -> tuple[Passage, Measures]:
        """The best passage and what its confidence is judged by: what a calibration is fitted on."""
        likeness, _, _ = self._likeness(inquiry)
        score = _with_words(likeness, self._words.scores(inquiry), WORDS_SHARE)
        at = int(np.argmax(score))
        return self._passages[at], self._measured(at, inquiry, likeness, score)

    def _likeness(self, inquiry: Inquiry) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Of every passage: how it fits, and how it does next to others of its article; of every sentence how it fits.

        Half of it is that of all that was asked, half that of the best way to put it.
        """
        ways = self._embedder.embed(_queries(inquiry))
        single = ways @ self._single.T
        asked = _best_of(ways @ self._asked.T, self._asked_of, len(self._articles))[:, self._article]
        mixed = (
            PASSAGE_SHARE * (ways @ self._whole.T)
            + SENTENCE_SHARE * _best_of(single, self._owner, len(self._passages))
            + ASKED_SHARE * np.maximum(asked, ways @ self._headings.T)
            + ARTICLE_SHARE * (ways @ self._articles.T)[:, self._article]
        )
        within = (ways @ self._whole.T + ways @ self._sections.T).max(axis=0)
        return 0.5 * (mixed[0] + mixed.max(axis=0)), within, single.max(axis=0)

    def _sure(self, at: int, inquiry: Inquiry, likeness: NDArray[Any], score: NDArray[Any]) -> float:
        return round(self._calibration.confidence(self._measured(at, inquiry, likeness, score)), 3)

    def _measured(self, at: int, inquiry: Inquiry, likeness: NDArray[Any], score: NDArray[Any]) -> Measures:
        others = score[self._article != self._article[at]]
        return Measures(
            likeness=float(likeness[at]),
            lead=float(score[at] - others.max()) if len(others) else 1.0,
            coverage=self._words.coverage(at, inquiry),
            asks=inquiry.asks,
            stated=inquiry.stated,
        )


def _with_words(likeness: NDArray[Any], words: Mapping[int, float], share: float) -> NDArray[Any]:
    score = likeness.copy()
    for at, value in words.items():
        score[at] += share * value
    return score


def _best_of(fit: NDArray[Any], owner: NDArray[Any], owners: int) -> NDArray[Any]:
    """For each way to put the question the best of what belongs to each owner."""
    best = np.full((len(fit), owners), -1.0, dtype=np.float32)
    for row in range(len(fit)):
        np.maximum.at(best[row], owner, fit[row])
    return best


def _whole_article(passages: Sequence[Passage]) -> str:
    first = passages[0]
    return " ".join([first.title, first.lead, *(f"{p.section}. {p.text}" for p in passages)])


def _queries(inquiry: Inquiry) -> list[str]:
    """The ways to put the question: all that was asked, with what was said around it, and each sentence by itself."""
    asked = " ".join(inquiry.core)
    ways = [asked, *(inquiry.core if len(inquiry.core) > 1 else ())]
    if inquiry.context:
        ways.insert(1, " ".join((*inquiry.context, asked)))
    return ways[:MOST_QUERIES]


def quoted(found: Sequence[str], fit: Sequence[float], *, most: int = 2) -> str:
    """The sentence that fits best and the one after it, in their order."""
    if len(found) <= most:
        return " ".join(found)
    following = [fit[at] + 0.5 * (fit[at + 1] if at + 1 < len(found) else 0.0) for at in range(len(found))]
    best = max(range(len(found)), key=lambda at: (following[at], -at))
    return " ".join(found[best : best + most])
