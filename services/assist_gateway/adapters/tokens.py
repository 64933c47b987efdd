"""Tokens into viewers: JWT (RFC 7519) signed with HS256 and nothing else.

Claims: `sub`, `role` (admin, supervisor or agent), `exp`; `extension_id` for supervisors and agents; `iss` and `aud`
where the settings ask for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jwt

from services.assist_gateway.domain.access import Role, Viewer
from services.chassis.clock import Clock

ALGORITHMS = ["HS256"]
ROLES: dict[str, Role] = {"admin": "admin", "supervisor": "supervisor", "agent": "agent"}


class BadToken(Exception):
    """The token opens nothing; `code` is token_missing, token_expired, token_invalid or token_incomplete."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Who it is, and until when the token holds (seconds since 1970)."""

    viewer: Viewer
    expires_at_s: float


class Tokens:
    """Reads tokens. `issuer` and `audience` are asked for where they are not empty."""

    def __init__(self, *, key: str, issuer: str, audience: str, clock: Clock) -> None:
        self._key = key
        self._issuer = issuer or None
        self._audience = audience or None
        self._clock = clock

    def read(self, token: str) -> Admitted:
        """The viewer named by a token; raises BadToken."""
        if not token:
            raise BadToken("token_missing")
        claims = self._claims(token)
        try:
            expires_at_s = float(claims["exp"])
        except (TypeError, ValueError):
            raise BadToken("token_invalid") from None
        if not expires_at_s > self._clock.now().timestamp():
            raise BadToken("token_expired")
        role = ROLES.get(str(claims.get("role")))
        extension_id = str(claims.get("extension_id") or "")
        if role is None or not claims["sub"] or (role != "admin" and not extension_id):
            raise BadToken("token_incomplete")
        return Admitted(
            viewer=Viewer(subject=str(claims["sub"]), role=role, extension_id=extension_id), expires_at_s=expires_at_s
        )

    def _claims(self, token: str) -> dict[str, Any]:
        required = ["exp", "sub"] + ["iss"] * bool(self._issuer) + ["aud"] * bool(self._audience)
        try:
            return jwt.decode(
                token, self._key, algorithms=ALGORITHMS, issuer=self._issuer,
                audience=self._audience,
                options={"require": required, "verify_aud": self._audience is not None, "verify_exp": False},
            )  # fmt: skip
        except jwt.PyJWTError:
            raise BadToken("token_invalid") from None


def bearer(authorization: str) -> str:
    """The token of an `Authorization: Bearer` header, empty where there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
