"""What decisions draw on besides the row. A reload of articles or rules makes a new one of these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from services.insights.domain.policy import Policy
from services.insights.domain.retrieval import Retriever
from services.insights.domain.rules import RuleBook
from services.insights.domain.sentiment import SentimentScorer


class Groups(Protocol):
    """Who is in which monitoring group."""

    def of(self, extension_id: str) -> frozenset[str]:
        """Ids and names of the groups in which the extension is monitored."""
        ...


class NoGroups:
    """Nobody is in any group."""

    def of(self, extension_id: str) -> frozenset[str]:
        """None."""
        return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """Articles, lexicon, rules, groups, and the numbers."""

    retriever: Retriever
    scorer: SentimentScorer
    book: RuleBook = field(default_factory=RuleBook)
    groups: Groups = field(default_factory=NoGroups)
    policy: Policy = field(default_factory=Policy)
