"""The identity provider's signing keys (JWKS, RFC 7517), kept and renewed.

A set is fetched when it is first needed, again in the background once it is older than `max_age_ms`, and when a token
names a key that is not in it: that is how providers rotate. Whatever tokens say, the provider is asked at most once
in `pause_ms`, after failures ever less often. While it does not answer, the keys known last stay good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from prometheus_client import Counter

from services.chassis.clock import Clock

log = structlog.get_logger()
FETCHED = Counter("earshot_assist_key_sets_fetched_total", "Times the provider's keys were asked for.", ["outcome"])
LONGEST_PAUSE_MS = 300_000
LEAST_RSA_BITS = 2_048
Fetch = Callable[[], Awaitable[dict[str, Any]]]
PublicKey = RSAPublicKey | EllipticCurvePublicKey


class KeysUnavailable(Exception):
    """The key cannot be looked for just now: the caller should come again."""


class UnknownKey(Exception):
    """The provider has no such key."""


class KeySet:
    """Keys by id. `fetch` brings the set; used on one event loop."""

    def __init__(self, fetch: Fetch, clock: Clock, *, max_age_ms: int, pause_ms: int) -> None:
        self._fetch = fetch
        self._clock = clock
        self._max_age_s = max_age_ms / 1000
        self._pause_s = pause_ms / 1000
        self._keys: dict[tuple[str, str], PublicKey] = {}
        self._fetched_at_s: float | None = None
        self._not_before_s = 0.0
        self._failures = 0
        self._fetching: asyncio.Task[bool] | None = None

    async def key(self, key_id: str, algorithm: str) -> PublicKey:
        """The key that a token names (empty: the only one for its algorithm); raises KeysUnavailable or UnknownKey."""
        found = self._find(key_id, algorithm)
        if found is not None:
            if self._is_old() and self._may_ask():
                self._begin()
            return found
        if self._fetching is None and not self._may_ask():
            raise KeysUnavailable
        if not await asyncio.shield(self._begin()):
            raise KeysUnavailable
        found = self._find(key_id, algorithm)
        if found is None:
            raise UnknownKey
        return found

    def _find(self, key_id: str, algorithm: str) -> PublicKey | None:
        if key_id:
            return self._keys.get((key_id, algorithm))
        fitting = [key for (_, of), key in self._keys.items() if of == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    def _is_old(self) -> bool:
        return self._fetched_at_s is None or self._clock.monotonic_s() - self._fetched_at_s > self._max_age_s

    def _may_ask(self) -> bool:
        return self._clock.monotonic_s() >= self._not_before_s

    def _begin(self) -> asyncio.Task[bool]:
        """Ask the provider, or join those who wait for its answer."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._renew())
            self._fetching.add_done_callback(self._ended)
        return self._fetching

    def _ended(self, _: asyncio.Task[bool]) -> None:
        self._fetching = None

    async def _renew(self) -> bool:
        """Whether the provider answered."""
        try:
            keys = keys_of(await self._fetch())
        except (OSError, ValueError) as error:
            pause_s = min(LONGEST_PAUSE_MS / 1000, self._pause_s * 2**self._failures)
            self._failures += 1
            self._not_before_s = self._clock.monotonic_s() + pause_s
            FETCHED.labels("failed").inc()
            log.warning("key_set_not_fetched", error=type(error).__name__, pause_s=pause_s)
            return False
        now_s = self._clock.monotonic_s()
        self._keys, self._failures = keys, 0
        self._fetched_at_s, self._not_before_s = now_s, now_s + self._pause_s
        FETCHED.labels("fetched").inc()
        log.info("key_set_fetched", keys=len(keys))
        return True


def keys_of(key_set: Any) -> dict[tuple[str, str], PublicKey]:
    """The signing keys of a set by id and algorithm; those for other uses, of other kinds or too short are left out.

    Raises ValueError when it is no key set.
    """
    if not isinstance(key_set, dict) or not isinstance(key_set.get("keys"), list):
        raise ValueError("not a JWKS")
    keys: dict[tuple[str, str], PublicKey] = {}
    for entry in key_set["keys"]:
        algorithm = _algorithm_of(entry)
        if algorithm is None:
            continue
        try:
            key = jwt.PyJWK(entry, algorithm=algorithm).key
        except (jwt.PyJWTError, ValueError):
            continue
        if _is_strong(key):
            keys[str(entry.get("kid") or ""), algorithm] = key
    return keys


def _algorithm_of(entry: Any) -> str | None:
    """RS256 or ES256, as the key's own kind has it: a token has no say in it."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    algorithm = {"RSA": "RS256", "EC": "ES256"}.get(str(entry.get("kty")))
    return algorithm if entry.get("alg", algorithm) == algorithm else None


def _is_strong(key: Any) -> bool:
    if isinstance(key, RSAPublicKey):
        return key.key_size >= LEAST_RSA_BITS
    return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
