"""The call so far in a few lines, made of its own sentences: reason, steps, promises, open points, result.

Nothing is worded here: a sentence is taken as it was said, or it is left out. An open point is a question or problem of
the customer to which the agent has not said anything that bears on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from services.insights.domain.questions import find_inquiry, is_question
from services.insights.domain.text import sentences, terms

MOST_SENTENCES = 6
MOST_POINTS = 8
MOST_CHARS = 300
REPLY_WORDS = 5
"""A statement of so many words right after a question is taken for a reply to it."""
Result = Literal["resolved", "follow_up", "unresolved", "transferred", "unknown"]

_PROMISE = re.compile(
    r"\b(?:i|we)(?:'ll| will| can| could| am going to|'m going to|'re going to| are going to) \w+"
    r"|\byou(?:'ll| will| can| could| are going to) (?:get|receive|have|be|find|hear|use|keep|expect|pick"
    r"|return|send)\b"
    r"|\b(?:is|are|will be) (?:free|booked|waived|credited|on its way)\b|\bwill (?:arrive|be \w+ed|come|call|go)\b",
    re.IGNORECASE,
)
_STEP = re.compile(
    r"\b(?:i|we)(?:'ve| have)? (?:just |now |already |also )?(?:sent|made|put|took|taken|set|reset|cut|paid"
    r"|brought|found out|gave|given|told|spoke|wrote|\w{2,}ed)\b"
    r"|\b(?:i am|i'm|we are|we're) (?:now |just )?(?:add|send|book|chang|cancel|remov|refund|credit|reset"
    r"|updat|order|transfer|fix)\w*ing\b"
    r"|\b(?:is|are|was|were|has been|have been) (?:now )?(?:done|booked|changed|cancelled|canceled|removed"
    r"|added|credited|sent"
    r"|refunded|updated|upgraded|confirmed|activated|reset)\b|\bwent through\b",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"\b(?:(?:can|could|will) (?:help|see|hear|check|look|find|have a look|do that|try|ask|need)|have (?:found|a look)"
    r"|i am (?:very |so )?sorry|hold|anything else|to hear that|your name|one moment|a moment|can you|i need(?:ed)? to"
    r"|understood|happened|called|looked|checked|asked|wondered|wanted|appreciated)\b",
    re.IGNORECASE,
)
_STALLS = re.compile(
    r"\b(?:let me|one moment|a moment|hold on|i see|i understand|sorry to hear|have a look|bear with me"
    r"|just a second)\b",
    re.IGNORECASE,
)
_AFFIRMS = re.compile(r"^(?:yes|no|of course|sure|certainly|absolutely|unfortunately|right)\b[,. ]", re.IGNORECASE)
_LATER = re.compile(
    r"\b(?:tomorrow|tonight|next (?:week|day|month|bill|morning)|within \w+|by (?:mail|email|monday|tuesday"
    r"|wednesday|thursday"
    r"|friday|saturday|sunday)|on (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)|technician"
    r"|call(?:ing)? (?:you )?back"
    r"|get back to you|let you know|working days?|arrive|will call|send you)\b",
    re.IGNORECASE,
)
_CONTENT = re.compile(
    r"\b(?:that(?:'s| is| was| sounds) (?:all|everything|great|perfect|fair|good|fine|wonderful|it)"
    r"|works? (?:now|again)"
    r"|working (?:now|again)|solved|perfect|wonderful|(?:very|so|really) (?:helpful|kind)|thank you|thanks)\b",
    re.IGNORECASE,
)
_DISCONTENT = re.compile(
    r"\b(?:still (?:not|doesn't|isn't|don't)|not (?:helpful|happy|good enough|acceptable)|unacceptable"
    r"|ridiculous|waste of"
    r"|no help|useless|never mind|forget it|file a complaint)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The call so far. `by_model`: the text was worded by a language model from the rest."""

    text: str = ""
    reason: str = ""
    steps: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()
    open_points: tuple[str, ...] = ()
    result: Result = "unknown"
    by_model: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A sentence that is kept, and where it was said."""

    utterance_id: str
    from_ms: int
    text: str
    answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """What is kept of a call for its digest; the order is that of the media clock."""

    reason: Noted | None = None
    steps: tuple[Noted, ...] = ()
    promises: tuple[Noted, ...] = ()
    points: tuple[Noted, ...] = ()
    closing: tuple[Noted, ...] = field(default=())
    """The customer's last few sentences."""


def note_agent(notes: Notes, utterance_id: str, from_ms: int, text: str) -> Notes:
    """With what the agent did or promised, and the points that it answers."""
    stated = [s for s in sentences(text) if not is_question(s) or _AFFIRMS.match(s)]
    promises = [s for s in stated if _PROMISE.search(s) and not _EMPTY.search(s) and not s.endswith("?")]
    steps = [s for s in stated if s not in promises and _STEP.search(s) and not _EMPTY.search(s)]
    notes = replace(
        notes,
        promises=_with(notes.promises, utterance_id, from_ms, promises),
        steps=_with(notes.steps, utterance_id, from_ms, steps),
    )
    telling = [s for s in stated if not _STALLS.search(s)]
    if not telling:
        return notes
    said = {term for s in telling for term in terms(s)}
    weighty = bool(promises or steps or _AFFIRMS.match(telling[0]))
    before = [point for point in notes.points if point.from_ms < from_ms]
    newest = before[-1] if before and sum(len(s.split()) for s in telling) >= REPLY_WORDS else None
    points = tuple(
        replace(point, answered=True)
        if point in before and (point is newest or _bears(point, said, weighty=weighty))
        else point
        for point in notes.points
    )
    return replace(notes, points=points)


def note_customer(notes: Notes, utterance_id: str, from_ms: int, text: str) -> Notes:
    """With the points that the customer raises; the first of them is the reason for the call."""
    closing = (*notes.closing, Noted(utterance_id=utterance_id, from_ms=from_ms, text=short(text)))
    notes = replace(notes, closing=_ordered(closing)[-3:])
    inquiry = find_inquiry(text)
    if inquiry is None:
        return notes
    point = Noted(utterance_id=utterance_id, from_ms=from_ms, text=short(" ".join(inquiry.core)))
    if not terms(point.text):
        return notes
    reason = notes.reason
    if reason is None or from_ms < reason.from_ms:
        reason = Noted(utterance_id=utterance_id, from_ms=from_ms, text=short(text))
    return replace(notes, reason=reason, points=_ordered((*notes.points, point))[-MOST_POINTS:])


def tell(notes: Notes, *, transferred: bool = False, before: Digest | None = None) -> Digest:
    """The digest. `before` is what a call that was transferred into this one handed on."""
    reason = notes.reason.text if notes.reason else ""
    if before is not None and before.reason:
        reason = before.reason
    steps, promises = (tuple(note.text for note in kept) for kept in (notes.steps, notes.promises))
    points = tuple(point.text for point in notes.points if not point.answered)
    result = _result(notes, transferred=transferred)
    parts = [
        f"Before the transfer:\n{before.text}" if before is not None and before.text else "",
        f"The customer said: {reason}" if reason else "",
        f"Done: {' '.join(steps)}" if steps else "",
        f"The agent promised: {' '.join(promises)}" if promises else "",
        f"Open: {' '.join(points)}" if points else "",
    ]
    return Digest(
        text="\n".join(part for part in parts if part), reason=reason, steps=steps, promises=promises,
        open_points=points, result=result,
    )  # fmt: skip


def short(text: str) -> str:
    """At most 300 characters, cut between words."""
    return text if len(text) <= MOST_CHARS else text[:MOST_CHARS].rpartition(" ")[0] + " …"


def _result(notes: Notes, *, transferred: bool) -> Result:
    if transferred:
        return "transferred"
    last = " ".join(note.text for note in notes.closing)
    if _DISCONTENT.search(last):
        return "unresolved"
    content = bool(_CONTENT.search(last))
    if any(_LATER.search(promise.text) for promise in notes.promises) and (content or notes.points):
        return "follow_up"
    if content and notes.points:
        return "resolved" if any(point.answered for point in notes.points) or notes.steps else "unresolved"
    if any(not point.answered for point in notes.points):
        return "unresolved"
    return "unknown"


def _bears(point: Noted, said: set[str], *, weighty: bool) -> bool:
    """Whether a statement bears on the point: it does something, or speaks of the same."""
    about = set(terms(point.text))
    return bool(about & said) or weighty


def _with(kept: tuple[Noted, ...], utterance_id: str, from_ms: int, found: list[str]) -> tuple[Noted, ...]:
    if not found:
        return kept
    note = Noted(utterance_id=utterance_id, from_ms=from_ms, text=short(" ".join(found)))
    return _ordered((*kept, note))[-MOST_SENTENCES:]


def _ordered(notes: tuple[Noted, ...]) -> tuple[Noted, ...]:
    return tuple(sorted(notes, key=lambda note: note.from_ms))
