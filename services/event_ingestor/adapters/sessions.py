"""Calls under way, read by REST. Blocking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from services.chassis.ringcentral import RingCentralClient, RingCentralRefused
from services.event_ingestor.domain.calls import Party

log = structlog.get_logger()
ACCOUNT = "/restapi/v1.0/account/~"
MONITORING = "Monitoring"
"""Action of a supervisor's own party in the call log."""
QUERY = {"type": "Voice", "perPage": "1000"}


@dataclass(frozen=True, slots=True)
class Listed:
    """A call in a list of active calls; `parties` are the watched extensions' where the list names their party.

    The list keeps a call for some two minutes after its end, so its parties stand here as Disconnected.
    """

    call_id: str
    parties: tuple[Party, ...] = ()


class Sessions:
    """Active calls and the state of one. All methods raise RingCentralRefused."""

    def __init__(self, client: RingCentralClient) -> None:
        self._client = client

    def active(self, extensions: frozenset[str]) -> list[Listed]:
        """The calls that may involve these extensions; the company's list, or theirs where that is not allowed."""
        try:
            records = list(self._client.pages(f"{ACCOUNT}/active-calls", QUERY))
        except RingCentralRefused as refusal:
            if refusal.status not in (403, 404):
                raise
            log.info("company_active_calls_refused", error_code=refusal.error_code)
            records = []
            for extension in sorted(extensions):
                records += self._client.pages(f"{ACCOUNT}/extension/{extension}/active-calls", QUERY)
        found: dict[str, list[Party]] = {}
        for record in records:
            if record.get("telephonySessionId") and _of(record, extensions):
                found.setdefault(str(record["telephonySessionId"]), []).extend(_listed(record, extensions))
        return [Listed(call_id, tuple(parties)) for call_id, parties in found.items()]

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


def _of(record: Mapping[str, Any], extensions: frozenset[str]) -> bool:
    """Whether a call-log record names one of the extensions, or none at all."""
    places = (
        (record.get("extension") or {}).get("id"),
        *((record.get(end) or {}).get("extensionId") for end in ("from", "to")),
    )
    named = {str(place) for place in places if place}
    return not named or bool(named & extensions)
