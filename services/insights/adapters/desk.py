"""The one place that applies decisions: reads the row, decides, publishes, stores.

What agents and supervisors must not miss (suggestions, alerts, the summary) is acknowledged by the broker before
the row that says so is stored: after a kill in between, the replay publishes the same ids again, where the other
order would lose them. The five topics' agents take turns, so none comes between another's reading and storing.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from datetime import datetime, timedelta

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.chassis.clock import Clock
from services.chassis.errors import Backpressure, Fatal
from services.chassis.publisher import Publisher
from services.insights.adapters.outgoing import publish_outputs, publish_timer
from services.insights.adapters.rows import decode_row, encode_row
from services.insights.domain.call import CallRow
from services.insights.domain.decide import Knowledge, decide
from services.insights.domain.inputs import Input, UtteranceSpoken
from services.insights.domain.outputs import Outputs

log = structlog.get_logger()
UTTERANCES = Counter("earshot_insights_utterances_total", "Finals taken in.", ["role"])
SUGGESTIONS = Counter("earshot_insights_suggestions_total", "Suggestions made.", ["source"])
ALERTS = Counter("earshot_insights_alerts_total", "Alerts raised.", ["rule", "severity"])
SUMMARIES = Counter("earshot_insights_summaries_total", "Calls summed up.", ["complete"])
SUGGESTION_SECONDS = Histogram(
    "earshot_insights_suggestion_seconds",
    "From the final utterance's publication to the suggestion.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5),
)
CALLS = Gauge("earshot_insights_calls", "Calls remembered.")
FLUSH_TIMEOUT_S = 10.0
ASK_AGAIN = timedelta(seconds=10)


class Desk:
    """For one event loop. In memory it holds only what the rows say of when calls are due."""

    def __init__(
        self, rows: MutableMapping[bytes, bytes], publisher: Publisher, clock: Clock, knowledge: Knowledge
    ) -> None:
        self._rows = rows
        self._publisher = publisher
        self._clock = clock
        self._knowledge = knowledge
        self._due: dict[str, datetime] = {}
        self._turn = asyncio.Lock()

    async def take(self, call_id: str, event: Input) -> Outputs:
        """Apply an input; what it brought forth. Raises Fatal when the broker does not acknowledge."""
        async with self._turn:
            key = call_id.encode()
            value = self._rows.get(key)
            before = decode_row(value) if value else None
            row, outputs = decide(before, event, self._clock.now(), call_id=call_id, knowledge=self._knowledge)
            if outputs:
                await self._publish(call_id, outputs)
            self._store(key, call_id, before, row)
        self._count(call_id, event, outputs)
        return outputs

    def ask_for_due(self) -> int:
        """Send a timer record for each call whose moment has come: rows change only in their own stream."""
        now = self._clock.now()
        due = [call_id for call_id, at in self._due.items() if at <= now]
        for call_id in due:
            publish_timer(self._publisher, call_id, due_at=self._due[call_id], now=now)
            self._due[call_id] = now + ASK_AGAIN
        return len(due)

    def rebuild(self) -> int:
        """After a start or a change of partitions: when calls are due, anew from the rows; how many there are."""
        self._due.clear()
        for key, value in list(self._rows.items()):
            try:
                self._remember(key.decode(), decode_row(value))
            except msgspec.ValidationError:
                log.error("row_unreadable", call_id=key.decode(errors="replace"))
        return len(self._due)

    async def _publish(self, call_id: str, outputs: Outputs) -> None:
        while True:
            try:
                publish_outputs(self._publisher, call_id, outputs)
                break
            except Backpressure:
                await asyncio.sleep(0.05)
        if (outputs.suggested or outputs.alerted or outputs.summary) and not await asyncio.to_thread(
            self._publisher.flush, FLUSH_TIMEOUT_S
        ):
            raise Fatal("the broker does not acknowledge records")

    def _store(self, key: bytes, call_id: str, before: CallRow | None, row: CallRow | None) -> None:
        if row is None:
            self._rows.pop(key, None)
        elif row != before:
            self._rows[key] = encode_row(row)
        self._remember(call_id, row)

    def _remember(self, call_id: str, row: CallRow | None) -> None:
        if row is None or row.due_at is None:
            self._due.pop(call_id, None)
        else:
            self._due[call_id] = row.due_at
        CALLS.set(len(self._due))

    def _count(self, call_id: str, event: Input, outputs: Outputs) -> None:
        if isinstance(event, UtteranceSpoken):
            UTTERANCES.labels(event.role).inc()
        for suggested in outputs.suggested:
            SUGGESTIONS.labels(suggested.source).inc()
            SUGGESTION_SECONDS.observe(suggested.latency_ms / 1000)
            log.info(
                "suggested", call_id=call_id, suggestion_id=suggested.suggestion_id, confidence=suggested.confidence,
                latency_ms=suggested.latency_ms,
            )  # fmt: skip
        for alerted in outputs.alerted:
            ALERTS.labels(alerted.rule, alerted.severity).inc()
            log.info("alerted", call_id=call_id, alert_id=alerted.alert_id, severity=alerted.severity)
        if outputs.summary is not None:
            complete = outputs.summary.transcript_complete
            SUMMARIES.labels(str(complete).lower()).inc()
            log.info("summed_up", call_id=call_id, outcome=outputs.summary.outcome, complete=complete)
