"""A screen's session: what it asked for, what it has been shown, what it is still owed.

The outbox is bounded. When a slow screen lets it fill up, everything in it is dropped and counted; once the screen
takes messages again, it is told how many it missed and given a fresh snapshot, which holds the newest of all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.board import CallSnapshot, Detail, Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Calls as of the cursor. `complete`: what the screen has and is not in here is there no more."""

    cursor: int
    calls: tuple[CallSnapshot, ...]
    complete: bool
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """One update, at its cursor."""

    cursor: int
    update: Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The call is not to be seen any more."""

    call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """So many messages were dropped; a snapshot follows."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request was not granted; `code` is a short snake_case word."""

    code: str
    call_id: str = ""


Message = Snapshot | Changed | Gone | Skipped | Refused
DEPTH: dict[Detail | None, int] = {None: 0, "overview": 1, "full": 2}


@dataclass(slots=True, eq=False)
class Session:
    """One connection. `wake` is called when there is something to take."""

    viewer: Viewer
    limit: int
    wake: Callable[[], None]
    everything: Detail | None = None
    calls: set[str] = field(default_factory=set)
    shown: dict[str, Detail] = field(default_factory=dict)
    outbox: deque[Message] = field(default_factory=deque)
    skipped: int = 0

    def wanted(self, call_id: str) -> Detail | None:
        """How much of the call the screen asked for."""
        return "full" if call_id in self.calls else self.everything

    def lacks(self, call_id: str) -> bool:
        """Whether it asked for more of the call than a snapshot has given it."""
        return DEPTH[self.shown.get(call_id)] < DEPTH[self.wanted(call_id)]

    def put(self, message: Message) -> None:
        """Owe it a message, or count it as skipped."""
        if self.skipped or len(self.outbox) >= self.limit:
            self.skipped += len(self.outbox) + 1
            self.outbox.clear()
        else:
            self.outbox.append(message)
        self.wake()
