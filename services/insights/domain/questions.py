"""Finds what the customer wants to know: the sentences that ask or state a problem.

What is neither (a name, an address, thanks, "okay") prompts nothing, however well it fits an article.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.insights.domain.text import sentences

_ASKS = re.compile(
    r"^(?:(?:and|but|so|well|okay|ok|yes|no|also|then|please|hello|hi|wait|sorry|if [^,]+)[, ]+)*"
    r"(?:how|what|what's|when|where|which|who|why|can|could|do|does|did|is|are|am|will|would|may|should)\b",
    re.IGNORECASE,
)
_WANTS = re.compile(
    r"\b(?:i|we)(?:'d| would)? (?:need|want|like|wish)\b"
    r"|\b(?:i am|i'm|we are|we're) (?:calling|trying|looking|thinking)\b"
    r"|\b(?:tell me|wondering|explain|i forgot|i lost)\b",
    re.IGNORECASE,
)
_PROBLEM = re.compile(
    r"\b(?:not|isn't|doesn't|don't|won't|can't|cannot|never|no longer|stopped) (?:\w+ ){0,2}?"
    r"(?:work\w*|here|there|arriv\w*|com\w+|receiv\w*|connect\w*|load\w*|respond\w*|ask\w*|order\w*|get|got|find|found|log)\b"
    r"|\b(?:is|was|been|are|keeps?|goes|went) (?:\w+ )?"
    r"(?:down|broken|wrong|slow|dead|late|missing|off|dropping|cut|damaged)\b"
    r"|\b(?:problems?|trouble|issue|fault|error|mistake|overcharg\w+|charged|outage|locked out)\b"
    r"|\btoo (?:slow|high|much|expensive|late)\b|\bno (?:internet|service|signal|connection|visit)\b"
    r"|\b(?:stays|stayed|remains) (?:red|off|dark|slow)\b|\bdon't (?:know|understand|recogni[sz]e)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """`core`: sentences that ask or complain; `context`: the rest of what was said with them."""

    core: tuple[str, ...]
    context: tuple[str, ...]


def find_inquiry(text: str) -> Inquiry | None:
    """What is asked in an utterance, or None."""
    core: list[str] = []
    context: list[str] = []
    for sentence in sentences(text):
        (core if is_inquiry(sentence) else context).append(sentence)
    return Inquiry(tuple(core), tuple(context)) if core else None


def is_inquiry(sentence: str) -> bool:
    """Whether a sentence asks for something or states a problem."""
    if sentence.endswith("?"):
        return True
    return any(pattern.search(sentence) for pattern in (_ASKS, _WANTS, _PROBLEM))
