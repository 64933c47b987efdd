"""The row of an ended call for analysts, and the call so far while it lives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.insights.domain.call import CallRow, Made
from services.insights.domain.checklist import checklist
from services.insights.domain.digest import Digest, tell
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.outputs import Acceptance, HandOn, Learned, Outputs, Summary
from services.insights.domain.sentiment import course, mean, thirds


def sum_up(row: CallRow, now: datetime, knowledge: Knowledge) -> Summary:
    """The summary of an ended call."""
    ended = row.ended
    complete = row.wholly_transcribed and all(leg.whole for leg in row.legs)
    opening, closing = thirds(row.felt, "customer")
    digest = digest_of(row)
    return Summary(
        at=now,
        agent_extension_id=row.agent_extension_id,
        direction=row.direction,
        started_at=row.answered_at,
        ended_at=ended.at if ended else None,
        duration_ms=ended.duration_ms if ended else 0,
        outcome=ended.outcome if ended else "",
        digest=replace(digest, text="\n".join(part for part in (digest.text, _length(row, complete=complete)) if part)),
        categories=row.categories,
        agent_sentiment=mean(row.felt, "agent"),
        customer_sentiment=mean(row.felt, "customer"),
        customer_opening=opening,
        customer_closing=closing,
        course=course(row.felt),
        dynamics=row.dynamics(),
        utterances=row.utterances,
        words=sum(leg.words for leg in row.legs),
        checklist=checklist(row, knowledge.book, knowledge.groups.of(row.agent_extension_id)),
        acceptance=acceptance(row.made),
        raised=row.raised,
        transferred_from=row.handed_on_from,
        transferred_to=row.transferred_to,
        transcript_complete=complete,
    )


def digest_of(row: CallRow) -> Digest:
    """The call so far, with what another call handed on to it."""
    return tell(row.notes, transferred=bool(row.transferred_to), before=row.handed_on)


def tell_so_far(row: CallRow, now: datetime, cause: str, every_ms: int) -> tuple[CallRow, Outputs]:
    """The running summary, when there is something new and the last one is some time ago."""
    if row.digest_told.text and row.heard_to_ms - row.digest_at_ms < every_ms:
        return row, Outputs()
    digest = digest_of(row)
    if not digest.text or digest == row.digest_told:
        return row, Outputs()
    learned = Learned(insight_id=f"{row.call_id}/{cause}/summary", kind="summary", at=now, digest=digest)
    return replace(row, digest_told=digest, digest_at_ms=row.heard_to_ms), Outputs(learned=(learned,))


def hand_on(row: CallRow, peer_call_id: str, now: datetime, cause: str) -> tuple[CallRow, Outputs]:
    """The call is transferred: whoever takes it over reads what has been, in the call that it goes on in too."""
    peer = peer_call_id if peer_call_id != row.call_id else ""
    row = replace(row, transferred_to=peer or row.transferred_to)
    digest = replace(digest_of(row), result="transferred")
    learned = Learned(
        insight_id=f"{row.call_id}/{cause}/summary", kind="summary", at=now, digest=digest, for_transfer=True
    )
    row = replace(row, digest_told=digest, digest_at_ms=row.heard_to_ms)
    return row, Outputs(learned=(learned,), handed_on=(HandOn(to_call_id=peer, digest=digest),) if peer else ())


def take_over(row: CallRow, from_call_id: str, digest: Digest, now: datetime) -> tuple[CallRow, Outputs]:
    """What the call before hands on, for whoever has taken the call over."""
    if row.handed_on_from:
        return row, Outputs()
    row = replace(row, handed_on_from=from_call_id, handed_on=digest)
    learned = Learned(
        insight_id=f"{row.call_id}/{from_call_id}/summary", kind="summary", at=now, digest=digest,
        handed_on_from=from_call_id,
    )  # fmt: skip
    return row, Outputs(learned=(learned,))


def acceptance(made: Sequence[Made]) -> tuple[Acceptance, ...]:
    """What became of the suggestions, by article and rule, in the order of the first of each."""
    by_source: dict[tuple[str, str], list[Made]] = {}
    for each in made:
        by_source.setdefault((each.kind, each.source), []).append(each)
    return tuple(
        Acceptance(
            kind=found[0].kind,
            source=found[0].source,
            title=found[0].title,
            made=len(found),
            shown=sum(each.shown for each in found),
            accepted=sum(each.outcome == "accepted" for each in found),
            dismissed=sum(each.outcome == "dismissed" for each in found),
            reasons=tuple(sorted({each.reason for each in found if each.reason})),
        )
        for found in by_source.values()
    )


def _length(row: CallRow, *, complete: bool) -> str:
    if row.ended is None:
        return ""
    minutes, seconds = divmod(row.ended.duration_ms // 1000, 60)
    heard = "wholly transcribed" if complete else "not wholly transcribed" if row.utterances else "no transcript"
    return f"The call lasted {minutes} min {seconds} s ({row.ended.outcome.replace('_', ' ')}, {heard})."
