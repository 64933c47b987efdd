"""Event filters: one per monitored extension, so that nobody else's calls reach us."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Filters = Callable[[Iterable[str]], list[str]]
Disabled = tuple[tuple[str, str], ...]
"""(extension id, reason) of filters that RingCentral took and does not serve."""
_EXTENSION = re.compile(r"/extension/([^/?~]+)/")


def session_filter(extension_id: str) -> str:
    """The filter for the telephony sessions of one extension of the own account."""
    return f"/restapi/v1.0/account/~/extension/{extension_id}/telephony/sessions"


def session_filters(extension_ids: Iterable[str]) -> list[str]:
    """A filter each, in a stable order."""
    return [session_filter(extension_id) for extension_id in sorted(extension_ids)]


def presence_filters(extension_ids: Iterable[str]) -> list[str]:
    """The filters for the presence of each, with its calls, in a stable order."""
    return [
        f"/restapi/v1.0/account/~/extension/{extension_id}/presence?detailedTelephonyState=true"
        for extension_id in sorted(extension_ids)
    ]


def served(subscription: Mapping[str, Any]) -> tuple[frozenset[str] | None, Disabled]:
    """Extensions that a subscription covers (None: it does not say) and those whose filters were disabled."""
    filters = subscription.get("eventFilters")
    covered = None
    if isinstance(filters, list):
        covered = frozenset(extension for text in filters if (extension := _extension_in(text)))
    disabled = tuple(
        (_extension_in(entry.get("filter")), str(entry.get("reason", "")))
        for entry in subscription.get("disabledFilters") or ()
        if isinstance(entry, dict)
    )
    return covered, disabled


def unserved(wanted: frozenset[str], covered: frozenset[str] | None, disabled: Disabled) -> Disabled:
    """Every wanted extension that is not served, in order, with the reason that was told."""
    reasons = dict(disabled)
    for extension in wanted - (covered if covered is not None else wanted):
        reasons.setdefault(extension, "not covered")
    return tuple(sorted(reasons.items()))


def _extension_in(text: object) -> str:
    found = _EXTENSION.search(str(text))
    return found.group(1) if found else ""
