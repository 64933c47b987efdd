"""Tokens into viewers: JWTs (RFC 7519) of an identity provider, or signed with a local key for development.

With a provider: RS256 or ES256, with the key that its set (JWKS) has under the token's `kid`; `iss` and `aud` must be
those of the settings. With a local key: HS256, `iss` and `aud` where the settings name them. Never both: a public key
is never taken for a secret. Always: `exp`, `sub`; `nbf` where it is there; a role, and an extension for supervisors and
agents, from the claims that the settings name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jwt

from services.assist_gateway.adapters.key_set import KeysUnavailable, UnknownKey
from services.assist_gateway.domain.access import Role, Viewer
from services.chassis.clock import Clock

ROLES: tuple[Role, ...] = ("admin", "supervisor", "agent")
LOCAL_ALGORITHM = "HS256"
PROVIDER_ALGORITHMS = ("RS256", "ES256")


class BadToken(Exception):
    """The token opens nothing; `code` is token_missing, token_expired, token_invalid, token_incomplete, or
    keys_unavailable when it may be good but cannot be looked at now.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Keys(Protocol):
    """Public keys of the provider."""

    async def key(self, key_id: str, algorithm: str) -> Any:
        """The key; raises KeysUnavailable or UnknownKey."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Where a token says what: claim names (a path with dots where no claim has the whole name), and which values of
    the role claim stand for which role.
    """

    role: str = "role"
    extension: str = "extension_id"
    values: Mapping[str, Role]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """Who it is, and until when the token holds (seconds since 1970)."""

    viewer: Viewer
    expires_at_s: float


class Tokens:
    """Reads tokens, of a provider (`keys`) or with a local key. `issuer`, `audience`: asked for if not empty."""

    def __init__(
        self, *, local_key: str, keys: Keys | None, issuer: str, audience: str, claims: Claims, leeway_ms: int,
        clock: Clock,
    ) -> None:  # fmt: skip
        self._local_key = local_key
        self._keys = keys
        self._issuer = issuer or None
        self._audience = audience or None
        self._claims = claims
        self._leeway_s = leeway_ms / 1000
        self._clock = clock

    async def read(self, token: str) -> Admitted:
        """The viewer named by a token; raises BadToken."""
        if not token:
            raise BadToken("token_missing")
        claims = self._verified(token, *await self._key_for(token))
        now_s = self._clock.now().timestamp()
        expires_at_s = _moment(claims["exp"]) + self._leeway_s
        if not expires_at_s > now_s:
            raise BadToken("token_expired")
        if "nbf" in claims and not _moment(claims["nbf"]) - self._leeway_s <= now_s:
            raise BadToken("token_invalid")
        return Admitted(viewer=self._viewer(claims), expires_at_s=expires_at_s)

    async def _key_for(self, token: str) -> tuple[Any, str]:
        """The key and the one algorithm that go with it."""
        if self._keys is None:
            return self._local_key, LOCAL_ALGORITHM
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise BadToken("token_invalid") from None
        algorithm, key_id = header.get("alg"), header.get("kid", "")
        if algorithm not in PROVIDER_ALGORITHMS or not isinstance(key_id, str):
            raise BadToken("token_invalid")
        try:
            return await self._keys.key(key_id, algorithm), algorithm
        except UnknownKey:
            raise BadToken("token_invalid") from None
        except KeysUnavailable:
            raise BadToken("keys_unavailable") from None

    def _verified(self, token: str, key: Any, algorithm: str) -> dict[str, Any]:
        required = ["exp", "sub"] + ["iss"] * bool(self._issuer) + ["aud"] * bool(self._audience)
        try:
            return jwt.decode(
                token, key, algorithms=[algorithm], issuer=self._issuer, audience=self._audience,
                options={
                    "require": required, "verify_aud": self._audience is not None,
                    # Looked at by our clock, not the system's:
                    "verify_exp": False, "verify_nbf": False, "verify_iat": False,
                },
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError):
            raise BadToken("token_invalid") from None

    def _viewer(self, claims: dict[str, Any]) -> Viewer:
        told = _claim(claims, self._claims.role)
        values = {str(value) for value in told} if isinstance(told, list) else {str(told)}
        held = {self._claims.values[value] for value in values if value in self._claims.values}
        role = next((role for role in ROLES if role in held), None)
        extension = _claim(claims, self._claims.extension)
        extension_id = str(extension) if isinstance(extension, str | int) and not isinstance(extension, bool) else ""
        if role is None or not claims["sub"] or (role != "admin" and not extension_id):
            raise BadToken("token_incomplete")
        return Viewer(subject=str(claims["sub"]), role=role, extension_id=extension_id)


def _claim(claims: dict[str, Any], name: str) -> Any:
    """A claim by name, else by path: providers have names with dots, and claims within claims."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _moment(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadToken("token_invalid")
    return float(value)


def bearer(authorization: str) -> str:
    """The token of an `Authorization: Bearer` header, empty where there is none."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
