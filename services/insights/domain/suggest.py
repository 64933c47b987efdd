"""Suggests a passage when the customer asks or complains and an article answers; silent otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.insights.domain.call import CallRow, Said, Shown
from services.insights.domain.inputs import UtteranceSpoken
from services.insights.domain.outputs import Suggested
from services.insights.domain.policy import Policy
from services.insights.domain.questions import Inquiry, find_inquiry
from services.insights.domain.retrieval import Hit, Retriever
from services.insights.domain.text import sentences

CLEARLY_SURER = 0.2


def suggest(
    row: CallRow, said: UtteranceSpoken, retriever: Retriever, policy: Policy, now: datetime
) -> tuple[CallRow, Suggested | None]:
    """For a customer's utterance: the row that remembers it, and what the agent is shown."""
    before = _just_before(row, said, policy)
    inquiry, sources = _inquiry(said, before)
    remembered = Said(utterance_id=said.utterance_id, from_ms=said.from_ms, to_ms=said.to_ms, text=said.text)
    row = replace(row, last_customer=remembered)
    if inquiry is None:
        return row, None
    row = _with_reason(row, said, before if len(sources) > 1 else None)
    hit = _best(row, retriever.find(inquiry), said.from_ms, policy)
    if hit is None:
        return row, None
    passage = hit.passage
    shown = Shown(source=passage.source, section=passage.section, at_ms=said.from_ms, confidence=hit.confidence)
    suggestion = _suggestion(row.call_id, hit, said, sources, policy, now)
    row = replace(
        row,
        last_customer=replace(remembered, answered=True),
        passages_shown=(*row.passages_shown, shown),
        suggestion_ids=(*row.suggestion_ids, suggestion.suggestion_id),
    )
    return row, suggestion


def _just_before(row: CallRow, said: UtteranceSpoken, policy: Policy) -> Said | None:
    last = row.last_customer
    return last if last is not None and 0 <= said.from_ms - last.to_ms <= policy.context_within_ms else None


def _inquiry(said: UtteranceSpoken, before: Said | None) -> tuple[Inquiry | None, tuple[str, ...]]:
    """What is asked, and by which utterances. A sentence may have been cut in two by a pause."""
    own = (said.utterance_id,)
    inquiry = find_inquiry(said.text)
    if inquiry is not None:
        context = sentences(before.text) if before else ()
        return Inquiry(inquiry.core, (*context, *inquiry.context)), own
    if before is None or before.answered or before.text.endswith("?") or find_inquiry(before.text) is None:
        return None, own
    return find_inquiry(f"{before.text.rstrip('. ,…')} {said.text}"), (before.utterance_id, *own)


def _with_reason(row: CallRow, said: UtteranceSpoken, before: Said | None) -> CallRow:
    """The reason for the call is what the customer first asks, wherever in time its utterance arrives."""
    text = f"{before.text} {said.text}" if before else said.text
    reason = Said(utterance_id=said.utterance_id, from_ms=said.from_ms, to_ms=said.to_ms, text=text)
    known = row.reason
    extends = known is not None and before is not None and known.utterance_id == before.utterance_id
    return replace(row, reason=reason) if known is None or extends or said.from_ms < known.from_ms else row


def _best(row: CallRow, hits: Sequence[Hit], at_ms: int, policy: Policy) -> Hit | None:
    """The surest passage of the article that fits best, unless it was shown a moment ago."""
    if not hits:
        return None
    first = hits[0]
    if first.confidence < policy.min_confidence:
        return None
    shown = [past for past in row.passages_shown if past.source == first.passage.source]
    lately = [past.confidence for past in shown if abs(at_ms - past.at_ms) < policy.article_cool_down_ms]
    if lately and first.confidence < max(lately) + CLEARLY_SURER:
        return None
    cold = {past.section for past in shown if abs(at_ms - past.at_ms) < policy.passage_cool_down_ms}
    for hit in hits:
        of_article = hit.passage.source == first.passage.source
        if of_article and hit.confidence >= policy.min_confidence and hit.passage.section not in cold:
            return hit
    return None


def _suggestion(
    call_id: str, hit: Hit, said: UtteranceSpoken, sources: tuple[str, ...], policy: Policy, now: datetime
) -> Suggested:
    return Suggested(
        suggestion_id=f"{call_id}/{said.utterance_id}/{hit.passage.source}",
        title=hit.passage.title,
        text=hit.answer,
        confidence=min(hit.confidence, 1.0),
        source=hit.passage.source,
        passage=hit.passage.text,
        url=hit.passage.url,
        utterance_ids=sources,
        created_at=now,
        expires_at=now + timedelta(milliseconds=policy.suggestion_life_ms),
        latency_ms=max(0, round((now - said.published_at).total_seconds() * 1000)),
    )
