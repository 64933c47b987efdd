"""Articles and rules as they are on disk now. A bad edit keeps what was there before, and says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog
from prometheus_client import Counter, Gauge

from services.chassis.errors import SettingError
from services.insights.adapters.knowledge_folder import SAMPLE_KNOWLEDGE, fingerprint, read_folder
from services.insights.adapters.rules_file import PACKAGED_RULES, load_rules
from services.insights.domain.articles import Passage
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.retrieval import Embedder, HybridIndex, Matrix

log = structlog.get_logger()
RELOADS = Counter("earshot_insights_reloads_total", "Times a changed file was read.", ["what", "outcome"])
VALID = Gauge(
    "earshot_insights_file_valid", "0 while the file on disk is wrong and an older state is in use.", ["what"]
)
PASSAGES = Gauge("earshot_insights_passages", "Passages of the knowledge base.")
RULES = Gauge("earshot_insights_rules", "Rules in use.")


class RememberingEmbedder:
    """Implements Embedder: what was embedded for the last index is not embedded again for the next."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: dict[str, Matrix] = {}
        self._used: dict[str, Matrix] = {}

    def embed(self, texts: Sequence[str]) -> Matrix:
        """One row a text."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known and text not in self._used]
        made = dict(zip(new, self._embedder.embed(new), strict=True)) if new else {}
        for text in texts:
            if text not in self._used:
                self._used[text] = made[text] if text in made else self._known[text]
        return np.stack([self._used[text] for text in texts])

    def forget_unused(self) -> None:
        """After an index is built: keep what it took."""
        self._known, self._used = self._used, {}


class Files:
    """Reads the knowledge base and the rules, and again when they change. Reading is blocking."""

    def __init__(
        self, *, knowledge_dir: Path | None, knowledge_url: str, rules_file: Path | None, embedder: Embedder
    ) -> None:
        self._folder = knowledge_dir or SAMPLE_KNOWLEDGE
        self._url = knowledge_url
        self._rules = rules_file or PACKAGED_RULES
        self._embedder = embedder
        self._for_index = RememberingEmbedder(embedder)
        self._seen = {"knowledge": fingerprint(self._folder), "rules": fingerprint(self._rules)}

    def read(self, knowledge: Callable[[HybridIndex], Knowledge]) -> Knowledge:
        """Both, at the start. Raises SettingError for what cannot be read."""
        book = load_rules(self._rules)
        index = self._index()
        RULES.set(len(book.rules))
        for what in self._seen:
            VALID.labels(what).set(1)
        log.info("knowledge_read", passages=len(index), rules=len(book.rules))
        return replace(knowledge(index), book=book)

    def changed(self, knowledge: Knowledge) -> Knowledge | None:
        """`knowledge` with what has changed since the last look; None where nothing has, or where it is wrong."""
        rules, articles = fingerprint(self._rules), fingerprint(self._folder)
        found = knowledge
        if rules != self._seen["rules"]:
            self._seen["rules"] = rules
            found = self._attempt("rules", lambda: replace(found, book=load_rules(self._rules)), found)
            RULES.set(len(found.book.rules))
        if articles != self._seen["knowledge"]:
            self._seen["knowledge"] = articles
            found = self._attempt("knowledge", lambda: replace(found, retriever=self._index()), found)
        return found if found is not knowledge else None

    def _attempt(self, what: str, read: Callable[[], Knowledge], before: Knowledge) -> Knowledge:
        try:
            found = read()
        except SettingError as error:
            RELOADS.labels(what, "rejected").inc()
            VALID.labels(what).set(0)
            log.error("change_rejected", what=what, problem=str(error), in_use="the state before the change")
            return before
        RELOADS.labels(what, "taken").inc()
        VALID.labels(what).set(1)
        log.info("change_taken", what=what)
        return found

    def _index(self) -> HybridIndex:
        passages: tuple[Passage, ...] = read_folder(self._folder, self._url)
        PASSAGES.set(len(passages))
        index = HybridIndex(passages, self._embedder, embed_articles=self._for_index)
        self._for_index.forget_unused()
        return index


async def follow(files: Files, get: Callable[[], Knowledge], put: Callable[[Knowledge], None], every_s: float) -> None:
    """Look at the files again and again, on a thread of their own."""
    while True:
        await asyncio.sleep(every_s)
        changed = await asyncio.to_thread(files.changed, get())
        if changed is not None:
            put(changed)
