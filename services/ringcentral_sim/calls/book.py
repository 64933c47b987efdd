"""Every session of the account, and the active-calls view of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.ringcentral_sim.domain.errors import not_found
from services.ringcentral_sim.domain.ports import Clock
from services.ringcentral_sim.domain.session import Party, Session, rfc3339
from services.ringcentral_sim.domain.truth import Change

Publish = Callable[[Session, Party, datetime], None]


@dataclass(slots=True)
class _Entry:
    session: Session
    ended_at: datetime | None = None
    changes: list[Change] = field(default_factory=list)


class CallBook:
    """The one place where sessions change; each change is published once."""

    def __init__(self, clock: Clock, publish: Publish, new_ids: Callable[[], tuple[str, str]]) -> None:
        self._clock = clock
        self._publish = publish
        self._new_ids = new_ids
        self._entries: dict[str, _Entry] = {}

    def open(self) -> Session:
        """A session without parties yet."""
        core, session_id = self._new_ids()
        session = Session(core=core, session_id=session_id, created=self._clock.now())
        self._entries[session.id] = _Entry(session)
        return session

    def put(self, session_id: str, party: Party) -> Session:
        """Apply one party's change and publish it."""
        entry = self._entries[session_id]
        now = self._clock.now()
        entry.session = entry.session.put(party)
        if entry.session.over and entry.ended_at is None:
            entry.ended_at = now
        entry.changes.append(Change(self._clock.monotonic(), party))
        self._publish(entry.session, party, now)
        return entry.session

    def any(self, session_id: str) -> Session | None:
        """The session, over or not."""
        entry = self._entries.get(session_id)
        return entry.session if entry else None

    def changes(self, session_id: str) -> list[Change]:
        """Every change of the session so far, in order."""
        return self._entries[session_id].changes

    def live(self, session_id: str) -> Session:
        """404 CMN-102 once the call is over."""
        entry = self._entries.get(session_id)
        if entry is None or entry.session.over or not entry.session.parties:
            raise not_found("telephonySessionId", session_id)
        return entry.session

    def finished(self, begin: datetime, end: datetime, *, lag_s: float) -> list[Session]:
        """Sessions that began in this time and have been over for `lag_s` real seconds, newest first."""
        over_by = self._clock.now() - timedelta(seconds=lag_s)
        return [
            entry.session
            for entry in reversed(self._entries.values())
            if begin <= entry.session.created <= end and entry.ended_at is not None and entry.ended_at <= over_by
        ]

    def calls_of(self, extension_id: str) -> list[tuple[Session, Party]]:
        """The extension's live parties with their sessions, newest first."""
        return [
            (entry.session, party)
            for entry in reversed(self._entries.values())
            if entry.ended_at is None
            for party in entry.session.parties
            if party.extension_id == extension_id and party.live
        ]

    def active_calls(self, extension_id: str | None, *, lag_s: float, linger_s: float) -> list[dict[str, Any]]:
        """Call-log records, newest first: late by `lag_s`, kept `linger_s` after the end (both real seconds)."""
        now = self._clock.now()
        records: list[dict[str, Any]] = []
        for entry in reversed(self._entries.values()):
            appeared = entry.session.created + timedelta(seconds=lag_s)
            gone = entry.ended_at is not None and now > entry.ended_at + timedelta(seconds=linger_s)
            if now < appeared or gone:
                continue
            for party in entry.session.parties:
                mine = party.extension_id is not None and extension_id in (None, party.extension_id)
                if mine:
                    records.append(_record(entry.session, party))
        return records


def _record(session: Session, party: Party) -> dict[str, Any]:
    record_id = f"{session.session_id}-{party.id.rsplit('-', 1)[1]}"
    action = "Monitoring" if party.supervisor else "Phone Call"
    return {
        "uri": f"/restapi/v1.0/account/{party.account_id}/call-log/{record_id}",
        "id": record_id,
        "sessionId": session.session_id,
        "telephonySessionId": session.id,
        "partyId": party.id,
        "startTime": rfc3339(session.created),
        "type": "Voice",
        "direction": party.direction,
        "action": action,
        "result": "In Progress",
        "from": party.origin.wire(),
        "to": party.target.wire(),
        "extension": {"id": int(party.extension_id or 0)},
    }
