"""What insights draws on, built once for a run of tests: the real encoder, the sample articles, the packaged rules."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from services.insights.adapters.encoder import MiniLmEncoder
from services.insights.adapters.knowledge_folder import SAMPLE_KNOWLEDGE, read_folder
from services.insights.adapters.lexicon import VaderScorer
from services.insights.adapters.rules_file import PACKAGED_RULES, load_rules
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.retrieval import HybridIndex

_FOLDER = tempfile.TemporaryDirectory(prefix="earshot-encoder-")


@cache
def encoder() -> MiniLmEncoder:
    """Its weights, converted into a folder that goes with the process."""
    return MiniLmEncoder(Path(_FOLDER.name))


@cache
def sample_index() -> HybridIndex:
    """Over the sample knowledge base."""
    return HybridIndex(read_folder(SAMPLE_KNOWLEDGE), encoder())


@cache
def sample_knowledge() -> Knowledge:
    """With the packaged rules and the standing policy."""
    return Knowledge(retriever=sample_index(), scorer=VaderScorer(), book=load_rules(PACKAGED_RULES))
