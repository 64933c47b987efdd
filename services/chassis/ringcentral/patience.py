"""REST that waits when RingCentral says so, for programs that a person runs: nothing is sent during a penalty."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from services.chassis.ringcentral.paging import follow_pages
from services.chassis.ringcentral.refusal import RingCentralRefused

T = TypeVar("T")
WAITS = 5
"""Times a request is repeated; a whole penalty is waited out each time."""


class Rest(Protocol):
    """The verbs of REST; `RingCentralClient` has them, and so has `PatientRest`. All raise RingCentralRefused."""

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read."""
        ...

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Create or command."""
        ...

    def put(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Replace."""
        ...

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Remove."""
        ...

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """The records of a list."""
        ...


class PatientRest:
    """Repeats what was refused with 429 or 503 and a time to wait, after that time.

    That is RingCentral's rule for both; the request was not carried out. Everything else is raised as it is.
    `sleep` takes seconds; `on_wait` is told the milliseconds before each wait.
    """

    def __init__(self, rest: Rest, *, sleep: Callable[[float], None], on_wait: Callable[[int], None]) -> None:
        self._rest = rest
        self._sleep = sleep
        self._on_wait = on_wait

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Read."""
        return self._patiently(lambda: self._rest.get(path, query))

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Create or command."""
        return self._patiently(lambda: self._rest.post(path, body))

    def put(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Replace."""
        return self._patiently(lambda: self._rest.put(path, body))

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Remove."""
        return self._patiently(lambda: self._rest.delete(path, query))

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """The records of a list; a wait between two pages loses none."""
        return follow_pages(self.get, path, query)

    def _patiently(self, request: Callable[[], T]) -> T:
        for _ in range(WAITS):
            try:
                return request()
            except RingCentralRefused as refusal:
                if refusal.status not in (429, 503) or not refusal.retry_after_ms:
                    raise
                wait_ms = refusal.retry_after_ms
            self._on_wait(wait_ms)
            self._sleep(wait_ms / 1000)
        return request()
