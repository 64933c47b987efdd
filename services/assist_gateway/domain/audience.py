"""Who is being shown which call at this moment, so that an update is given to just those, whatever their number."""

from __future__ import annotations

from collections.abc import Collection

from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.board import Detail
from services.assist_gateway.domain.session import Session

NONE: dict[Session, Detail] = {}


class Audiences:
    """Sessions by call. Entries change when roster, agent or wish do, always before the next update is shown."""

    def __init__(self) -> None:
        self._of_call: dict[str, dict[Session, Detail]] = {}
        self._watchers: dict[str, set[Session]] = {}
        self._of_all: set[Session] = set()
        self._supervisors: dict[str, set[Session]] = {}
        self.sessions: set[Session] = set()

    def open(self, session: Session) -> None:
        """A session begins."""
        self.sessions.add(session)
        if session.viewer.role == "supervisor":
            self._supervisors.setdefault(session.viewer.extension_id, set()).add(session)

    def close(self, session: Session) -> None:
        """It is over."""
        self.sessions.discard(session)
        self._of_all.discard(session)
        _drop(self._supervisors, session.viewer.extension_id, session)
        for call_id in session.calls:
            _drop(self._watchers, call_id, session)
        for call_id in session.shown:
            self.hide(session, call_id)

    def open_as(self, session: Session, viewer: Viewer) -> None:
        """It is somebody with other rights from now on."""
        _drop(self._supervisors, session.viewer.extension_id, session)
        session.viewer = viewer
        self.open(session)

    def wish(self, session: Session, call_id: str) -> None:
        """It wants a call in full."""
        session.calls.add(call_id)
        self._watchers.setdefault(call_id, set()).add(session)

    def wish_no_more(self, session: Session, call_id: str) -> None:
        """It does not."""
        session.calls.discard(call_id)
        _drop(self._watchers, call_id, session)

    def wish_all(self, session: Session, detail: Detail | None) -> None:
        """It wants all calls, or not."""
        session.everything = detail
        if detail is None:
            self._of_all.discard(session)
        else:
            self._of_all.add(session)

    def wishing(self, call_id: str) -> set[Session]:
        """Who wants the call, permitted or not."""
        return self._of_all | self._watchers.get(call_id, set())

    def supervisors(self, extension_id: str) -> Collection[Session]:
        """Open sessions of a supervisor."""
        return tuple(self._supervisors.get(extension_id, ()))

    def show(self, session: Session, call_id: str, detail: Detail) -> None:
        """From now on it is given the call's updates."""
        self._of_call.setdefault(call_id, {})[session] = detail

    def hide(self, session: Session, call_id: str) -> None:
        """It is given them no more."""
        shown = self._of_call.get(call_id)
        if shown is not None:
            shown.pop(session, None)
            if not shown:
                del self._of_call[call_id]

    def of(self, call_id: str) -> dict[Session, Detail]:
        """Who is given the call's updates, and how much of them."""
        return self._of_call.get(call_id, NONE)


def _drop(sets: dict[str, set[Session]], key: str, session: Session) -> None:
    found = sets.get(key)
    if found is not None:
        found.discard(session)
        if not found:
            del sets[key]
