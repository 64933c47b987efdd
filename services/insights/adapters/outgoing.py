"""The domain's outputs to wire records, and onto their topics."""

from __future__ import annotations

from datetime import datetime

from services.chassis.clock import format_utc
from services.chassis.publisher import Publisher
from services.contracts import records, topics
from services.insights.domain.dynamics import Dynamics
from services.insights.domain.outputs import Alerted, Learned, Outputs, Suggested, Summary


def publish_outputs(publisher: Publisher, call_id: str, outputs: Outputs) -> None:
    """Send all of it. Raises Backpressure when the producer's queue is full; sending again is harmless."""
    for suggested in outputs.suggested:
        publisher.publish(
            topics.ASSIST_SUGGESTIONS, call_id, suggestion_record(call_id, suggested), event_id=suggested.suggestion_id
        )
    for alerted in outputs.alerted:
        publisher.publish(topics.ALERTS, call_id, alert_record(call_id, alerted), event_id=alerted.alert_id)
    for learned in outputs.learned:
        publisher.publish(topics.CALLS_INSIGHTS, call_id, insight_record(call_id, learned), event_id=learned.insight_id)
    if outputs.summary is not None:
        record = summary_record(call_id, outputs.summary)
        publisher.publish(topics.CALLS_SUMMARY, call_id, record, event_id=f"{call_id}/summary")


def publish_timer(publisher: Publisher, call_id: str, *, due_at: datetime, now: datetime) -> None:
    """Ask, through the call's own stream, to look at it."""
    timer_id = f"{call_id}/{format_utc(due_at)}"
    record = records.InsightsTimer(timer_id=timer_id, call_id=call_id, at=now)
    publisher.publish(topics.INSIGHTS_TIMERS, call_id, record, event_id=timer_id)


def suggestion_record(call_id: str, suggested: Suggested) -> records.Suggestion:
    """As `assist.suggestions` wants it."""
    citation = records.Citation(
        source=suggested.source, title=suggested.title, passage=suggested.passage, url=suggested.url
    )
    return records.Suggestion(
        suggestion_id=suggested.suggestion_id,
        call_id=call_id,
        kind="knowledge",
        title=suggested.title,
        text=suggested.text,
        confidence=suggested.confidence,
        citations=(citation,),
        source_utterance_ids=suggested.utterance_ids,
        created_at=suggested.created_at,
        expires_at=suggested.expires_at,
        latency_ms=suggested.latency_ms,
    )


def alert_record(call_id: str, alerted: Alerted) -> records.Alert:
    """As `alerts` wants it."""
    return records.Alert(
        alert_id=alerted.alert_id,
        call_id=call_id,
        severity=alerted.severity,
        rule=alerted.rule,
        category=alerted.category,
        role=alerted.role,
        utterance_id=alerted.utterance_id,
        agent_extension_id=alerted.agent_extension_id,
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
        sentiment=learned.sentiment,
        label=learned.label,
        rule=learned.rule,
        dynamics=_dynamics(learned.dynamics) if learned.dynamics else None,
    )


def summary_record(call_id: str, summary: Summary) -> records.CallSummary:
    """As `calls.summary` wants it."""
    return records.CallSummary(
        call_id=call_id,
        at=summary.at,
        agent_extension_id=summary.agent_extension_id,
        direction=summary.direction,
        started_at=summary.started_at,
        ended_at=summary.ended_at,
        duration_ms=summary.duration_ms,
        outcome=summary.outcome,
        reason_for_call=summary.reason_for_call,
        summary=summary.summary,
        categories=summary.categories,
        agent_sentiment=summary.agent_sentiment,
        customer_sentiment=summary.customer_sentiment,
        agent_talk_ms=summary.dynamics.agent_talk_ms,
        customer_talk_ms=summary.dynamics.customer_talk_ms,
        overtalk_ms=summary.dynamics.overtalk_ms,
        silence_ms=summary.dynamics.silence_ms,
        utterances=summary.utterances,
        words=summary.words,
        suggestions=summary.suggestions,
        suggestions_accepted=summary.suggestions_accepted,
        alerts=summary.alerts,
        transcript_complete=summary.transcript_complete,
    )


def _dynamics(dynamics: Dynamics) -> records.Dynamics:
    return records.Dynamics(
        agent_talk_ms=dynamics.agent_talk_ms,
        customer_talk_ms=dynamics.customer_talk_ms,
        overtalk_ms=dynamics.overtalk_ms,
        silence_ms=dynamics.silence_ms,
        agent_share=dynamics.agent_share,
    )
