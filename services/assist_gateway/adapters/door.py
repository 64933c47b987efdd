"""Who comes in: tokens from headers, and tickets, which stand for a token in the address of one resource.

A ticket is for what cannot send headers: an `<audio>` element, an `EventSource`. It names the viewer and one path, is
signed with a key of the gateways alone, and gives no right of its own: the viewer's is looked at again at each use.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any

import jwt
from prometheus_client import Counter

from services.assist_gateway.adapters.tokens import LOCAL_ALGORITHM, Admitted, BadToken, Tokens, bearer
from services.assist_gateway.domain.access import Viewer
from services.chassis.clock import Clock

TOKENS_REFUSED = Counter("earshot_assist_tokens_refused_total", "Tokens refused.", ["code"])
TICKET_MS = 3_600_000
STARTING = "starting"


class Door:
    """`ready` tells whether the board is complete: before, nobody is shown half of it."""

    def __init__(self, tokens: Tokens, *, ticket_key: str, ready: Callable[[], bool], clock: Clock) -> None:
        self._tokens = tokens
        self._ticket_key = ticket_key
        self._ready = ready
        self._clock = clock

    async def admit(self, token: str) -> Admitted:
        """Whoever has a token; raises BadToken, also with the code `starting`."""
        try:
            admitted = await self._tokens.read(token)
        except BadToken as bad:
            TOKENS_REFUSED.labels(bad.code).inc()
            raise
        if not self._ready():
            raise BadToken(STARTING)
        return admitted

    async def admit_request(self, authorization: str, ticket: str, path: str) -> Admitted:
        """Whoever sends a token in a header, or else a ticket for this path; raises BadToken."""
        token = bearer(authorization)
        if token or not ticket:
            return await self.admit(token)
        try:
            claims: dict[str, Any] = jwt.decode(
                ticket, self._ticket_key, algorithms=[LOCAL_ALGORITHM], options={"verify_exp": False}
            )
        except jwt.PyJWTError:
            raise BadToken("token_invalid") from None
        if claims.get("path") != path:
            raise BadToken("token_invalid")
        if claims["exp"] <= self._clock.now().timestamp():
            raise BadToken("token_expired")
        if not self._ready():
            raise BadToken(STARTING)
        viewer = Viewer(subject=claims["sub"], role=claims["role"], extension_id=claims["extension_id"])
        return Admitted(viewer=viewer, expires_at_s=claims["exp"])

    def ticket(self, admitted: Admitted, path: str) -> tuple[str, float]:
        """A ticket for a path, and until when it holds: an hour, or as long as the token."""
        expires_at_s = min(admitted.expires_at_s, self._clock.now().timestamp() + TICKET_MS / 1000)
        viewer = admitted.viewer
        claims = {
            "path": path, "sub": viewer.subject, "role": viewer.role, "extension_id": viewer.extension_id,
            "exp": expires_at_s,
        }  # fmt: skip
        return jwt.encode(claims, self._ticket_key, algorithm=LOCAL_ALGORITHM), expires_at_s


def ticket_key(configured: str, local_key: str) -> str:
    """The key of tickets: the configured one, else one that all gateways with the same local key share, else one of
    this process's own.
    """
    if configured:
        return configured
    if local_key:
        return hmac.new(local_key.encode(), b"earshot tickets", hashlib.sha256).hexdigest()
    return secrets.token_hex(32)
