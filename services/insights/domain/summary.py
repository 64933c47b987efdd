"""The row of a call, built from the call itself: why the customer called, what the agent offered, how it ended."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from services.insights.domain.call import CallRow, Said
from services.insights.domain.inputs import UtteranceSpoken
from services.insights.domain.outputs import Summary
from services.insights.domain.text import sentences

MOST_OFFERS = 5
MOST_CHARS = 300
_OFFER = re.compile(
    r"\b(?:(?:i|we)(?:'ll| will| can| could| have| am|'ve|'m) |you (?:can|will|get|could)\b"
    r"|is free\b|is booked\b|will arrive)",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"\b(?:(?:can|could) (?:help|see|hear|check|look)|have (?:found|a look)|i am (?:very |so )?sorry|hold|"
    r"anything else|to hear that|your name|one moment|a moment|can you|i need to)\b",
    re.IGNORECASE,
)


def note_offers(row: CallRow, said: UtteranceSpoken) -> CallRow:
    """Remember what the agent promises or can do; the newest few."""
    found = [s for s in sentences(said.text) if not s.endswith("?") and _OFFER.search(s) and not _EMPTY.search(s)]
    if not found:
        return row
    offer = Said(utterance_id=said.utterance_id, from_ms=said.from_ms, to_ms=said.to_ms, text=_short(" ".join(found)))
    offers = sorted((*row.offers, offer), key=lambda each: each.from_ms)
    return replace(row, offers=tuple(offers[-MOST_OFFERS:]))


def sum_up(row: CallRow, now: datetime) -> Summary:
    """The summary of an ended call."""
    ended = row.ended
    duration_ms = ended.duration_ms if ended else 0
    complete = row.wholly_transcribed and all(leg.whole for leg in row.legs)
    return Summary(
        at=now,
        agent_extension_id=row.agent_extension_id,
        direction=row.direction,
        started_at=row.answered_at,
        ended_at=ended.at if ended else None,
        duration_ms=duration_ms,
        outcome=ended.outcome if ended else "",
        reason_for_call=_short(row.reason.text) if row.reason else "",
        summary=_tell(row, complete=complete),
        categories=row.categories,
        agent_sentiment=row.agent_sentiment.value,
        customer_sentiment=row.customer_sentiment.value,
        dynamics=row.dynamics(),
        utterances=row.utterances,
        words=row.words,
        suggestions=len(row.suggestion_ids),
        suggestions_accepted=len(row.accepted_ids),
        alerts=row.alerts,
        transcript_complete=complete,
    )


def _tell(row: CallRow, *, complete: bool) -> str:
    parts = []
    if row.reason:
        parts.append(f"The customer said: {_short(row.reason.text)}")
    if row.offers:
        parts.append("The agent said: " + " ".join(offer.text for offer in row.offers))
    if row.ended:
        minutes, seconds = divmod(row.ended.duration_ms // 1000, 60)
        heard = "wholly transcribed" if complete else "not wholly transcribed" if row.utterances else "no transcript"
        parts.append(f"The call lasted {minutes} min {seconds} s ({row.ended.outcome.replace('_', ' ')}, {heard}).")
    return "\n".join(parts)


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARS else text[:MOST_CHARS].rpartition(" ")[0] + " …"
