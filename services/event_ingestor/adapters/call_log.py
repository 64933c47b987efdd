"""Calls that are over, from the company's call log. Blocking.

Where events, the list of active calls and the session's status have all been missed, the log still tells who took a
call, and roughly when: a leg's time counts from its start, ringing included, and a leg names no party.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from services.chassis.clock import format_utc, parse_utc
from services.chassis.ringcentral import RingCentralClient
from services.event_ingestor.adapters.sessions import ACCOUNT, MONITORING, QUERY

TAKEN = frozenset({"Accepted", "Call connected", "Answered", "Connected"})
"""Results of legs on which somebody talked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedLeg:
    """A watched extension's part of a call that is over."""

    call_id: str
    extension_id: str
    direction: str
    taken: bool
    began: datetime
    ended: datetime


class CallLog:
    """Needs the permissions ReadCallLog and, of the user, that of the company's call log."""

    def __init__(self, client: RingCentralClient) -> None:
        self._client = client

    def finished(self, extensions: frozenset[str], since: datetime) -> list[FinishedLeg]:
        """Legs of these extensions in calls that began since then, oldest call first. Raises RingCentralRefused."""
        query = {**QUERY, "view": "Detailed", "dateFrom": format_utc(since)}
        records = list(self._client.pages(f"{ACCOUNT}/call-log", query))
        return [leg for record in reversed(records) for leg in _legs(record, extensions)]


def _legs(record: Mapping[str, Any], extensions: frozenset[str]) -> Iterator[FinishedLeg]:
    call_id = str(record.get("telephonySessionId") or "")
    for raw in record.get("legs") or (record,):
        extension_id = str((raw.get("extension") or {}).get("id") or "")
        if not call_id or extension_id not in extensions or raw.get("action") == MONITORING:
            continue
        try:
            began = parse_utc(str(raw.get("startTime") or record.get("startTime") or ""))
        except ValueError:
            continue
        lasted_ms = raw.get("durationMs")
        if not isinstance(lasted_ms, int):
            lasted_ms = int(raw.get("duration") or 0) * 1000
        yield FinishedLeg(
            call_id=call_id,
            extension_id=extension_id,
            direction=str(raw.get("direction") or ""),
            taken=raw.get("result") in TAKEN,
            began=began,
            ended=began + timedelta(milliseconds=lasted_ms),
        )
