"""Finds what the customer wants to know: the sentences that ask for something or state a problem.

Speech that was written down often has no question marks, so questions are known by how they begin, after fillers and in
the middle of a sentence too. A problem can be told in any words ("you took eighty dollars and my plan is sixty"), so a
sentence that is long enough and says nothing is settled may be one too: `stated`, and it takes a surer article to
answer it. What cannot be one (a name, an address, thanks, "okay", what was done already, what works now) prompts
nothing, however well it fits an article.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.insights.domain.text import sentences

_FILLER = (
    r"(?:(?:and|but|so|well|okay|ok|yes|yeah|no|oh|um|uh|hey|also|then|now|just|please|hello|hi|wait"
    r"|sorry|if [^,]+)[, ]+)*"
)
_ASKS = re.compile(
    rf"^{_FILLER}(?:how|what|what's|when|where|where's|which|who|why|can|could|do|does|did|is|are|am|will|would|may"
    r"|should|until what|since when|any way|any chance)\b"
    r"|\b(?:how (?:do|does|can|could|would|should|much|many|long|fast|soon|early|late|far|often|come)"
    r"|what (?:do|does|can|could|would|should|if|happens|time|kind|about)|what(?:'s| is| are) (?:the|your|my|our)"
    r"|where (?:do|does|can|is|are|would)|where's|when (?:do|does|can|will|would|is|are)|why (?:do|does|is"
    r"|are|am|was|did)"
    r"|which (?:one|of|plan)|(?:can|could|may|should) (?:i|we|you|that|it|this|they|he|she|somebody|someone)"
    r"|(?:do|did|will|would) (?:i|we|you|they|it)|does (?:it|that|this|the|my)|(?:is|are) (?:there|it|that|they|you|we)"
    r"|(?:is|was) (?:my|the|this) \w+ (?:supposed|going|covered))\b",
    re.IGNORECASE,
)
_WANTS = re.compile(
    r"\b(?:i|we)(?:'d| would)? (?:just |really |also |still )?(?:need|want|like|wish|wanna|have to know)\b"
    r"|\b(?:and|but|just|also|still) (?:want|need) to\b"
    r"|\b(?:i am|i'm|we are|we're) (?:\w+ )?(?:calling|trying|looking (?:for|to)|thinking|going to|moving"
    r"|relocating|planning)\b"
    r"|\b(?:tell me|wondering|explain|help (?:me|us)|i forgot|i lost|i(?:'ve| have) (?:forgotten|lost))\b"
    r"|\b(?:give|get) (?:me|us) (?:my|our|the) money\b|\b(?:i|we) (?:expect|demand|request|would love|hope to"
    r"|have to|must)\b"
    r"|\bplease (?:\w+ )?(?:update|change|send|remove|take|cancel|stop|check|fix|help|refund|credit|add|book"
    r"|move|switch)\b",
    re.IGNORECASE,
)
_PROBLEM = re.compile(
    r"\b(?:not|\w+n't|cannot|never|no longer|nothing|nobody|no one|none|without|stopped)\b"
    r"|\b(?:is|was|were|been|are|keeps?|kept|goes|went|gone|got|comes?|turned) (?:\w+ ){0,2}?"
    r"(?:down|broken|wrong|slow|dead|late|missing|off|offline|out|dropping|cutting|cut|damaged|red|lost|stuck|expired"
    r"|gone|up|higher|lower|disconnect\w*|freezing|crashing|buffering|torn|faulty|defective|incorrect|too \w+)\b"
    r"|\b(?:problems?|trouble|issues?|fault|errors?|mistake|overcharg\w+|charged|billed|outage|locked out|disconnects"
    r"|drops?|freezes?|freeze up|crawls|expired|broke|defective|stolen)\b"
    r"|\b(?:too|way|much|super) (?:slow|high|higher|more|much|expensive|late|long|bad)\b"
    r"|\b(?:higher|more|less|cheaper|slower|worse|later) than\b|\bsupposed to\b|\bno (?:\w+ )?(?:internet|service"
    r"|signal|connection|visit|idea|clue)\b"
    r"|\b(?:red|no) light\b|\b(?:stays|stayed|remains|showing) (?:red|off|dark|slow)\b"
    r"|\b(?:wrong|late fee|by mistake|twice this|forever|so i'm leaving|decided)\b",
    re.IGNORECASE,
)
_PLEASED = re.compile(r"\b(?:thanks|thank you|great|perfect|wonderful|lovely)\b", re.IGNORECASE)
_SETTLED = re.compile(
    r"\b(?:already|thanks?|thank you|great|perfect|wonderful|lovely|love|good to know|that's (?:fine|it|all|right)"
    r"|no problem|(?:it|that|this|everything) (?:is |was )?(?:works?|working|fixed|done|fine|good)|(?:is|are) green"
    r"|is working|works (?:now|again)|my name is|this is \w+ (?:speaking|calling)"
    r"|i(?:'m| am) (?:looking at|sitting|standing|pressing|holding|at (?:home|work))"
    r"|i (?:have it|see it|can see|found it|did that|tried|will try|'ll try|understand|see|live (?:at|in))"
    r"|i'll (?:do|try|think|ask|call)|(?:it|number|digits) (?:is|are|'s) \w+ \w+ \w+ \w+|hold on|hang on"
    r"|one (?:second|moment))\b"
    r"|^(?:yes|yeah|yep|no|nope|okay|ok|sure|right|exactly|absolutely|hello|hi|good (?:morning|afternoon|evening))\b"
    r"[ ,.]*(?:\w+[ ,.]*){0,4}$",
    re.IGNORECASE,
)
STATEMENT_WORDS = 7
_RUN_ON = re.compile(
    r"(?<=\w) (?=(?:so |and |but )?(?:how (?:do|does|can|could|would|much|many|long|fast|soon)"
    r"|what (?:can|do|does|should|happens|time)|where (?:do|does|can|is)|when (?:will|do|does|is|can)"
    r"|why (?:is|are|do|did)|can (?:i|you|we|that|it)|could (?:i|you|we|that)|do (?:i|you|we)|is there|are there"
    r"|will (?:i|you|we|it)|would (?:you|that))\b)",
    re.IGNORECASE,
)
RUN_ON_WORDS = 4
"""A question that begins after so many words, without a mark between, is a sentence of its own."""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """`core`: sentences that ask or complain; `context`: the rest of what was said with them.

    `asks`: something is asked for, not only told. `stated`: it may be a problem, though nothing in it says so.
    """

    core: tuple[str, ...]
    context: tuple[str, ...]
    asks: bool = True
    stated: bool = False


def find_inquiry(text: str) -> Inquiry | None:
    """What is asked in an utterance, or None."""
    core: list[str] = []
    context: list[str] = []
    for sentence in (clause for whole in sentences(text) for clause in _clauses(whole)):
        (core if is_inquiry(sentence) else context).append(sentence)
    return Inquiry(tuple(core), tuple(context), any(map(is_question, core))) if core else None


def find_statement(text: str) -> Inquiry | None:
    """What may be a problem in an utterance that `find_inquiry` finds nothing in."""
    found = sentences(text)
    core = tuple(s for s in found if len(s.split()) >= STATEMENT_WORDS and not _SETTLED.search(s))
    if not core:
        return None
    return Inquiry(core, tuple(s for s in found if s not in core), asks=False, stated=True)


def _clauses(sentence: str) -> list[str]:
    """A sentence that runs on ("it does not fit me how do I return it") cut where a question begins."""
    clauses = [""]
    for part in _RUN_ON.split(sentence):
        if len(clauses[-1].split()) >= RUN_ON_WORDS:
            clauses.append(part)
        else:
            clauses[-1] = f"{clauses[-1]} {part}".strip()
    return clauses


def is_inquiry(sentence: str) -> bool:
    """Whether a sentence asks for something or states a problem."""
    return is_question(sentence) or (_PROBLEM.search(sentence) is not None and not _PLEASED.search(sentence))


def is_question(sentence: str) -> bool:
    """Whether a sentence asks for something, with or without its mark."""
    return sentence.endswith("?") or any(pattern.search(sentence) for pattern in (_ASKS, _WANTS))
