"""The REST client that services use. Blocking and thread-safe: from asyncio call it through `asyncio.to_thread`.

Built on the `ringcentral` SDK, which makes and addresses the requests. Added here: login and re-login by JWT,
time-outs, one retry after 401, silence during a rate-limit penalty, encoded queries, paging on the configured
server, and errors without secrets. Nothing else is retried: the caller knows what may be sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import requests
import structlog
from pydantic import SecretStr
from requests.adapters import BaseAdapter
from ringcentral.platform import Platform

from services.chassis.clock import Clock, SystemClock
from services.chassis.ringcentral.login import DEFAULT_TTL_S, Login
from services.chassis.ringcentral.paging import follow_pages, with_query
from services.chassis.ringcentral.penalties import Penalties, RateLimit, rate_limit, retry_after_ms, route
from services.chassis.ringcentral.refusal import NO_REPLY, RingCentralRefused, read_error
from services.chassis.ringcentral.sdk_transport import NotOk, TimedClient
from services.chassis.settings import RingCentralSettings

log = structlog.get_logger()
TOKEN_PATH = "/restapi/oauth/token"
REVOKE_PATH = "/restapi/oauth/revoke"
WSTOKEN_PATH = "/restapi/oauth/wstoken"
SUBSCRIPTION_PATH = "/restapi/v1.0/subscription/"
KNOWN_GROUPS = {
    route("POST", TOKEN_PATH): "auth",
    route("POST", WSTOKEN_PATH): "auth",
    route("POST", SUBSCRIPTION_PATH): "medium",
}


class RingCentralClient:
    """One identity's access. Every method raises RingCentralRefused when it gets no 2xx.

    `jwt` is the identity's where it is not that of RINGCENTRAL_JWT; `on_limits` hears, on the calling thread, what
    each reply says about rate limits; `adapter` replaces the network in tests.
    """

    def __init__(
        self,
        settings: RingCentralSettings,
        *,
        clock: Clock | None = None,
        adapter: BaseAdapter | None = None,
        jwt: SecretStr | None = None,
        on_limits: Callable[[RateLimit], object] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._jwt = jwt or settings.ringcentral_jwt
        self._on_limits = on_limits
        self._owner_id = ""
        self._scopes: frozenset[str] = frozenset()
        self._platform = Platform(
            TimedClient(settings.ringcentral_timeout_ms, adapter),
            settings.ringcentral_client_id,
            settings.ringcentral_client_secret.get_secret_value(),
            settings.ringcentral_server_url.rstrip("/"),
            name="Earshot",
        )
        self._penalties = Penalties(
            self._clock, KNOWN_GROUPS, default_ms=settings.ringcentral_penalty_ms, file=self._penalty_file(settings)
        )
        self._login = Login(
            self._log_in,
            self._clock,
            hold_s=settings.ringcentral_login_hold_ms / 1000,
            refused_s=settings.ringcentral_login_refused_ms / 1000,
        )

    def _penalty_file(self, settings: RingCentralSettings) -> Path | None:
        """One a user and app, because that is whom RingCentral punishes."""
        if settings.ringcentral_state_dir is None:
            return None
        identity = f"{settings.ringcentral_client_id}\0{self._jwt.get_secret_value()}"
        return settings.ringcentral_state_dir / f"penalties-{sha256(identity.encode()).hexdigest()[:24]}.json"

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read a resource; `path` such as "/restapi/v1.0/account/~/extension"."""
        return self._request("GET", path, query=query)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Create or command; {} for an empty reply."""
        return self._request("POST", path, body=body)

    def put(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Replace; {} for an empty reply."""
        return self._request("PUT", path, body=body)

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Remove; {} for an empty reply."""
        return self._request("DELETE", path, query=query)

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """The records of a list, page after page by `navigation.nextPage.uri`, always on the configured server."""
        return follow_pages(self.get, path, query)

    def websocket_token(self) -> dict[str, Any]:
        """`{"uri", "ws_access_token", "expires_in"}` for one WebSocket connection; both are secret together."""
        return self.post(WSTOKEN_PATH)

    def held_ms(self, method: str, path: str) -> int:
        """How long a penalty forbids this request, for those that take another way than this client."""
        return self._penalties.remaining_ms(route(method, path))

    def punished(self, group: str, retry_after_ms: int) -> None:
        """A request that took another way was refused with 429."""
        told = {"Retry-After": str(retry_after_ms / 1000)} if retry_after_ms else {}
        self._penalties.punish({"X-Rate-Limit-Group": group, **told})

    def owner_id(self) -> str:
        """The extension that the credentials belong to, as the login told; "" when it did not."""
        self._login.token()
        return self._owner_id

    @property
    def scopes(self) -> frozenset[str]:
        """The app's permissions, as the latest login named them; empty before the first, or where it named none."""
        return self._scopes

    def close(self) -> None:
        """Give the session back to RingCentral (five a user are allowed); failures do not matter."""
        token = self._login.take()
        if token:
            try:
                self._platform._request_token(REVOKE_PATH, body={"token": token})
            except NotOk:
                log.info("ringcentral_revoke_failed")

    def _request(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        request_route = route(method, path)
        self._refuse_if_penalized(request_route)
        token = self._login.token()
        self._refuse_if_penalized(request_route)  # a penalty may have begun while the login was waited for
        try:
            return self._send(method, path, query, body, token, request_route)
        except RingCentralRefused as refusal:
            if refusal.status != 401:
                raise
        log.info("ringcentral_token_rejected", request=request_route)
        token = self._login.token(rejected=token)
        self._refuse_if_penalized(request_route)
        return self._send(method, path, query, body, token, request_route)

    def _send(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Mapping[str, Any] | None, token: str,
        request_route: str,
    ) -> dict[str, Any]:  # fmt: skip
        verb = getattr(self._platform, method.lower())
        extra = {"body": dict(body)} if body is not None else {}
        try:
            reply = verb(
                with_query(path, query),
                headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
                skip_auth_check=True,
                **extra,
            )
        except NotOk as error:
            failed = error.response
        else:
            return self._read(reply.response(), request_route)
        raise self._refusal(failed, request_route)

    def _log_in(self) -> tuple[str, float]:
        login_route = route("POST", TOKEN_PATH)
        self._refuse_if_penalized(login_route)
        try:
            reply = self._platform.login(jwt=self._jwt.get_secret_value())
        except NotOk as error:
            failed = error.response
        except Exception:  # noqa: BLE001 - the SDK raises bare Exception for a reply that is not JSON
            raise RingCentralRefused(NO_REPLY, request=login_route) from None
        else:
            body = self._read(reply.response(), login_route)
            token = body.get("access_token")
            if not isinstance(token, str) or not token:
                raise RingCentralRefused(NO_REPLY, request=login_route)
            self._owner_id = str(body.get("owner_id") or "")
            self._scopes = frozenset(str(body.get("scope") or "").split())
            log.info("ringcentral_logged_in")
            return token, float(body.get("expires_in") or DEFAULT_TTL_S)
        raise self._refusal(failed, login_route)

    def _read(self, response: requests.Response, request_route: str) -> dict[str, Any]:
        self._learn(request_route, response.headers)
        body = _json(response)
        if body is None and response.content:
            raise RingCentralRefused(NO_REPLY, request=f"{request_route} (a reply that is no JSON)")
        return body if isinstance(body, dict) else {}

    def _learn(self, request_route: str, headers: Mapping[str, str], *, penalty_ms: int = 0) -> None:
        self._penalties.learn(request_route, headers)
        told = rate_limit(headers, penalty_ms)
        if self._on_limits is not None and told is not None:
            self._on_limits(told)

    def _refuse_if_penalized(self, request_route: str) -> None:
        left_ms = self._penalties.remaining_ms(request_route)
        if left_ms:
            raise RingCentralRefused(429, retry_after_ms=left_ms, request=f"{request_route} (held back)")

    def _refusal(self, response: requests.Response | None, request_route: str) -> RingCentralRefused:
        if response is None:
            return RingCentralRefused(NO_REPLY, request=request_route)
        wait_ms = self._penalties.punish(response.headers) if response.status_code == 429 else 0
        self._learn(request_route, response.headers, penalty_ms=wait_ms)
        if response.status_code == 429:
            log.warning("ringcentral_rate_limited", request=request_route, wait_ms=wait_ms)
        else:
            wait_ms = retry_after_ms(response.headers, self._clock.now())
        code, parameter = read_error(_json(response))
        return RingCentralRefused(
            response.status_code, code, retry_after_ms=wait_ms, request=request_route, parameter=parameter
        )


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
