"""What a SIP message says about whom it supervises (RingCentral's p-rc-* headers)."""

from __future__ import annotations

import re
from dataclasses import dataclass

MONITORING_HEADER = "p-rc-api-monitoring-ids"
OWN_HEADER = "p-rc-api-ids"


@dataclass(frozen=True, slots=True)
class ApiIds:
    """A party in a telephony session, in RingCentral's spelling (`p-...`, `s-...`); either may be missing."""

    call_id: str | None
    party_id: str | None


def header(message: str, name: str) -> str | None:
    """Return the first value of header `name` (any case, folded lines joined), or None."""
    head = message.replace("\r\n", "\n").split("\n\n", 1)[0]
    match = re.search(rf"^{re.escape(name)}[ \t]*:(.*(?:\n[ \t].*)*)", head, re.MULTILINE | re.IGNORECASE)
    return " ".join(match.group(1).split()) if match else None


def body(message: str) -> str:
    """Return the message's body, line ends as `\\n`; empty when there is none."""
    parts = message.replace("\r\n", "\n").split("\n\n", 1)
    return parts[1] if len(parts) == 2 else ""


def parse_api_ids(value: str | None) -> ApiIds | None:
    """Parse `party-id=...;session-id=...` in any order and spacing, ids with or without their prefix."""
    if not value:
        return None
    fields: dict[str, str] = {}
    for part in value.split(";"):
        key, separator, text = part.partition("=")
        if separator and text.strip():
            fields[key.strip().lower()] = text.strip().strip('"')
    ids = ApiIds(_prefixed(fields.get("session-id"), "s-"), _prefixed(fields.get("party-id"), "p-"))
    return ids if ids.call_id or ids.party_id else None


def parse_line_party(information: str | None) -> ApiIds | None:
    """Parse an SDP `i=` line of a supervised media line: `<session> party-id=<party>`."""
    if not information:
        return None
    match = re.search(r"party-id=(\S+)", information)
    if match is None:
        return None
    session = information.split()[0]
    return ApiIds(None if "=" in session else _prefixed(session, "s-"), _prefixed(match.group(1), "p-"))


def _prefixed(value: str | None, prefix: str) -> str | None:
    if not value:
        return None
    return value if value.startswith(prefix) else prefix + value
