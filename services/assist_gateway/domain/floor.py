"""The floor: the board, the roster and everybody who watches; decides who is shown what.

Permission is looked at for every call and every message, so a change of roster or agent takes effect on open
screens at once. All methods are to be called on one thread.
"""

from __future__ import annotations

from typing import Protocol

from services.assist_gateway.domain.access import Member, Viewer, may_see
from services.assist_gateway.domain.board import FORGOTTEN_CALL_MS, OVERVIEW, Call, CallBoard, Detail, Kind, Update
from services.assist_gateway.domain.session import Changed, Gone, Message, Refused, Session, Skipped, Snapshot


class Journal(Protocol):
    """Who looked at what, for the audit."""

    def watched(self, viewer: Viewer, call_id: str, detail: str) -> None:
        """A call (empty: the overview of all) is shown to a viewer."""
        ...

    def refused(self, viewer: Viewer, call_id: str, detail: str) -> None:
        """A viewer asked for what it may not have."""
        ...


class Floor:
    """See the module."""

    def __init__(self, journal: Journal) -> None:
        self.board = CallBoard()
        self._roster: dict[str, Member] = {}
        self._sessions: set[Session] = set()
        self._journal = journal

    @property
    def viewers(self) -> int:
        """Open sessions."""
        return len(self._sessions)

    def may_see(self, viewer: Viewer, call_id: str) -> bool:
        """Whether the viewer may see the call; an unknown call has no known agent."""
        call = self.board.call(call_id)
        return may_see(viewer, call.agent_extension_id if call else "", self._roster)

    def calls_for(self, viewer: Viewer) -> list[Call]:
        """The calls that the viewer may see."""
        return [call for call in self.board if may_see(viewer, call.agent_extension_id, self._roster)]

    def open(self, session: Session) -> None:
        """A screen is there; it sees nothing until it asks."""
        self._sessions.add(session)

    def close(self, session: Session) -> None:
        """The screen is gone."""
        self._sessions.discard(session)

    def watch(self, session: Session, call_id: str) -> bool:
        """Show a call in full, or refuse. What is unknown is refused as what is forbidden, so that nothing is told."""
        if not self.may_see(session.viewer, call_id):
            self.refuse(session, call_id, "not_permitted")
            return False
        session.calls.add(call_id)
        self._show_whole(session, call_id)
        return True

    def watch_all(self, session: Session, detail: Detail) -> None:
        """Show every call that the viewer may see, now and as they come."""
        session.everything = detail
        if detail == "overview":
            self._journal.watched(session.viewer, "", "overview")
        session.put(self._everything(session))

    def unwatch(self, session: Session, call_id: str) -> None:
        """Show no more of a call than of all others."""
        session.calls.discard(call_id)
        if session.everything is None:
            session.shown.pop(call_id, None)
        elif call_id in session.shown:
            session.shown[call_id] = session.everything

    def refuse(self, session: Session, call_id: str, code: str) -> None:
        """Say no and write it down."""
        self._journal.refused(session.viewer, call_id, code)
        session.put(Refused(code=code, call_id=call_id))

    def take(self, update: Update) -> None:
        """Take in what a topic told and show it to whom it concerns."""
        if not self.board.take(update):
            return
        for session in self._sessions:
            self._show(session, update)

    def remove(self, kind: Kind, call_id: str) -> None:
        """A tombstone came; screens lose the record with their next snapshot."""
        self.board.remove(kind, call_id)

    def set_member(self, extension_id: str, member: Member | None) -> None:
        """The roster changed (None: no member any more); open screens gain and lose calls accordingly."""
        if self._roster.get(extension_id) == member:
            return
        if member is None:
            del self._roster[extension_id]
        else:
            self._roster[extension_id] = member
        for session in self._sessions:
            if session.viewer.role == "supervisor":
                self._review(session)

    def sweep(self, now_ms: int, *, keep_ended_ms: int) -> None:
        """Forget calls that are long over."""
        old = self.board.forget_before(
            ended_before_ms=now_ms - keep_ended_ms, silent_before_ms=now_ms - FORGOTTEN_CALL_MS
        )
        for call_id in old:
            for session in self._sessions:
                session.calls.discard(call_id)
                self._hide(session, call_id)

    def next_messages(self, session: Session) -> list[Message]:
        """What the screen is owed, in order; nothing is owed twice."""
        if session.skipped:
            count, session.skipped = session.skipped, 0
            return [Skipped(count=count), self._everything(session)]
        messages = list(session.outbox)
        session.outbox.clear()
        return messages

    def _show(self, session: Session, update: Update) -> None:
        wanted = session.wanted(update.call_id)
        if wanted is None:
            return
        if not self.may_see(session.viewer, update.call_id):
            self._hide(session, update.call_id)
        elif session.lacks(update.call_id):
            self._show_whole(session, update.call_id)
        elif wanted == "full" or update.kind in OVERVIEW:
            session.put(Changed(cursor=self.board.cursor, update=update))

    def _show_whole(self, session: Session, call_id: str) -> None:
        calls = (self.board.snapshot(call_id, self._mark_shown(session, call_id)),)
        session.put(Snapshot(cursor=self.board.cursor, calls=calls, complete=False, call_id=call_id))

    def _everything(self, session: Session) -> Snapshot:
        wanted = [call.call_id for call in self.board if session.wanted(call.call_id)]
        visible = [call_id for call_id in wanted if self.may_see(session.viewer, call_id)]
        session.shown = {call_id: detail for call_id, detail in session.shown.items() if call_id in visible}
        calls = tuple(self.board.snapshot(call_id, self._mark_shown(session, call_id)) for call_id in visible)
        return Snapshot(cursor=self.board.cursor, calls=calls, complete=True)

    def _mark_shown(self, session: Session, call_id: str) -> Detail:
        detail: Detail = session.wanted(call_id) or "overview"
        if detail == "full" and session.shown.get(call_id) != "full":
            self._journal.watched(session.viewer, call_id, "live")
        session.shown[call_id] = detail
        return detail

    def _hide(self, session: Session, call_id: str) -> None:
        if session.shown.pop(call_id, None) is not None:
            session.put(Gone(call_id=call_id))

    def _review(self, session: Session) -> None:
        for call in list(self.board):
            if not session.wanted(call.call_id):
                continue
            if not may_see(session.viewer, call.agent_extension_id, self._roster):
                self._hide(session, call.call_id)
            elif session.lacks(call.call_id):
                self._show_whole(session, call.call_id)
