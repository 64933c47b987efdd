"""OAuth sessions and tokens: JWT and refresh grants, single-use refresh, five sessions a user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from services.ringcentral_sim.domain.errors import ApiError

ACCESS_TTL_RANGE_S = (600, 3600)
REFRESH_TTL_MAX_S = 2_592_000
REUSED_GRACE_S = 10.0
UNUSED_GRACE_S = 3600.0


@dataclass(slots=True)
class Grant:
    """One login and its newest pair of tokens; times are monotonic seconds."""

    session_id: str
    owner_id: str
    access_token: str
    access_until: float
    access_ttl_s: int
    refresh_token: str | None
    refresh_until: float
    refresh_ttl_s: int
    previous_refresh: str | None = None
    refreshed_at: float = 0.0
    first_used_at: float | None = None


@dataclass(slots=True)
class TokenStore:
    """Every live grant, oldest first per user. `new_id(prefix)` makes opaque ids."""

    new_id: Callable[[str], str]
    issue_refresh_tokens: bool = False
    max_sessions: int = 5
    access_ttl_s: int = 3600
    _grants: list[Grant] = field(default_factory=list)

    def login(self, owner_id: str, now: float, ttl_s: int | None = None, refresh_ttl_s: int | None = None) -> Grant:
        """A new session; the oldest one beyond the cap loses its tokens."""
        ttl = self.access_ttl_s if ttl_s is None else ttl_s
        refresh_ttl = min(refresh_ttl_s or 604_800, REFRESH_TTL_MAX_S)
        grant = Grant(
            session_id=self.new_id("os"),
            owner_id=owner_id,
            access_token=self.new_id("AT"),
            access_until=now + ttl,
            access_ttl_s=ttl,
            refresh_token=self.new_id("RT") if self.issue_refresh_tokens else None,
            refresh_until=now + refresh_ttl,
            refresh_ttl_s=refresh_ttl,
        )
        self._grants.append(grant)
        mine = [g for g in self._grants if g.owner_id == owner_id]
        for old in mine[: -self.max_sessions]:
            self._forget(old)
        return grant

    def refresh(self, token: str, now: float) -> Grant:
        """Swap tokens; the old refresh token works 10 s after the new pair was used, 60 min if it was not."""
        for grant in self._grants:
            if token == grant.previous_refresh:
                used_at = grant.first_used_at
                deadline = grant.refreshed_at + UNUSED_GRACE_S if used_at is None else used_at + REUSED_GRACE_S
                if now < deadline:
                    return grant
                break
            if token == grant.refresh_token and now < grant.refresh_until:
                grant.previous_refresh, grant.refreshed_at = token, now
                grant.access_token, grant.refresh_token = self.new_id("AT"), self.new_id("RT")
                grant.access_until = now + grant.access_ttl_s
                grant.refresh_until = now + grant.refresh_ttl_s
                grant.first_used_at = None
                return grant
        raise ApiError(400, "OAU-210", "Token is expired or revoked", oauth="invalid_grant")

    def authenticate(self, token: str, now: float) -> Grant:
        """The grant of a live access token, or 401 with the OAU code that fits."""
        for grant in self._grants:
            if grant.access_token == token:
                if now >= grant.access_until:
                    raise ApiError(401, "OAU-128", "Access token expired")
                if grant.first_used_at is None:
                    grant.first_used_at = now
                return grant
        code = "OAU-213" if token.startswith("AT-") else "OAU-149"
        message = "Token not found" if code == "OAU-213" else "Unparsable access token"
        raise ApiError(401, code, message)

    def revoke(self, token: str) -> bool:
        """Kill the whole session of any of its tokens; False when the token is unknown."""
        for grant in self._grants:
            if token in (grant.access_token, grant.refresh_token):
                self._forget(grant)
                return True
        return False

    def kill_all(self) -> int:
        """Fault: every token dies at once."""
        count = len(self._grants)
        self._grants.clear()
        return count

    def _forget(self, grant: Grant) -> None:
        self._grants.remove(grant)
