"""Suggests a passage when the customer asks or complains and an article answers; silent otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.insights.domain.articles import Passage
from services.insights.domain.call import CallRow, Made, Said, Shown
from services.insights.domain.inputs import UtteranceSpoken
from services.insights.domain.outputs import Cited, Outputs, Suggested
from services.insights.domain.policy import Policy
from services.insights.domain.questions import Inquiry, find_inquiry, find_statement
from services.insights.domain.retrieval import Hit, Retriever
from services.insights.domain.text import sentences, terms
from services.insights.domain.writing import ask_for_suggestion

CLEARLY_SURER = 0.2


def suggest(
    row: CallRow, said: UtteranceSpoken, retriever: Retriever, policy: Policy, now: datetime
) -> tuple[CallRow, Outputs]:
    """For a customer's utterance: the row that remembers it, and what the agent is shown."""
    before = _just_before(row.last_customer, said, policy)
    inquiry, sources = _inquiry(said, before, _just_before(row.last_agent, said, policy))
    remembered = Said(utterance_id=said.utterance_id, from_ms=said.from_ms, to_ms=said.to_ms, text=said.text)
    row = replace(row, last_customer=remembered)
    if inquiry is None:
        return row, Outputs()
    hits = retriever.find(inquiry)
    hit = _best(row, hits if inquiry.asks else _spoken_of_first(row, hits, policy), said.from_ms, policy)
    if hit is None:
        return row, Outputs()
    passage = hit.passage
    shown = Shown(source=passage.source, section=passage.section, at_ms=said.from_ms, confidence=hit.confidence)
    suggestion = _suggestion(row.call_id, hit, said, sources, policy, now)
    made = Made(suggestion_id=suggestion.suggestion_id, kind="knowledge", source=passage.source, title=passage.title)
    row = replace(
        row,
        last_customer=replace(remembered, answered=True),
        passages_shown=(*row.passages_shown, shown),
        made=(*row.made, made),
    )
    return ask_for_suggestion(row, suggestion, " ".join(inquiry.core), _material(hit, hits), now, policy)


def _just_before(last: Said | None, said: UtteranceSpoken, policy: Policy) -> Said | None:
    if last is None or last.from_ms >= said.from_ms:
        return None
    return last if said.from_ms - last.to_ms <= policy.context_within_ms else None


def _inquiry(said: UtteranceSpoken, before: Said | None, agent: Said | None) -> tuple[Inquiry | None, tuple[str, ...]]:
    """What is asked, and by which utterances. A sentence may have been cut in two by a pause.

    A problem that is told right after a statement of the agent ("That is wrong.") is about that statement; what merely
    may be one is none when it replies to the agent's question.
    """
    own = (said.utterance_id,)
    inquiry = find_inquiry(said.text)
    if inquiry is not None and not inquiry.asks and agent is not None:
        last = sentences(agent.text)[-1:]
        if last and not last[0].endswith("?") and terms(last[0]):
            return Inquiry((f"{last[0]} {said.text}",), (), inquiry.asks), own
    if inquiry is not None:
        context = sentences(before.text) if before else ()
        return Inquiry(inquiry.core, (*context, *inquiry.context), inquiry.asks), own
    if before is None or before.answered or before.text.endswith("?") or find_inquiry(before.text) is None:
        replies = agent is not None and agent.text.rstrip().endswith("?")
        return (None if replies else find_statement(said.text)), own
    return find_inquiry(f"{before.text.rstrip('. ,…')} {said.text}"), (before.utterance_id, *own)


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


def _spoken_of_first(row: CallRow, hits: Sequence[Hit], policy: Policy) -> Sequence[Hit]:
    """A problem that is told rather than asked is, where that fits, about what was spoken of before."""
    known = {shown.source for shown in row.passages_shown}
    again = [hit for hit in hits if hit.passage.source in known and hit.confidence >= policy.min_confidence]
    return [*again, *(hit for hit in hits if hit not in again)]


def _material(hit: Hit, hits: Sequence[Hit]) -> list[Passage]:
    """What a writer may draw on: the passage itself, and the others of its article that fit."""
    others = [h.passage for h in hits if h is not hit and h.passage.source == hit.passage.source]
    return [hit.passage, *others]


def _suggestion(
    call_id: str, hit: Hit, said: UtteranceSpoken, sources: tuple[str, ...], policy: Policy, now: datetime
) -> Suggested:
    passage = hit.passage
    return Suggested(
        suggestion_id=f"{call_id}/{said.utterance_id}/{passage.source}",
        kind="knowledge",
        source=passage.source,
        title=passage.title,
        text=hit.answer,
        confidence=min(hit.confidence, 1.0),
        cited=(
            Cited(
                source=passage.source, title=passage.title, section=passage.section, passage=passage.text,
                url=passage.url,
            ),
        ),
        utterance_ids=sources,
        at_ms=said.from_ms,
        created_at=now,
        expires_at=now + timedelta(milliseconds=policy.suggestion_life_ms),
        published_at=said.published_at,
    )  # fmt: skip
