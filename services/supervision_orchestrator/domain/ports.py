"""What the orchestrator needs of RingCentral."""

from __future__ import annotations

from typing import Protocol

from services.supervision_orchestrator.domain.inputs import ReadParty


class Refused(Exception):
    """RingCentral said no, or nothing (status 0). `retryable`: whether another try can help."""

    def __init__(self, status: int, error_code: str = "", *, retry_after_ms: int = 0, retryable: bool = False) -> None:
        super().__init__(f"{status} {error_code}".strip())
        self.status = status
        self.error_code = error_code
        self.retry_after_ms = retry_after_ms
        self.retryable = retryable


class SuperviseApi(Protocol):
    """The Call Supervise API; methods block and are called from worker threads. Nothing here can end a call."""

    def own_extension_id(self) -> str:
        """The supervisor that the credentials belong to. Raises Refused."""
        ...

    def read_session(self, call_id: str) -> tuple[ReadParty, ...] | None:
        """The session's parties, disconnected and supervising ones included; None when there is no such session."""
        ...

    def supervise_party(self, call_id: str, party_id: str, *, agent_extension_id: str, device_id: str) -> str:
        """Ask for one party's voice; the id of our own new party. Raises Refused."""
        ...

    def supervise_session(self, call_id: str, *, agent_extension_id: str, device_id: str) -> str:
        """Ask for the whole session, mixed; the id of our own new party. Raises Refused."""
        ...
