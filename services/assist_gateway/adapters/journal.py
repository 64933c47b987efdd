"""What goes out: who watched, listened or was refused to `audit`, what became of suggestions to `assist.feedback`.

A publisher whose queue is full never holds a screen up: audit and feedback are tried again on the next sweep.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

import msgspec
import structlog
from prometheus_client import Counter

from services.assist_gateway.domain.access import Viewer
from services.chassis.clock import Clock
from services.chassis.errors import Backpressure
from services.chassis.publisher import Publisher
from services.contracts.records import AuditRecord, SuggestionFeedback
from services.contracts.topics import ASSIST_FEEDBACK, AUDIT, Topic

log = structlog.get_logger()
WATCHED = Counter("earshot_assist_watched_total", "Calls shown to viewers.", ["role"])
LISTENED = Counter("earshot_assist_listened_total", "Live calls and recordings heard.", ["role"])
REFUSED = Counter("earshot_assist_refused_total", "Requests refused to viewers.", ["role"])
FEEDBACK = Counter("earshot_assist_feedback_total", "Feedback on suggestions.", ["action"])
NO_CALL_KEY = "-"


class TopicJournal:
    """Implements Journal and ListenJournal, and takes feedback. `new_id` makes unique ids."""

    def __init__(self, publisher: Publisher, clock: Clock, new_id: Callable[[], str]) -> None:
        self._publisher = publisher
        self._clock = clock
        self._new_id = new_id
        self._waiting: deque[tuple[Topic[Any], str, msgspec.Struct, str]] = deque()

    def watched(self, viewer: Viewer, call_id: str, detail: str) -> None:
        """A call, or the overview of all, was shown."""
        WATCHED.labels(viewer.role).inc()
        self._audit(viewer, "watched", call_id, detail)

    def listened(self, viewer: Viewer, call_id: str, detail: str, duration_ms: int = 0) -> None:
        """A live call was begun or ceased to be heard, or a recording was played."""
        if detail != "live_stopped":
            LISTENED.labels(viewer.role).inc()
        self._audit(viewer, "listened", call_id, detail, duration_ms)

    def refused(self, viewer: Viewer, call_id: str, detail: str) -> None:
        """Something was refused."""
        REFUSED.labels(viewer.role).inc()
        log.info("viewer_refused", call_id=call_id, code=detail, role=viewer.role)
        self._audit(viewer, "refused", call_id, detail)

    def feedback(
        self, viewer: Viewer, call_id: str, suggestion_id: str,
        action: Literal["shown", "accepted", "dismissed"], reason: str,
    ) -> None:  # fmt: skip
        """Say what became of a suggestion; the same said twice has the same id."""
        FEEDBACK.labels(action).inc()
        by = viewer.extension_id or viewer.subject
        digest = hashlib.sha256("\n".join((suggestion_id, by, action, reason)).encode()).hexdigest()[:32]
        record = SuggestionFeedback(
            feedback_id=digest, suggestion_id=suggestion_id, call_id=call_id, action=action, reason=reason, by=by,
            at=self._clock.now(),
        )  # fmt: skip
        self._send(ASSIST_FEEDBACK, call_id, record, digest)

    def retry(self) -> None:
        """Send what had to wait."""
        for _ in range(len(self._waiting)):
            self._send(*self._waiting.popleft())

    def _audit(
        self, viewer: Viewer, action: Literal["watched", "listened", "refused"], call_id: str, detail: str,
        duration_ms: int = 0,
    ) -> None:  # fmt: skip
        record = AuditRecord(
            audit_id=self._new_id(), actor=viewer.subject, role=viewer.role, extension_id=viewer.extension_id,
            action=action, call_id=call_id, detail=detail, duration_ms=duration_ms, at=self._clock.now(),
        )  # fmt: skip
        self._send(AUDIT, call_id or NO_CALL_KEY, record, record.audit_id)

    def _send(self, topic: Topic[Any], key: str, record: msgspec.Struct, event_id: str) -> None:
        try:
            self._publisher.publish(topic, key, record, event_id=event_id)
        except Backpressure:
            self._waiting.append((topic, key, record, event_id))
