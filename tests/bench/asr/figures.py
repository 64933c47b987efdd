"""Figures from what was said and what was shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

import jiwer

from services.cli.domain.accuracy import aligned, comparable
from tests.bench.asr.feed import Playing
from tests.bench.asr.screen import Shown

LOOK_AHEAD = 60


def error_rate(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Word error rate over all (reference, hypothesis) pairs: errors by the words that were said."""
    said, heard = zip(*((comparable(reference), comparable(text)) for reference, text in pairs), strict=True)
    result = jiwer.process_words(list(said), list(heard))
    return {
        "wer_percent": round(100 * result.wer, 2),
        "words": sum(len(text.split()) for text in said),
        "substitutions": result.substitutions,
        "deletions": result.deletions,
        "insertions": result.insertions,
    }


def text_of(shown: Sequence[Shown]) -> str:
    """The finals' words."""
    return " ".join(word for item in shown if item.final for word in item.words)


@dataclass(slots=True)
class Sight:
    """Latencies of words and how often what was shown changed, gathered over legs."""

    partial_ms: list[int] = field(default_factory=list)
    final_ms: list[int] = field(default_factory=list)
    spoken: int = 0
    changed: int = 0
    final_words: int = 0

    def add(self, playing: Playing, shown: Sequence[Shown], *, from_ms: int, until_ms: int) -> None:
        """Count a leg's words that ended within a stretch of the feed.

        A word counts as seen when first it stood, behind the finals, where the transcript has it in the end. What was
        shown and is not there any more in the next state of the screen has changed.
        """
        transcript = [word for item in shown if item.final for word in item.words]
        seen_ms: list[int | None] = [None] * len(transcript)
        final_ms: list[int] = []
        open_words: dict[str, tuple[str, ...]] = {}
        for item in shown:
            before = [word for words in open_words.values() for word in words]
            known = len(final_ms)
            if item.final:
                open_words.pop(item.utterance_id, None)
                final_ms += [item.at_ms] * len(item.words)
            else:
                open_words[item.utterance_id] = item.words
            now = [word for words in open_words.values() for word in words]
            ahead = transcript[len(final_ms) : len(final_ms) + len(now) + LOOK_AHEAD]
            for index in aligned(ahead, now):
                place = len(final_ms) + index
                seen_ms[place] = item.at_ms if seen_ms[place] is None else seen_ms[place]
            self.changed += len(before) - len(aligned(before, [*transcript[known : len(final_ms)], *now]))
        self.final_words += len(transcript)
        ends = [playing.began_ms + word.end_ms for word in playing.leg.words]
        self.spoken += sum(from_ms <= end_ms < until_ms for end_ms in ends)
        for mine, theirs in aligned(transcript, [word.text for word in playing.leg.words]).items():
            if from_ms <= ends[theirs] < until_ms:
                first_ms = seen_ms[mine]
                self.partial_ms.append((final_ms[mine] if first_ms is None else first_ms) - ends[theirs])
                self.final_ms.append(final_ms[mine] - ends[theirs])

    def plus(self, other: Sight) -> Sight:
        """Both together."""
        return Sight(
            self.partial_ms + other.partial_ms,
            self.final_ms + other.final_ms,
            self.spoken + other.spoken,
            self.changed + other.changed,
            self.final_words + other.final_words,
        )

    def figures(self) -> dict[str, Any]:
        """As they go into the results; latencies in seconds from a word's end."""
        return {
            "words": self.spoken,
            "words_with_latency": len(self.partial_ms),
            "partial_latency_s": percentiles(self.partial_ms),
            "final_latency_s": percentiles(self.final_ms),
            "changed_words_per_word": round(self.changed / max(1, self.final_words), 3),
        }


def sight(
    playing: Mapping[str, Playing], seen: Mapping[str, Sequence[Shown]], *, from_ms: int = 0, until_ms: int = 10**9
) -> Sight:
    """Over all legs of a feed."""
    out = Sight()
    for leg_id, leg in playing.items():
        if leg.leg.words:
            out.add(leg, seen.get(leg_id, ()), from_ms=from_ms, until_ms=until_ms)
    return out


def percentiles(values_ms: Sequence[float]) -> dict[str, float | None]:
    """p50, p90, p95 and p99 in seconds."""
    if len(values_ms) < 2:
        return dict.fromkeys(("p50", "p90", "p95", "p99"))
    cuts = quantiles(values_ms, n=100, method="inclusive")
    return {f"p{n}": round(cuts[n - 1] / 1000, 2) for n in (50, 90, 95, 99)}
