"""Sentiment by VADER's lexicon: made for short informal sentences, and takes well under a millisecond."""

from __future__ import annotations

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer


class VaderScorer:
    """Implements SentimentScorer. Building one reads the lexicon from the package."""

    def __init__(self) -> None:
        self._analyzer = SentimentIntensityAnalyzer()

    def score(self, text: str) -> float:
        """The compound score, -1 to 1."""
        return float(self._analyzer.polarity_scores(text)["compound"])
