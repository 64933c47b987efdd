"""The floor: the board, the roster and everybody who watches; decides who is shown what.

Who may be shown a call is worked out anew whenever roster, agent or wish change, before the next message goes out; so
such a change takes effect on open screens at once. All methods are to be called on one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Protocol

from services.assist_gateway.domain.access import NOBODY, Member, Viewer, may_hear, may_see
from services.assist_gateway.domain.audience import Audiences
from services.assist_gateway.domain.board import FORGOTTEN_CALL_MS, Call, CallBoard, Detail, Kind, Update
from services.assist_gateway.domain.reach import Cursor
from services.assist_gateway.domain.session import (
    Agent,
    Changed,
    Gone,
    Message,
    Missed,
    Refused,
    Resumed,
    Session,
    Skipped,
    Snapshot,
)

HOLD_TICKS = 10
"""For how long insights are held back for screens with an overview."""


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
        self._audiences = Audiences()
        self._calls_of: dict[str, set[str]] = {}
        self._holding: deque[tuple[int, Session]] = deque()
        self._ticks = 0
        self._journal = journal

    @property
    def viewers(self) -> int:
        """Open sessions."""
        return len(self._audiences.sessions)

    def may_see(self, viewer: Viewer, call_id: str) -> bool:
        """Whether the viewer may see the call; an unknown call has no known agent."""
        call = self.board.call(call_id)
        return may_see(viewer, call.agent_extension_id if call else "", self._roster)

    def may_hear(self, viewer: Viewer, call_id: str) -> bool:
        """Whether the viewer may listen in on the call."""
        call = self.board.call(call_id)
        return may_hear(viewer, call.agent_extension_id if call else "", self._roster)

    def calls_for(self, viewer: Viewer) -> list[Call]:
        """The calls that the viewer may see."""
        return [call for call in self.board if may_see(viewer, call.agent_extension_id, self._roster)]

    def agent(self, extension_id: str) -> Agent:
        """An agent as the roster names it."""
        member = self._roster.get(extension_id, NOBODY)
        return Agent(extension_id, member.name, member.extension_number)

    def open(self, session: Session) -> None:
        """A screen is there; it sees nothing until it asks."""
        self._audiences.open(session)

    def close(self, session: Session) -> None:
        """The screen is gone."""
        self._audiences.close(session)

    def watch(self, session: Session, call_id: str) -> bool:
        """Show a call in full, or refuse. What is unknown is refused as what is forbidden, so that nothing is told."""
        if not self._wish(session, call_id):
            return False
        call = self.board.call(call_id)
        if call is not None and call.thin:
            self._audiences.wish_no_more(session, call_id)
            session.put(Refused(code="not_live", call_id=call_id))
        else:
            self._show_whole(session, call_id)
        return True

    def watch_all(self, session: Session, detail: Detail) -> None:
        """Show every call that the viewer may see, now and as they come."""
        self._wish_all(session, detail)
        session.put(self._everything(session))

    def resume(
        self, session: Session, cursor: Cursor, held: Mapping[str, Detail], everything: Detail | None,
        watch: Iterable[str],
    ) -> None:  # fmt: skip
        """Show what was missed of the calls in `held`, which the screen has as of the cursor, and the others whole."""
        self._wish_all(session, everything)
        for call_id in watch:
            if call_id not in held or self._is_there(session.viewer, call_id):
                self._wish(session, call_id)
        partitions = {call.partition for call_id in held if (call := self.board.call(call_id))}
        if not (self.board.reach.has_reached(cursor) and self.board.reach.can_continue(cursor, partitions)):
            session.put(self._everything(session))
            return
        missed: list[tuple[int, Update]] = []
        for call_id, detail in held.items():
            session.shown[call_id] = "overview"
            if not (self._is_there(session.viewer, call_id) and self._visible(session, call_id)):
                self._hide(session, call_id)
            elif session.wanted(call_id) == "overview" or detail == "full":
                now = self._mark_shown(session, call_id)
                missed += self.board.since(cursor, call_id, now)
        missed.sort(key=lambda numbered: numbered[0])
        session.put(Missed(changes=tuple(self._changed(update) for _, update in missed)))
        for call_id in self._wanted(session):
            if session.lacks(call_id):
                self._show_whole(session, call_id)
        session.put(Resumed(cursor=self.board.reach.cursor()))

    def unwatch(self, session: Session, call_id: str) -> None:
        """Show no more of a call than of all others."""
        self._audiences.wish_no_more(session, call_id)
        if session.everything is None:
            session.shown.pop(call_id, None)
            session.forget(call_id)
            self._audiences.hide(session, call_id)
        elif call_id in session.shown:
            self._mark_shown(session, call_id)

    def refuse(self, session: Session, call_id: str, code: str) -> None:
        """Say no and write it down."""
        self._journal.refused(session.viewer, call_id, code)
        session.put(Refused(code=code, call_id=call_id))

    def admit(self, session: Session, viewer: Viewer) -> None:
        """The session's viewer has another role or extension from now on."""
        if viewer != session.viewer:
            self._audiences.open_as(session, viewer)
            self._review(session)

    def take(self, update: Update) -> None:
        """Take in what a topic told and show it to whom it concerns."""
        call_before = self.board.call(update.call_id)
        agent_before = call_before.agent_extension_id if call_before else ""
        taken = self.board.take(update)
        audience = self._audiences.of(update.call_id)
        if taken.reassigned:
            before = set(audience)
            self._move(update.call_id, agent_before)
            for session in self._audiences.wishing(update.call_id):
                self._place(session, update.call_id)
            audience = {s: d for s, d in self._audiences.of(update.call_id).items() if s in before}
        if not taken.changed or not audience:
            return
        changed = self._changed(update)
        if update.kind == "insight":
            self._give_insight(audience, changed)
        elif update.overview:
            for session in audience:
                session.put(changed)
        else:
            for session, detail in audience.items():
                if detail == "full":
                    session.put(changed)

    def tick(self) -> None:
        """A moment has passed: screens get what was held back for them for `HOLD_TICKS` of them."""
        self._ticks += 1
        while self._holding and self._holding[0][0] <= self._ticks:
            self._holding.popleft()[1].let_go()

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
        for call_id in self._calls_of.get(extension_id, ()):
            for session in self._audiences.wishing(call_id):
                self._place(session, call_id)
        for session in self._audiences.supervisors(extension_id):
            self._review(session)

    def sweep(self, now_ms: int, *, keep_full_ms: int, keep_ended_ms: int) -> None:
        """Take calls that are over from the screens, and forget them later."""
        aged = self.board.age(
            thin_before_ms=now_ms - keep_full_ms, ended_before_ms=now_ms - keep_ended_ms,
            silent_before_ms=now_ms - FORGOTTEN_CALL_MS,
        )  # fmt: skip
        for call_id in aged:
            for session in self._audiences.wishing(call_id):
                self._audiences.wish_no_more(session, call_id)
                self._hide(session, call_id)
            if self.board.call(call_id) is None:
                for calls in self._calls_of.values():
                    calls.discard(call_id)
        self._calls_of = {agent: calls for agent, calls in self._calls_of.items() if calls}

    def next_messages(self, session: Session) -> list[Message]:
        """What the screen is owed, in order; nothing is owed twice."""
        messages = session.take()
        if session.skipped:
            count, session.skipped = session.skipped, 0
            session.held_back.clear()
            messages += [Skipped(count=count), self._everything(session)]
        return messages

    def _give_insight(self, audience: Mapping[Session, Detail], changed: Changed) -> None:
        update = changed.update
        for session, detail in audience.items():
            if detail == "overview" and not update.overview:
                continue
            if session.everything != "overview":
                session.put(changed)
            elif session.hold_back(update.item_id if detail == "full" else update.overview, changed):
                self._holding.append((self._ticks + HOLD_TICKS, session))

    def _wish(self, session: Session, call_id: str) -> bool:
        if not self.may_see(session.viewer, call_id):
            self.refuse(session, call_id, "not_permitted")
            return False
        self._audiences.wish(session, call_id)
        return True

    def _wish_all(self, session: Session, detail: Detail | None) -> None:
        self._audiences.wish_all(session, detail)
        if detail == "overview":
            self._journal.watched(session.viewer, "", "overview")

    def _move(self, call_id: str, agent_before: str) -> None:
        """Note whose call it is."""
        call = self.board.call(call_id)
        if agent_before in self._calls_of:
            self._calls_of[agent_before].discard(call_id)
        if call is not None and call.agent_extension_id:
            self._calls_of.setdefault(call.agent_extension_id, set()).add(call_id)

    def _changed(self, update: Update) -> Changed:
        if update.kind != "state":
            return Changed(update)
        call = self.board.call(update.call_id)
        return Changed(update, self.agent(call.agent_extension_id if call else ""))

    def _is_there(self, viewer: Viewer, call_id: str) -> bool:
        return self.board.call(call_id) is not None and self.may_see(viewer, call_id)

    def _visible(self, session: Session, call_id: str) -> bool:
        """Whether the screen is to be shown the call now: it asked for it, may see it, and it is not long over."""
        call = self.board.call(call_id)
        if session.wanted(call_id) is None or (call is not None and call.thin):
            return False
        return may_see(session.viewer, call.agent_extension_id if call else "", self._roster)

    def _place(self, session: Session, call_id: str) -> None:
        """Show a call whole or take it away, where that has changed."""
        if not self._visible(session, call_id):
            self._hide(session, call_id)
        elif session.lacks(call_id):
            self._show_whole(session, call_id)

    def _show_whole(self, session: Session, call_id: str) -> None:
        call = self.board.call(call_id) or Call(call_id, -1)
        snapshot = call.snapshot(self._mark_shown(session, call_id))
        cursor = self.board.reach.cursor(call.partition)
        calls = ((snapshot, self.agent(call.agent_extension_id)),)
        session.put(Snapshot(cursor=cursor, calls=calls, complete=False, call_id=call_id))

    def _wanted(self, session: Session) -> list[str]:
        """The calls that the screen is to be shown now."""
        ids = (call.call_id for call in self.board) if session.everything else list(session.calls)
        return [call_id for call_id in ids if self._visible(session, call_id)]

    def _everything(self, session: Session) -> Snapshot:
        visible = self._wanted(session)
        for call_id in session.shown.keys() - set(visible):
            del session.shown[call_id]
            self._audiences.hide(session, call_id)
        calls = []
        for call_id in visible:
            detail = self._mark_shown(session, call_id)
            call = self.board.call(call_id) or Call(call_id, -1)
            calls.append((call.snapshot(detail), self.agent(call.agent_extension_id)))
        return Snapshot(cursor=self.board.reach.cursor(), calls=tuple(calls), complete=True)

    def _mark_shown(self, session: Session, call_id: str) -> Detail:
        detail: Detail = session.wanted(call_id) or "overview"
        if detail == "full" and session.shown.get(call_id) != "full":
            self._journal.watched(session.viewer, call_id, "live")
        session.shown[call_id] = detail
        self._audiences.show(session, call_id, detail)
        return detail

    def _hide(self, session: Session, call_id: str) -> None:
        self._audiences.hide(session, call_id)
        session.forget(call_id)
        if session.shown.pop(call_id, None) is not None:
            session.put(Gone(call_id=call_id))

    def _review(self, session: Session) -> None:
        ids = [call.call_id for call in self.board] if session.everything else list(session.calls)
        for call_id in ids:
            self._place(session, call_id)
