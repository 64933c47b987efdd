"""A language model as an optional writer: what it is asked, and what becomes of its reply.

The row keeps what would be published without it, until the reply comes or its time is up, whichever is first; so a
kill in between loses nothing. A reply counts only where it cites what it was given: a suggestion then cites just those
passages. Only redacted text goes out: what the transcriber has hidden is not there any more, and `leaving` hides what
looks like a number or an address all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.insights.domain.articles import Passage
from services.insights.domain.call import CallRow, Pending
from services.insights.domain.inputs import Written
from services.insights.domain.outputs import Cited, Outputs, Suggested, Summary, WriteRequest
from services.insights.domain.policy import Policy

MOST_PASSAGES = 3
_HIDDEN = "[hidden]"
_DIGIT_WORD = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)"
_SENSITIVE = re.compile(
    rf"[\w.+-]+@[\w-]+\.[\w.]+|\b\d(?:[ .-]?\d){{3,}}\b|\b{_DIGIT_WORD}(?:[ ,-]+{_DIGIT_WORD}){{3,}}\b", re.IGNORECASE
)


def leaving(text: str) -> str:
    """The text as it may leave the company: long numbers and e-mail addresses hidden."""
    return _SENSITIVE.sub(_HIDDEN, text)


def ask_for_suggestion(
    row: CallRow, suggested: Suggested, question: str, passages: Sequence[Passage], now: datetime, policy: Policy
) -> tuple[CallRow, Outputs]:
    """The suggestion itself where no model is asked, else the question to it."""
    if not policy.model_suggestion_ms:
        return row, Outputs(suggested=(suggested,))
    cited = tuple(_cited(passage) for passage in passages[:MOST_PASSAGES])
    until = now + timedelta(milliseconds=policy.model_suggestion_ms)
    pending = Pending(about=suggested.suggestion_id, until=until, suggested=replace(suggested, cited=cited))
    material = tuple((str(number), f"{c.title} / {c.section}: {c.passage}") for number, c in enumerate(cited, 1))
    request = WriteRequest(
        about=suggested.suggestion_id, kind="suggestion", question=leaving(question), material=material, until=until
    )
    return replace(row, pending=(*row.pending, pending)), Outputs(asked=(request,))


def ask_for_summary(row: CallRow, summary: Summary, now: datetime, policy: Policy) -> tuple[CallRow, Outputs]:
    """The summary itself where no model is asked or there is nothing to word, else the question to it."""
    lines = [line for line in summary.digest.text.splitlines() if line]
    if not policy.model_summary_ms or not lines:
        return row, Outputs(summary=summary)
    about, until = f"{row.call_id}/summary", now + timedelta(milliseconds=policy.model_summary_ms)
    material = tuple((str(number), leaving(line)) for number, line in enumerate(lines, 1))
    request = WriteRequest(about=about, kind="summary", question="", material=material, until=until)
    pending = Pending(about=about, until=until, summary=summary)
    return replace(row, pending=(*row.pending, pending)), Outputs(asked=(request,))


def take_reply(row: CallRow, written: Written, now: datetime) -> tuple[CallRow, Outputs]:
    """What the reply makes of what is pending; nothing where that has gone out already."""
    pending = next((each for each in row.pending if each.about == written.about), None)
    if pending is None:
        return row, Outputs()
    row = replace(row, pending=tuple(each for each in row.pending if each is not pending))
    text = written.text.strip()
    if pending.suggested is not None:
        suggested = pending.suggested
        chosen = [cited for number, cited in enumerate(suggested.cited, 1) if str(number) in written.cited]
        if text and chosen:
            suggested = replace(suggested, text=text, title=chosen[0].title, cited=tuple(chosen), by_model=True)
        return row, _out(replace(pending, suggested=suggested), now)
    if pending.summary is not None and text and written.cited:
        digest = replace(pending.summary.digest, text=text, by_model=True)
        pending = replace(pending, summary=replace(pending.summary, digest=digest))
    return row, _out(pending, now)


def take_time(row: CallRow, now: datetime) -> tuple[CallRow, Outputs]:
    """What goes out without a reply, its time being up."""
    due = [each for each in row.pending if each.until <= now]
    outputs = Outputs()
    for each in due:
        outputs = outputs.and_(_out(each, now))
    return replace(row, pending=tuple(each for each in row.pending if each not in due)), outputs


def _out(pending: Pending, now: datetime) -> Outputs:
    if pending.suggested is None:
        return Outputs(summary=pending.summary)
    suggested = pending.suggested
    life = suggested.expires_at - suggested.created_at
    if not suggested.by_model:
        suggested = replace(suggested, cited=suggested.cited[:1])
    return Outputs(suggested=(replace(suggested, created_at=now, expires_at=now + life),))


def _cited(passage: Passage) -> Cited:
    return Cited(
        source=passage.source, title=passage.title, section=passage.section, passage=passage.text, url=passage.url
    )
