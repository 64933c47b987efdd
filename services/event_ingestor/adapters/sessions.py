"""Calls under way, read by REST. Blocking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.event_ingestor.domain.calls import Party

log = structlog.get_logger()
ACCOUNT = "/restapi/v1.0/account/~"
MONITORING = "Monitoring"
"""Action of a supervisor's own party in the call log."""
QUERY = {"type": "Voice", "perPage": "1000"}
USERS_A_READING = 3
"""Agents whose own lists one reading takes: ten Heavy requests a minute are allowed, and others need some."""
COMPANY_AGAIN = 60
"""Readings after which the company's list is asked for again where it was not allowed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A call in a list of active calls; `parties` are the watched extensions' where the list names their party.

    The list keeps a call for some two minutes after its end, so its parties stand here as Disconnected.
    """

    call_id: str
    parties: tuple[Party, ...] = ()
    started_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """A reading of the lists: the calls in them, and the extensions whose calls would stand there."""

    calls: tuple[Listed, ...] = ()
    covered: frozenset[str] = frozenset()


class Sessions:
    """Active calls and the state of one. All methods raise RingCentralRefused."""

    def __init__(self, client: RingCentralClient) -> None:
        self._client = client
        self._readings = 0
        self._company_at = 0
        self._read_at: dict[str, int] = {}

    def active(self, extensions: frozenset[str]) -> Listing:
        """The calls that may involve these extensions: from the company's list, or where that is not allowed, from
        the own lists of those of them that were not read for longest.
        """
        self._readings += 1
        covered = extensions
        records: list[dict[str, Any]] = []
        if self._readings >= self._company_at:
            try:
                records = list(self._client.pages(f"{ACCOUNT}/active-calls", QUERY))
            except RingCentralRefused as refusal:
                if refusal.status not in (403, 404):
                    raise
                log.info("company_active_calls_refused", error_code=refusal.error_code)
                self._company_at = self._readings + COMPANY_AGAIN
        if self._readings < self._company_at:
            turn = sorted(extensions, key=lambda extension: (self._read_at.get(extension, 0), extension))
            covered = frozenset()
            for extension in turn[:USERS_A_READING]:
                self._read_at[extension] = self._readings  # one that is refused must not keep others from their turn
                own = self._of_user(extension)
                records += own or ()
                covered |= {extension} if own is not None else frozenset()
        found: dict[str, list[Party]] = {}
        started: dict[str, datetime | None] = {}
        for record in records:
            if record.get("telephonySessionId") and _of(record, extensions):
                call_id = str(record["telephonySessionId"])
                found.setdefault(call_id, []).extend(_listed(record, extensions))
                started.setdefault(call_id, _started(record))
        calls = tuple(Listed(call_id, tuple(parties), started[call_id]) for call_id, parties in found.items())
        return Listing(calls, covered)

    def _of_user(self, extension: str) -> list[dict[str, Any]] | None:
        """The extension's own list; None where that is not allowed either."""
        try:
            return list(self._client.pages(f"{ACCOUNT}/extension/{extension}/active-calls", QUERY))
        except RingCentralRefused as refusal:
            if refusal.status not in (403, 404):
                raise
            log.info("active_calls_refused", extension_id=extension, error_code=refusal.error_code)
            return None

    def read(self, call_id: str) -> dict[str, Any] | None:
        """The session's status; None when RingCentral knows no such call (any more)."""
        try:
            session = self._client.get(f"{ACCOUNT}/telephony/sessions/{call_id}")
        except RingCentralRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        return {**session, "id": call_id}


def parties_of(session: Mapping[str, Any], extensions: frozenset[str]) -> Iterator[tuple[Party, dict[str, Any]]]:
    """The watched extensions' parties of a session, each with the JSON it came as."""
    for raw in session.get("parties") or ():
        owner = raw.get("owner") or {}
        extension_id = str(raw.get("extensionId") or owner.get("extensionId") or "")
        status = raw.get("status") or {}
        if extension_id in extensions and raw.get("id") and status.get("code"):
            party = Party(
                party_id=str(raw["id"]),
                extension_id=extension_id,
                account_id=str(raw.get("accountId") or owner.get("accountId") or ""),
                code=str(status["code"]),
                reason=str(status.get("reason") or ""),
            )
            yield party, raw


def _listed(record: Mapping[str, Any], extensions: frozenset[str]) -> Iterator[Party]:
    extension_id = str((record.get("extension") or {}).get("id") or "")
    if record.get("partyId") and extension_id in extensions and record.get("action") != MONITORING:
        yield Party(party_id=str(record["partyId"]), extension_id=extension_id, account_id="", code="Disconnected")


def _started(record: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(record.get("startTime")))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def _of(record: Mapping[str, Any], extensions: frozenset[str]) -> bool:
    """Whether a call-log record names one of the extensions, or none at all."""
    places = (
        (record.get("extension") or {}).get("id"),
        *((record.get(end) or {}).get("extensionId") for end in ("from", "to")),
    )
    named = {str(place) for place in places if place}
    return not named or bool(named & extensions)
