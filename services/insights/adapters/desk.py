"""The one place that applies decisions: reads the row, decides, publishes, stores.

What agents and supervisors must not miss (suggestions, alerts, the summary, what is handed on) is acknowledged by the
broker before the row that says so is stored: after a kill in between, the replay publishes the same ids again, where
the other order would lose them; `gone_out` then keeps them from standing there twice. The five topics' agents take
turns, so none comes between another's reading and storing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, MutableMapping
from datetime import datetime, timedelta

import msgspec
import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.chassis.clock import Clock
from services.chassis.errors import Backpressure, Fatal, Transient
from services.chassis.publisher import Publisher
from services.insights.adapters.outgoing import publish_outputs, publish_timer
from services.insights.adapters.rows import decode_row, encode_row
from services.insights.domain.call import CallRow
from services.insights.domain.decide import decide
from services.insights.domain.inputs import Input, TimerDue, UtteranceSpoken
from services.insights.domain.knowledge import Knowledge
from services.insights.domain.outputs import Outputs, WriteRequest

log = structlog.get_logger()
UTTERANCES = Counter("earshot_insights_utterances_total", "Finals taken in.", ["role"])
SUGGESTIONS = Counter("earshot_insights_suggestions_total", "Suggestions made.", ["kind", "source"])
FEEDBACK = Counter("earshot_insights_feedback_total", "What became of suggestions.", ["kind", "source", "action"])
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
CATCHING_UP_S = 3.0
"""So soon after a start or a late final nothing is judged by the clock: what was said may be waiting to be read."""


class Desk:
    """For one event loop. In memory it holds only what the rows say of when calls are due.

    `gone_out` reads back what was published before (blocking; raises Transient); `ask` takes what a language model
    is to word. `knowledge` may be replaced between two inputs.
    """

    def __init__(
        self, rows: MutableMapping[bytes, bytes], publisher: Publisher, clock: Clock, knowledge: Knowledge, *,
        gone_out: Callable[[], Collection[str]] = frozenset, ask: Callable[[str, WriteRequest], None] | None = None,
    ) -> None:  # fmt: skip
        self.knowledge = knowledge
        self._rows = rows
        self._publisher = publisher
        self._clock = clock
        self._read_gone_out = gone_out
        self._gone_out: Collection[str] | None = None
        self._ask = ask
        self._due: dict[str, datetime] = {}
        self._turn = asyncio.Lock()
        self._behind_until_s = 0.0
        self.fall_behind()

    async def take(self, call_id: str, event: Input) -> Outputs:
        """Apply an input; what it brought forth. Raises Fatal when the broker does not acknowledge."""
        if isinstance(event, UtteranceSpoken):
            self._note_age(event)
        elif isinstance(event, TimerDue) and self._behind:
            return Outputs()  # asked again later
        async with self._turn:
            key = call_id.encode()
            value = self._rows.get(key)
            before = decode_row(value) if value else None
            now = self._clock.now()
            row, outputs = decide(before, event, now, call_id=call_id, knowledge=self.knowledge)
            if outputs:
                await self._publish(call_id, outputs, now)
            self._store(key, call_id, before, row)
        for request in outputs.asked:
            if self._ask is not None:
                self._ask(call_id, request)
        self._count(call_id, event, outputs)
        return outputs

    def ask_for_due(self) -> int:
        """Send a timer record for each call whose moment has come: rows change only in their own stream."""
        if self._behind:
            return 0
        now = self._clock.now()
        due = [call_id for call_id, at in self._due.items() if at <= now]
        for call_id in due:
            publish_timer(self._publisher, call_id, due_at=self._due[call_id], now=now)
            self._due[call_id] = now + ASK_AGAIN
        return len(due)

    def fall_behind(self) -> None:
        """Partitions come to this worker: what others published of them is read back before anything goes out."""
        self._gone_out = None
        self._behind_until_s = self._clock.monotonic_s() + CATCHING_UP_S

    def rebuild(self) -> int:
        """After a start or a change of partitions: when calls are due, anew from the rows; how many there are."""
        self._due.clear()
        self._behind_until_s = self._clock.monotonic_s() + CATCHING_UP_S
        for key, value in list(self._rows.items()):
            try:
                self._remember(key.decode(), decode_row(value))
            except msgspec.ValidationError:
                log.error("row_unreadable", call_id=key.decode(errors="replace"))
        return len(self._due)

    async def look_back(self) -> None:
        """Read what has gone out, unless that is known."""
        while self._gone_out is None:
            try:
                self._gone_out = await asyncio.to_thread(self._read_gone_out)
            except Transient as error:
                log.info("look_back_waiting", reason=str(error))
                await asyncio.sleep(0.5)

    @property
    def _behind(self) -> bool:
        return self._clock.monotonic_s() < self._behind_until_s

    def _note_age(self, said: UtteranceSpoken) -> None:
        lag_ms = (self._clock.now() - said.published_at) / timedelta(milliseconds=1)
        if lag_ms > self.knowledge.policy.not_said_lag_ms / 2:
            self._behind_until_s = self._clock.monotonic_s() + CATCHING_UP_S

    async def _publish(self, call_id: str, outputs: Outputs, now: datetime) -> None:
        if outputs.must_arrive:
            await self.look_back()
        while True:
            try:
                publish_outputs(self._publisher, call_id, outputs, now, gone_out=self._gone_out or ())
                break
            except Backpressure:
                await asyncio.sleep(0.05)
        if outputs.must_arrive and not await asyncio.to_thread(self._publisher.flush, FLUSH_TIMEOUT_S):
            raise Fatal("the broker does not acknowledge records")

    def _store(self, key: bytes, call_id: str, before: CallRow | None, row: CallRow | None) -> None:
        if row is None:
            self._rows.pop(key, None)
        elif row != before:
            self._rows[key] = encode_row(row)
        self._remember(call_id, row)

    def _remember(self, call_id: str, row: CallRow | None) -> None:
        due_at = row.due_at if row is not None else None
        if due_at is None:
            self._due.pop(call_id, None)
        else:
            self._due[call_id] = due_at
        CALLS.set(len(self._due))

    def _count(self, call_id: str, event: Input, outputs: Outputs) -> None:
        if isinstance(event, UtteranceSpoken):
            UTTERANCES.labels(event.role).inc()
        for suggested in outputs.suggested:
            latency_s = max(0.0, (suggested.created_at - suggested.published_at).total_seconds())
            SUGGESTIONS.labels(suggested.kind, suggested.source).inc()
            SUGGESTION_SECONDS.observe(latency_s)
            log.info(
                "suggested", call_id=call_id, suggestion_id=suggested.suggestion_id, confidence=suggested.confidence,
                latency_ms=round(latency_s * 1000),
            )  # fmt: skip
        for kind, source, action in outputs.feedback:
            FEEDBACK.labels(kind, source, action).inc()
        for alerted in outputs.alerted:
            ALERTS.labels(alerted.rule, alerted.severity).inc()
            log.info("alerted", call_id=call_id, alert_id=alerted.alert_id, severity=alerted.severity)
        if outputs.summary is not None:
            complete = outputs.summary.transcript_complete
            SUMMARIES.labels(str(complete).lower()).inc()
            log.info("summed_up", call_id=call_id, outcome=outputs.summary.outcome, complete=complete)
