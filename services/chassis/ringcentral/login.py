"""The access token: one login at a time by JWT, again shortly before it expires, no refresh token needed.

RingCentral allows about five parallel sessions for a user and app and five login requests a minute, so a process
has one token for all its threads, and a refused login is not repeated before its hold is over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from services.chassis.clock import Clock
from services.chassis.ringcentral.refusal import RingCentralRefused

DEFAULT_TTL_S = 3600.0
MARGIN_S = 60.0
HOLD_RETRYABLE_S = 2.0
HOLD_REFUSED_S = 30.0


class Login:
    """Thread-safe holder of the token. `log_in` asks for one: (token, seconds it lives), or RingCentralRefused."""

    def __init__(
        self,
        log_in: Callable[[], tuple[str, float]],
        clock: Clock,
        *,
        hold_s: float = HOLD_RETRYABLE_S,
        refused_s: float = HOLD_REFUSED_S,
    ) -> None:
        self._hold_retryable_s = hold_s
        self._hold_refused_s = refused_s
        self._log_in = log_in
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._renew_at_s = 0.0
        self._refusal: RingCentralRefused | None = None
        self._hold_until_s = 0.0

    def token(self, *, rejected: str = "") -> str:
        """A token that is not `rejected` (one that a request just got 401 for)."""
        with self._lock:
            now = self._clock.monotonic_s()
            if self._token and self._token != rejected and now < self._renew_at_s:
                return self._token
            if self._refusal is not None and now < self._hold_until_s:
                raise self._held(self._refusal, now) from None
            try:
                token, ttl_s = self._log_in()
            except RingCentralRefused as refusal:
                hold_s = self._hold_retryable_s if refusal.retryable else self._hold_refused_s
                self._refusal = refusal
                self._hold_until_s = now + max(hold_s, refusal.retry_after_ms / 1000)
                raise
            self._refusal = None
            self._token = token
            self._renew_at_s = self._clock.monotonic_s() + ttl_s - min(MARGIN_S, ttl_s / 10)
            return token

    def take(self) -> str:
        """The token, which is forgotten; "" when there is none."""
        with self._lock:
            token, self._token = self._token, ""
            return token

    def _held(self, refusal: RingCentralRefused, now_s: float) -> RingCentralRefused:
        left_ms = round((self._hold_until_s - now_s) * 1000)
        return RingCentralRefused(
            refusal.status, refusal.error_code, retry_after_ms=left_ms, request="login", parameter=refusal.parameter
        )
