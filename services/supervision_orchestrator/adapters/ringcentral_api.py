"""The Call Supervise API over RingCentral's REST. There is no request here that could end a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from services.chassis.ringcentral import RingCentralRefused
from services.supervision_orchestrator.domain.inputs import ReadParty
from services.supervision_orchestrator.domain.ports import Refused

ResultT = TypeVar("ResultT")
SESSIONS = "/restapi/v1.0/account/~/telephony/sessions"
OWN_EXTENSION = "/restapi/v1.0/account/~/extension/~"
WORTH_ANOTHER_TRY = frozenset({401, 404, 409})
"""A killed token; a party that is not there yet or a call that ends (the next reading tells); a state that passes."""
CALL_STATE_CODES = "TAS-"
"""Call control's refusals depend on what is going on (a device that has just gone offline, another supervisor, a third
party), which passes while the call lives; CMN's are about permissions and parameters, which do not."""


LOGIN_CODES = ("OAU-", "invalid_")
"""The login was refused: that is the identity's trouble, not the call's, whatever the status."""


class Rest(Protocol):
    """What is used here of `chassis.ringcentral.RingCentralClient`."""

    def owner_id(self) -> str:
        """Whose token it is."""
        ...

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read."""
        ...

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask."""
        ...


class RingCentralSuperviseApi:
    """Implements SuperviseApi; thread-safe as far as `rest` is."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest

    def own_extension_id(self) -> str:
        """The extension of the credentials: the login tells, so that no Light request is spent. Raises Refused."""
        owner_id = self._asked(self._rest.owner_id)
        return owner_id or str(self._asked(lambda: self._rest.get(OWN_EXTENSION)).get("id", ""))

    def read_session(self, call_id: str) -> tuple[ReadParty, ...] | None:
        """The parties; None for 404."""
        try:
            session = self._asked(lambda: self._rest.get(f"{SESSIONS}/{_segment(call_id)}"))
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return tuple(_party(party) for party in session.get("parties", ()) if party.get("id"))

    def supervise_party(self, call_id: str, party_id: str, *, agent_extension_id: str, device_id: str) -> str:
        """One party's voice; the agent's extension goes into the customer's request too."""
        path = f"{SESSIONS}/{_segment(call_id)}/parties/{_segment(party_id)}/supervise"
        return self._supervise(path, agent_extension_id, device_id)

    def supervise_session(self, call_id: str, *, agent_extension_id: str, device_id: str) -> str:
        """All voices in one."""
        return self._supervise(f"{SESSIONS}/{_segment(call_id)}/supervise", agent_extension_id, device_id)

    def _supervise(self, path: str, agent_extension_id: str, device_id: str) -> str:
        body = {"mode": "Listen", "supervisorDeviceId": device_id, "agentExtensionId": agent_extension_id}
        return str(self._asked(lambda: self._rest.post(path, body)).get("id", ""))

    def _asked(self, request: Callable[[], ResultT]) -> ResultT:
        try:
            return request()
        except RingCentralRefused as refused:
            if refused.error_code.startswith(LOGIN_CODES):
                raise Refused(401, refused.error_code, retry_after_ms=refused.retry_after_ms, retryable=True) from None
            raise Refused(
                refused.status,
                refused.error_code,
                retry_after_ms=refused.retry_after_ms,
                retryable=_worth_another_try(refused),
            ) from None


def _worth_another_try(refused: RingCentralRefused) -> bool:
    if refused.retryable or refused.status in WORTH_ANOTHER_TRY:
        return True
    # A 403 without a code says nothing of why: it is not RingCentral's own word on permissions.
    return refused.status == 403 and (not refused.error_code or refused.error_code.startswith(CALL_STATE_CODES))


def _segment(text: str) -> str:
    return quote(text, safe="")


def _party(party: Mapping[str, Any]) -> ReadParty:
    """Extension of the party itself, else of its owner; REST gives ids as strings or numbers."""
    owner = party.get("owner") or {}
    status = party.get("status") or {}
    return ReadParty(
        party_id=str(party["id"]),
        code=str(status.get("code", "")),
        reason=str(status.get("reason") or ""),
        extension_id=str(party.get("extensionId") or owner.get("extensionId") or ""),
        direction=str(party.get("direction") or ""),
    )
