"""Listening in: who hears which call, and the pieces of audio that each is still owed.

A listener that cannot keep up loses the oldest audio, and is told with the next piece how much. Permission is looked at
for every piece.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.session import ListenEnded, Listening, Refused, Session

BUFFERED_MS = 2_000
"""Of each leg, before the oldest is left out."""
Channel = Literal["agent", "customer", "mixed", "unknown"]
STREAMS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Audio of one leg. `skipped_ms`: left out right before, because this listener was too slow."""

    leg_id: str
    channel: Channel
    pcmu: bool
    sample_rate_hz: int
    media_time_ms: int
    duration_ms: int
    gap_before_ms: int
    end: bool
    audio: bytes
    skipped_ms: int = 0


@dataclass(slots=True, eq=False)
class Listener:
    """One screen that hears a call."""

    session: Session
    call_id: str
    stream: int
    since_ms: int
    legs: dict[str, int] = field(default_factory=dict)
    owed: dict[str, deque[Piece]] = field(default_factory=dict)
    skipped_ms: dict[str, int] = field(default_factory=dict)

    def put(self, piece: Piece) -> None:
        """Owe it a piece, and leave the oldest out where that is too much."""
        leg = piece.leg_id
        self.legs.setdefault(leg, len(self.legs))
        owed = self.owed.setdefault(leg, deque())
        owed.append(piece)
        while len(owed) > 1 and sum(waiting.duration_ms for waiting in owed) > BUFFERED_MS:
            lost = owed.popleft()
            self.skipped_ms[leg] = self.skipped_ms.get(leg, 0) + lost.duration_ms
        self.session.wake()

    def take(self) -> Iterator[tuple[int, Piece]]:
        """What it is owed, with the leg's number."""
        for leg, owed in self.owed.items():
            while owed:
                yield self.legs[leg], replace(owed.popleft(), skipped_ms=self.skipped_ms.pop(leg, 0))


class ListenJournal(Protocol):
    """Who listened, for the audit."""

    def listened(self, viewer: Viewer, call_id: str, detail: str, duration_ms: int = 0) -> None:
        """Somebody began or ceased to hear a call."""
        ...


class Feed(Protocol):
    """Where audio comes from."""

    def want(self, calls: dict[str, int]) -> None:
        """Bring the audio of these calls, each in its partition, from now on; of no others."""
        ...


class ListenIn:
    """All listeners; to be called on one thread. `allowed`: whether the deployment has listening in at all."""

    def __init__(self, floor: Floor, feed: Feed, journal: ListenJournal, *, allowed: bool) -> None:
        self._floor = floor
        self._feed = feed
        self._journal = journal
        self._allowed = allowed
        self._listeners: dict[Session, Listener] = {}
        self._streams = 0

    def __len__(self) -> int:
        return len(self._listeners)

    def may_listen(self, viewer: Viewer) -> bool:
        """Whether asking is worth while."""
        return self._allowed and viewer.may_listen

    def listen(self, session: Session, call_id: str, now_ms: int) -> bool:
        """Let a screen hear a call, or refuse."""
        call = self._floor.board.call(call_id)
        if not self._floor.may_hear(session.viewer, call_id):
            self._floor.refuse(session, call_id, "not_permitted")
            return False
        if not self._allowed or call is None or call.ended:
            session.put(Refused(code="not_live" if self._allowed else "listening_off", call_id=call_id))
            return True
        self.stop(session, "replaced", now_ms)
        self._streams = (self._streams + 1) % STREAMS
        self._listeners[session] = Listener(session, call_id, self._streams, now_ms)
        self._journal.listened(session.viewer, call_id, "live_started")
        session.put(Listening(call_id=call_id, stream=self._streams))
        self._tell_feed()
        return True

    def stop(self, session: Session, reason: str, now_ms: int) -> None:
        """Let it hear no more; a screen that hears nothing is left alone."""
        listener = self._listeners.pop(session, None)
        if listener is None:
            return
        duration_ms = max(0, now_ms - listener.since_ms)
        self._journal.listened(session.viewer, listener.call_id, "live_stopped", duration_ms)
        session.put(ListenEnded(call_id=listener.call_id, stream=listener.stream, reason=reason))
        self._tell_feed()

    def take(self, call_id: str, piece: Piece, now_ms: int) -> None:
        """Audio came; give it to those who hear the call and still may."""
        for listener in [heard for heard in self._listeners.values() if heard.call_id == call_id]:
            if self._floor.may_hear(listener.session.viewer, call_id):
                listener.put(piece)
            else:
                self.stop(listener.session, "not_permitted", now_ms)

    def owed(self, session: Session) -> tuple[int, Iterator[tuple[int, Piece]]]:
        """A screen's stream number, and the pieces it is owed, each with its leg's number."""
        listener = self._listeners.get(session)
        return (listener.stream, listener.take()) if listener else (0, iter(()))

    def sweep(self, now_ms: int) -> None:
        """End what is over or not permitted any more even while no audio comes."""
        for session, listener in list(self._listeners.items()):
            call = self._floor.board.call(listener.call_id)
            if not self._floor.may_hear(session.viewer, listener.call_id):
                self.stop(session, "not_permitted", now_ms)
            elif call is None or call.ended:
                self.stop(session, "call_ended", now_ms)

    def _tell_feed(self) -> None:
        wanted = {}
        for listener in self._listeners.values():
            call = self._floor.board.call(listener.call_id)
            if call is not None:
                wanted[call.call_id] = call.partition
        self._feed.want(wanted)
