"""The registrar: who is reachable where (RFC 3261 §10, RFC 5626 instances), with RingCentral's own rules.

A device may hold bindings of up to `max_instances` distinct instances; one more is refused with
`603 Too Many Contacts`. Of a device's bindings the one made last takes its calls; a refresh over the same flow
keeps its place. Pure: flows are opaque values that compare equal when they are the same connection, and time
(seconds, any one clock) comes in as an argument.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from sipmessage import Request

from services.ringcentral_sim.sip import digest
from services.ringcentral_sim.sip.accounts import SipAccount
from services.ringcentral_sim.sip.options import SipOptions

FlowT = TypeVar("FlowT", bound=Hashable)

_CONTACT = re.compile(r'^(?:"[^"]*"|[^<"]*?)\s*<(?P<uri>[^>]+)>(?P<parameters>.*)$')
_INSTANCE = re.compile(r';\s*\+sip\.instance\s*=\s*"([^"]*)"', re.IGNORECASE)
_EXPIRES = re.compile(r";\s*expires\s*=\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding(Generic[FlowT]):
    """One place where a device can be called: `uri` is the contact, `parameters` its text without expires."""

    key: str
    uri: str
    parameters: str
    flow: FlowT
    expires_at: float
    order: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How to answer a REGISTER: status, phrase, and the headers to add."""

    code: int
    phrase: str
    headers: tuple[tuple[str, str], ...] = ()


class Registrar(Generic[FlowT]):
    """Keeps the bindings of `accounts`; `secret` signs the nonces."""

    def __init__(self, accounts: Sequence[SipAccount], options: SipOptions, secret: bytes) -> None:
        self._by_user = {account.user_name: account for account in accounts}
        self._options = options
        self._secret = secret
        self._bindings: dict[str, dict[str, Binding[FlowT]]] = {a.device_id: {} for a in accounts}
        self._order = 0

    def register(self, request: Request, flow: FlowT, now: float) -> Outcome:
        """Judge one REGISTER that came over `flow`, and keep what it asks for."""
        account = self._by_user.get(request.to_address.uri.user or "")
        realm = account.domain if account else request.uri.host
        credentials = request.authorization
        if credentials is None:
            return self._challenged(realm, now)
        if account is None:
            return Outcome(code=403, phrase="Forbidden")
        verdict = digest.check(
            credentials,
            method="REGISTER",
            username=account.auth_id,
            password=account.password,
            realm=realm,
            secret=self._secret,
            now=now,
            lifetime_s=self._options.nonce_lifetime_s,
        )
        match verdict:
            case digest.Verdict.STALE:
                return self._challenged(realm, now, stale=True)
            case digest.Verdict.REFUSED:
                return Outcome(code=403, phrase="Forbidden")
            case digest.Verdict.ACCEPTED:
                return self._bind(account.device_id, request, flow, now)

    def newest(self, device_id: str, now: float) -> Binding[FlowT] | None:
        """The binding that takes the device's calls, or None when it has none."""
        return max(self._live(device_id, now).values(), key=lambda binding: binding.order, default=None)

    def drop_flow(self, flow: FlowT) -> None:
        """Forget what was registered over a connection that has closed."""
        for bindings in self._bindings.values():
            for key in [key for key, binding in bindings.items() if binding.flow == flow]:
                del bindings[key]

    def _challenged(self, realm: str, now: float, *, stale: bool = False) -> Outcome:
        challenge = digest.challenge(realm, digest.make_nonce(self._secret, now), stale=stale)
        return Outcome(code=401, phrase="Unauthorized", headers=(("WWW-Authenticate", str(challenge)),))

    def _bind(self, device_id: str, request: Request, flow: FlowT, now: float) -> Outcome:
        bindings = self._live(device_id, now)
        for value in request.headers.getlist("Contact"):
            if value == "*":
                bindings.clear()
                continue
            contact = _CONTACT.match(value)
            if contact is None:
                return Outcome(code=400, phrase="Bad Contact")
            parameters = contact["parameters"]
            given = _EXPIRES.search(parameters)
            asked_s = int(given.group(1)) if given else request.expires
            expires_s = min(self._options.max_expires_s if asked_s is None else asked_s, self._options.max_expires_s)
            instance = _INSTANCE.search(parameters)
            key = instance.group(1) if instance else contact["uri"]
            if expires_s == 0:
                bindings.pop(key, None)
                continue
            if key not in bindings and len(bindings) >= self._options.max_instances:
                return Outcome(code=603, phrase="Too Many Contacts")
            bindings[key] = self._binding(bindings.get(key), key, contact, flow, now + expires_s)
        return Outcome(code=200, phrase="OK", headers=_contacts(bindings.values(), now))

    def _binding(
        self, old: Binding[FlowT] | None, key: str, contact: re.Match[str], flow: FlowT, expires_at: float
    ) -> Binding[FlowT]:
        if old is not None and old.flow == flow and old.uri == contact["uri"]:
            return replace(old, expires_at=expires_at)
        self._order += 1
        return Binding(
            key=key,
            uri=contact["uri"],
            parameters=_EXPIRES.sub("", contact["parameters"]),
            flow=flow,
            expires_at=expires_at,
            order=self._order,
        )

    def _live(self, device_id: str, now: float) -> dict[str, Binding[FlowT]]:
        bindings = self._bindings.get(device_id, {})
        for key in [key for key, binding in bindings.items() if binding.expires_at <= now]:
            del bindings[key]
        return bindings


def _contacts(bindings: Iterable[Binding[FlowT]], now: float) -> tuple[tuple[str, str], ...]:
    """All bindings, newest first; those that no longer take calls are marked q=0."""
    newest_first = sorted(bindings, key=lambda binding: -binding.order)
    return tuple(
        ("Contact", f"<{b.uri}>{b.parameters};expires={round(b.expires_at - now)}{';q=0' if place else ''}")
        for place, b in enumerate(newest_first)
    )
