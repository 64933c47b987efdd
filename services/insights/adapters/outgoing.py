"""The domain's outputs to wire records, and onto their topics."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from datetime import datetime
from typing import Any

from services.chassis.clock import format_utc
from services.chassis.publisher import Publisher
from services.contracts import records, topics
from services.insights.domain.digest import Digest
from services.insights.domain.dynamics import Dynamics, Stretch
from services.insights.domain.inputs import Written
from services.insights.domain.outputs import Acceptance, Alerted, Learned, Outputs, StepState, Suggested, Summary


def publish_outputs(
    publisher: Publisher, call_id: str, outputs: Outputs, now: datetime, *, gone_out: Collection[str] = ()
) -> None:
    """Send all of it but what has `gone_out` before (by event id).

    Raises Backpressure when the producer's queue is full; sending again is harmless.
    """
    for suggested in outputs.suggested:
        if suggested.suggestion_id not in gone_out:
            record = suggestion_record(call_id, suggested)
            publisher.publish(topics.ASSIST_SUGGESTIONS, call_id, record, event_id=suggested.suggestion_id)
    for alerted in outputs.alerted:
        if alerted.alert_id not in gone_out:
            publisher.publish(topics.ALERTS, call_id, alert_record(call_id, alerted), event_id=alerted.alert_id)
    for learned in outputs.learned:
        publisher.publish(topics.CALLS_INSIGHTS, call_id, insight_record(call_id, learned), event_id=learned.insight_id)
    if outputs.summary is not None and summary_id(call_id, outputs.summary) not in gone_out:
        row = summary_record(call_id, outputs.summary)
        publisher.publish(topics.CALLS_SUMMARY, call_id, row, event_id=summary_id(call_id, outputs.summary))
    for handed in outputs.handed_on:
        timer_id = f"{call_id}>{handed.to_call_id}"
        timer = records.InsightsTimer(
            timer_id=timer_id, call_id=handed.to_call_id, at=now, summary=_digest(handed.digest), handed_on_from=call_id
        )
        publisher.publish(topics.INSIGHTS_TIMERS, handed.to_call_id, timer, event_id=timer_id)


def publish_timer(publisher: Publisher, call_id: str, *, due_at: datetime, now: datetime) -> None:
    """Ask, through the call's own stream, to look at it."""
    timer_id = f"{call_id}/{format_utc(due_at)}"
    record = records.InsightsTimer(timer_id=timer_id, call_id=call_id, at=now)
    publisher.publish(topics.INSIGHTS_TIMERS, call_id, record, event_id=timer_id)


def publish_wording(publisher: Publisher, call_id: str, written: Written, now: datetime) -> None:
    """Bring a language model's reply to the call's own stream."""
    timer_id = f"{written.about}/wording"
    wording = records.Wording(about=written.about, text=written.text, cited=written.cited)
    record = records.InsightsTimer(timer_id=timer_id, call_id=call_id, at=now, wording=wording)
    publisher.publish(topics.INSIGHTS_TIMERS, call_id, record, event_id=timer_id)


def summary_id(call_id: str, summary: Summary) -> str:
    """The event id of a call's row: of this call and this end, since a call id may come back."""
    ended = format_utc(summary.ended_at) if summary.ended_at else ""
    return f"{call_id}/summary/{ended}"


def suggestion_record(call_id: str, suggested: Suggested) -> records.Suggestion:
    """As `assist.suggestions` wants it."""
    waited_ms = (suggested.created_at - suggested.published_at).total_seconds() * 1000
    return records.Suggestion(
        suggestion_id=suggested.suggestion_id,
        call_id=call_id,
        kind=suggested.kind,
        rule=suggested.source if suggested.kind == "rule" else "",
        title=suggested.title,
        text=suggested.text,
        confidence=suggested.confidence,
        citations=tuple(records.Citation(**asdict(cited)) for cited in suggested.cited),
        source_utterance_ids=suggested.utterance_ids,
        created_at=suggested.created_at,
        expires_at=suggested.expires_at,
        latency_ms=max(0, round(waited_ms)),
        at_ms=suggested.at_ms,
        writer="model" if suggested.by_model else "source",
    )


def alert_record(call_id: str, alerted: Alerted) -> records.Alert:
    """As `alerts` wants it."""
    return records.Alert(
        alert_id=alerted.alert_id,
        call_id=call_id,
        severity=alerted.severity,
        rule=alerted.rule,
        title=alerted.title,
        category=alerted.category,
        role=alerted.role,
        utterance_id=alerted.utterance_id,
        agent_extension_id=alerted.agent_extension_id,
        reason=alerted.reason,
        at_ms=alerted.at_ms,
        at=alerted.at,
    )


def insight_record(call_id: str, learned: Learned) -> records.CallInsight:
    """As `calls.insights` wants it."""
    return records.CallInsight(
        insight_id=learned.insight_id,
        call_id=call_id,
        kind=learned.kind,
        at=learned.at,
        utterance_id=learned.utterance_id,
        role=learned.role,
        start_ms=learned.start_ms,
        end_ms=learned.end_ms,
        sentiment=learned.sentiment,
        running_sentiment=learned.running,
        label=learned.label,
        rule=learned.rule,
        dynamics=_dynamics(learned.dynamics) if learned.dynamics else None,
        checklist=tuple(map(_step, learned.checklist)),
        summary=_digest(learned.digest) if learned.digest else None,
        handed_on_from=learned.handed_on_from,
        for_transfer=learned.for_transfer,
    )


def summary_record(call_id: str, summary: Summary) -> records.CallSummary:
    """As `calls.summary` wants it."""
    digest = summary.digest
    measured = {name: value for name, value in asdict(summary.dynamics).items() if name not in {"timeline", *_SHARES}}
    return records.CallSummary(
        call_id=call_id,
        at=summary.at,
        agent_extension_id=summary.agent_extension_id,
        direction=summary.direction,
        started_at=summary.started_at,
        ended_at=summary.ended_at,
        duration_ms=summary.duration_ms,
        outcome=summary.outcome,
        reason_for_call=digest.reason,
        summary=digest.text,
        steps=digest.steps,
        promises=digest.promises,
        open_points=digest.open_points,
        result=digest.result,
        summary_writer="model" if digest.by_model else "call",
        categories=summary.categories,
        agent_sentiment=summary.agent_sentiment,
        customer_sentiment=summary.customer_sentiment,
        customer_sentiment_opening=summary.customer_opening,
        customer_sentiment_closing=summary.customer_closing,
        sentiment_course=tuple(
            records.SentimentPoint(role=p.side, start_ms=p.start_ms, end_ms=p.end_ms, sentiment=p.score)
            for p in summary.course
        ),
        timeline=tuple(map(_stretch, summary.dynamics.timeline)),
        utterances=summary.utterances,
        words=summary.words,
        checklist=tuple(map(_step, summary.checklist)),
        checklist_done=sum(step.status == "done" for step in summary.checklist),
        checklist_steps=len(summary.checklist),
        suggestions=sum(each.made for each in summary.acceptance),
        suggestions_shown=sum(each.shown for each in summary.acceptance),
        suggestions_accepted=sum(each.accepted for each in summary.acceptance),
        suggestions_dismissed=sum(each.dismissed for each in summary.acceptance),
        acceptance=tuple(map(_acceptance, summary.acceptance)),
        alerts=len(summary.raised),
        alerts_raised=tuple(records.RaisedAlert(**asdict(raised)) for raised in summary.raised),
        transferred_from=summary.transferred_from,
        transferred_to=summary.transferred_to,
        transcript_complete=summary.transcript_complete,
        **measured,
    )


_SHARES = ("agent_share", "customer_share")


def _dynamics(dynamics: Dynamics) -> records.Dynamics:
    numbers: dict[str, Any] = asdict(dynamics) | {"timeline": tuple(map(_stretch, dynamics.timeline))}
    return records.Dynamics(**numbers)


def _stretch(stretch: Stretch) -> records.TimelineSpan:
    return records.TimelineSpan(kind=stretch.kind, start_ms=stretch.start_ms, end_ms=stretch.end_ms)


def _step(step: StepState) -> records.ChecklistStep:
    return records.ChecklistStep(
        step=step.name, title=step.title, status=step.status, at=step.at, at_ms=step.at_ms,
        utterance_id=step.utterance_id, rule=step.rule,
    )  # fmt: skip


def _digest(digest: Digest) -> records.CallDigest:
    return records.CallDigest(
        text=digest.text, reason=digest.reason, steps=digest.steps, promises=digest.promises,
        open_points=digest.open_points, result=digest.result, writer="model" if digest.by_model else "call",
    )  # fmt: skip


def _acceptance(each: Acceptance) -> records.Acceptance:
    return records.Acceptance(**asdict(each))
