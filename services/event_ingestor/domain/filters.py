"""Event filters: one per monitored extension, so that nobody else's calls reach us."""

from __future__ import annotations

from collections.abc import Iterable


def session_filter(extension_id: str) -> str:
    """The filter for the telephony sessions of one extension of the own account."""
    return f"/restapi/v1.0/account/~/extension/{extension_id}/telephony/sessions"


def session_filters(extension_ids: Iterable[str]) -> list[str]:
    """A filter each, in a stable order."""
    return [session_filter(extension_id) for extension_id in sorted(extension_ids)]
