"""From spoken to seen: for each word, the time from its end until a partial, and the final, showed it.

A word's end is its known time where the words are known, else the time that the final gives it. Arrival is the
wall clock of the follower of the topics, so brokers and queues are in the figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import quantiles

from services.cli.domain.accuracy import aligned
from services.cli.domain.conversation import SPEAKERS, KnownWords, Speaker
from services.cli.domain.transcript import Heard


def word_latencies_ms(
    heard: Sequence[Heard], *, epoch: datetime, known: KnownWords | None, offset_ms: int
) -> Mapping[str, list[int]]:
    """`partial` and `final`: a latency for each word of the finals. `offset_ms`: see `swapped_speakers`."""
    revisions: dict[str, list[Heard]] = defaultdict(list)
    for item in heard:
        revisions[item.utterance.utterance_id].append(item)
    found: dict[str, list[int]] = {"partial": [], "final": []}
    finals = {i: next((h for h in items if h.utterance.is_final), None) for i, items in revisions.items()}
    ends = _known_ends(finals, known, offset_ms)
    for utterance_id, final in finals.items():
        if final is None:
            continue
        words = [w.text for w in final.utterance.words]
        first_seen: dict[int, datetime] = {}
        for item in revisions[utterance_id]:
            for index in aligned(words, [w.text for w in item.utterance.words] or item.utterance.text.split()):
                first_seen.setdefault(index, item.arrived)
        for index, word in enumerate(final.utterance.words):
            if known is not None and (utterance_id, index) not in ends:
                continue
            spoken = epoch + timedelta(milliseconds=ends.get((utterance_id, index), word.end_ms))
            found["final"].append(_ms(final.arrived - spoken))
            found["partial"].append(_ms(first_seen.get(index, final.arrived) - spoken))
    return found


def _known_ends(
    finals: Mapping[str, Heard | None], known: KnownWords | None, offset_ms: int
) -> dict[tuple[str, int], int]:
    """On the media clock: the known end of each final's word that is one of the known words."""
    ends: dict[tuple[str, int], int] = {}
    if known is None:
        return ends
    for speaker in SPEAKERS:
        places, texts = _words_of(finals, speaker)
        reference = known.words[speaker]
        for mine, theirs in aligned(texts, [w.text for w in reference]).items():
            ends[places[mine]] = reference[theirs].end_ms + offset_ms
    return ends


def _words_of(finals: Mapping[str, Heard | None], speaker: Speaker) -> tuple[list[tuple[str, int]], list[str]]:
    mine = sorted(
        (h.utterance for h in finals.values() if h is not None and h.utterance.role == speaker),
        key=lambda utterance: utterance.start_ms,
    )
    places = [(u.utterance_id, i) for u in mine for i in range(len(u.words))]
    return places, [w.text for u in mine for w in u.words]


def percentiles(values_ms: Sequence[int]) -> dict[str, int | None]:
    """p50 and p95; None where there is nothing to measure."""
    if len(values_ms) < 2:
        only = values_ms[0] if values_ms else None
        return {"p50": only, "p95": only}
    cuts = quantiles(values_ms, n=20, method="inclusive")
    return {"p50": round(cuts[9]), "p95": round(cuts[18])}


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)
