"""Event subscriptions: what one user of one app asked to be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from services.ringcentral_sim.domain.errors import ApiError
from services.ringcentral_sim.domain.filters import PERMISSION, Filter, parse_filter
from services.ringcentral_sim.domain.session import rfc3339

MAX_PER_USER = 30
WEBHOOK_MAX_S = 315_360_000
DEFAULT_LIFETIME_S = 604_800


@dataclass(frozen=True, slots=True)
class Refused:
    """A filter that a 200 reply silently leaves out."""

    filter: str
    reason: str
    message: str

    def wire(self) -> dict[str, str]:
        """An element of `disabledFilters`."""
        return {"filter": self.filter, "reason": self.reason, "message": self.message}


@dataclass(slots=True, kw_only=True)
class Subscription:
    """One subscription; `channel_id` names its WebSocket channel when the transport is WebSocket."""

    id: str
    owner_id: str
    filters: tuple[Filter, ...]
    disabled: tuple[Refused, ...]
    transport: Literal["WebHook", "WebSocket"]
    created: datetime
    lifetime_s: int
    expires: datetime
    address: str = ""
    verification_token: str | None = None
    channel_id: str | None = None
    status: Literal["Active", "Blacklisted"] = "Active"
    blacklisted_at: datetime | None = None
    failing_since: float | None = None

    def blacklist(self, now: datetime) -> None:
        """Suspended for good: nothing is sent any more, and it cannot be renewed; delete it and make another."""
        self.status, self.blacklisted_at = "Blacklisted", now

    def renew(self, now: datetime) -> None:
        """A new lifetime from now."""
        self.expires = now + timedelta(seconds=self.lifetime_s)

    def info(self, now: datetime) -> dict[str, Any]:
        """The SubscriptionInfo object."""
        delivery: dict[str, Any] = {"transportType": self.transport, "encryption": False}
        if self.transport == "WebHook":
            delivery["address"] = self.address
        body: dict[str, Any] = {
            "uri": f"/restapi/v1.0/subscription/{self.id}",
            "id": self.id,
            "creationTime": rfc3339(self.created),
            "expirationTime": rfc3339(self.expires),
            "expiresIn": max(0, int((self.expires - now).total_seconds())),
            "status": self.status,
            "eventFilters": [f.text() for f in self.filters],
            "disabledFilters": [d.wire() for d in self.disabled],
            "deliveryMode": delivery,
        }
        if self.blacklisted_at is not None:
            body["blacklistedData"] = {"reason": "Unreachable", "blacklistedAt": rfc3339(self.blacklisted_at)}
        return body


def sort_filters(
    texts: list[str],
    *,
    account_id: str,
    own_id: str,
    extension_ids: frozenset[str],
    disabled: frozenset[str],
    permissions: frozenset[str] = frozenset(PERMISSION.values()),
    most: int = 0,
) -> tuple[tuple[Filter, ...], tuple[Refused, ...]]:
    """Split into served and disabled; 400 SUB-508 for an unreadable one or when nothing is left.

    `most` filters are taken in one subscription (0: any number); RingCentral's own limit and its words are not known.
    """
    if most and len(texts) > most:
        raise ApiError(400, "CMN-101", f"No more than {most} event filters", "eventFilters")
    served: list[Filter] = []
    refused: list[Refused] = []
    for text in texts:
        parsed = parse_filter(text, account_id=account_id, own_extension_id=own_id)
        if parsed is None:
            raise ApiError(400, "SUB-508", "Event filter is invalid", "eventFilters", text)
        if text in disabled or PERMISSION[parsed.subject] not in permissions:
            refused.append(Refused(text, "SUB-412", "Permission is missing for the event filter"))
        elif parsed.account_id != account_id:
            refused.append(Refused(text, "SUB-406", "The filter names another account"))
        elif parsed.extension_id is not None and parsed.extension_id not in extension_ids:
            refused.append(Refused(text, "SUB-408", "The filter names an unknown user"))
        else:
            served.append(parsed)
    if not served:
        reason = refused[0].reason if refused else "SUB-508"
        raise ApiError(400, reason, "No event filter can be served", "eventFilters", ",".join(texts))
    return tuple(served), tuple(refused)


@dataclass(slots=True)
class SubscriptionStore:
    """Live subscriptions by id."""

    max_per_user: int = MAX_PER_USER
    items: dict[str, Subscription] = field(default_factory=dict)

    def add(self, new: Subscription, now: datetime) -> None:
        """SUB-505 beyond the cap of the user."""
        self.drop_expired(now)
        if sum(s.owner_id == new.owner_id for s in self.items.values()) >= self.max_per_user:
            raise ApiError(400, "SUB-505", "Subscriptions limit exceeded")
        self.items[new.id] = new

    def get(self, subscription_id: str, owner_id: str, now: datetime) -> Subscription:
        """404 SUB-507 when it is expired, unknown or another user's."""
        self.drop_expired(now)
        found = self.items.get(subscription_id)
        if found is None or found.owner_id != owner_id:
            raise ApiError(404, "SUB-507", "Subscription is not found or expired", "subscriptionId", subscription_id)
        return found

    def drop_expired(self, now: datetime) -> None:
        """WebSocket subscriptions live with their connection, whatever expiresIn said."""
        gone = [s.id for s in self.items.values() if s.transport == "WebHook" and s.expires <= now]
        for subscription_id in gone:
            del self.items[subscription_id]
