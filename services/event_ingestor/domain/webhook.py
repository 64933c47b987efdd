"""Webhooks without I/O: what to answer to a request, and what to do next about a subscription.

Source: RingCentral's webhook documentation. A new address is asked with a Validation-Token that must come back; each
notification brings the verification token of the subscription, as `Verification-Token`, or as one published sample has
it, as `validation-token`. A subscription whose address failed for ten minutes is suspended for good.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from services.event_ingestor.domain.filters import Disabled, served, unserved

MOST_BODY_BYTES = 262_144
MOST_TOKEN = 512
"""The whole reply to a handshake must stay below 1024 bytes."""
RENEW_AT = 0.5
DISABLED_AGAIN_MS = 600_000


class Answer(Enum):
    """What a request is."""

    HANDSHAKE = "handshake"
    NOTIFICATION = "accepted"
    WRONG_TOKEN = "wrong token"
    BAD_REQUEST = "bad request"


def judge(headers: Mapping[str, str], body: bytes, secret: str) -> Answer:
    """`headers` by lower-case name. A Validation-Token without a body asks for its echo, with one it is the secret."""
    validation = headers.get("validation-token", "")
    if validation and not body.strip():
        return Answer.HANDSHAKE if len(validation) <= MOST_TOKEN else Answer.BAD_REQUEST
    brought = (headers.get("verification-token", ""), validation)
    if not any(hmac.compare_digest(token.encode(), secret.encode()) for token in brought if token):
        return Answer.WRONG_TOKEN
    return Answer.NOTIFICATION if body.strip() and len(body) <= MOST_BODY_BYTES else Answer.BAD_REQUEST


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A subscription as RingCentral describes it. Times are monotonic ms, reckoned from when it was read."""

    subscription_id: str
    address: str
    active: bool
    lifetime_ms: int
    expires_at_ms: int
    extensions: frozenset[str] = frozenset()
    unserved: Disabled = ()
    asked_at_ms: int = 0


class Step(Enum):
    """What to do about a subscription."""

    CREATE = "created"
    REMAKE = "made anew"
    REPLACE = "replaced"
    RENEW = "renewed"
    KEEP = "kept"


def read_hook(
    body: Mapping[str, Any], now_ms: int, now: datetime, *, wanted: frozenset[str] = frozenset()
) -> Hook | None:
    """From SubscriptionInfo; None when it is no webhook subscription. `wanted` is what it was last asked to cover."""
    delivery = body.get("deliveryMode") or {}
    if delivery.get("transportType") != "WebHook" or not body.get("id"):
        return None
    covered, disabled = served(body)
    left_ms = _left_ms(body, now)
    return Hook(
        subscription_id=str(body["id"]),
        address=str(delivery.get("address", "")),
        active=body.get("status", "Active") == "Active",
        lifetime_ms=left_ms,
        expires_at_ms=now_ms + left_ms,
        extensions=wanted or (covered or frozenset()),
        unserved=unserved(wanted, covered, disabled) if wanted else disabled,
        asked_at_ms=now_ms,
    )


def next_step(held: Hook | None, found: Hook | None, wanted: frozenset[str], now_ms: int) -> Step:
    """`held` is what we made, `found` what RingCentral knows of it now: None when it is gone or has expired."""
    if held is None:
        return Step.CREATE
    if found is None or not found.active:
        return Step.REMAKE
    if held.extensions != wanted or (held.unserved and now_ms - held.asked_at_ms >= DISABLED_AGAIN_MS):
        return Step.REPLACE
    if found.expires_at_ms - now_ms <= held.lifetime_ms * (1 - RENEW_AT):
        return Step.RENEW
    return Step.KEEP


def _left_ms(body: Mapping[str, Any], now: datetime) -> int:
    told = body.get("expiresIn")
    if isinstance(told, int | float) and not isinstance(told, bool):
        return max(0, int(told * 1000))
    try:
        expires = datetime.fromisoformat(str(body.get("expirationTime")))
    except ValueError:
        return 0
    return max(0, int((expires - now).total_seconds() * 1000)) if expires.tzinfo is not None else 0
