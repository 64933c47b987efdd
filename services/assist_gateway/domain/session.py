"""A screen's session: what it asked for, what it has been shown, what it is still owed.

The outbox is bounded. When a slow screen lets it fill up, everything in it is dropped and counted; once the screen
takes messages again, it is told how many it missed and given a fresh snapshot, which holds the newest of all.

Insights change with every sentence; a screen with many calls is given them together, now and then, and of those that
replace each other only the newest. What is held back for that is let go before any cursor that lies behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.board import CallSnapshot, Detail, Update
from services.assist_gateway.domain.reach import Lane


@dataclass(slots=True, eq=False)
class Shared:
    """A message that many screens are sent alike; `wire` is the encoder's to fill, once for all."""

    wire: bytes | None = field(default=None, init=False)


@dataclass(slots=True, eq=False)
class Agent(Shared):
    """Whose call it is."""

    extension_id: str
    name: str = ""
    extension_number: str = ""


@dataclass(slots=True, eq=False)
class Changed(Shared):
    """One update. `agent` comes with a state."""

    update: Update
    agent: Agent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Calls as of the cursor, each with its agent. `complete`: what the screen has and is not in here is gone."""

    cursor: dict[Lane, int]
    calls: tuple[tuple[CallSnapshot, Agent], ...]
    complete: bool
    call_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """What a screen that came back was not sent, in order."""

    changes: tuple[Changed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The screen is up to date, as of the cursor."""

    cursor: dict[Lane, int]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Audio of a call follows under the number `stream`."""

    call_id: str
    stream: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenEnded:
    """No more audio of it; `reason` is stopped, replaced, call_ended, not_permitted or unavailable."""

    call_id: str
    stream: int
    reason: str


Message = Snapshot | Changed | Missed | Resumed | Gone | Skipped | Refused | Listening | ListenEnded
ANSWERS = (Refused, Listening, ListenEnded)
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
    held_back: dict[tuple[str, str], Changed] = field(default_factory=dict)
    skipped: int = 0

    def wanted(self, call_id: str) -> Detail | None:
        """How much of the call the screen asked for."""
        return "full" if call_id in self.calls else self.everything

    def lacks(self, call_id: str) -> bool:
        """Whether it asked for more of the call than a snapshot has given it."""
        return DEPTH[self.shown.get(call_id)] < DEPTH[self.wanted(call_id)]

    def put(self, message: Message) -> None:
        """Owe it a message, or count it as skipped. Answers to its own requests are not skipped."""
        if self.held_back and isinstance(message, Snapshot | Resumed):
            self._let_go_before(message)
        outbox = self.outbox
        if self.skipped:
            if not isinstance(message, ANSWERS):
                self.skipped += 1
            elif len(outbox) < self.limit:
                outbox.append(message)
            return
        if len(outbox) >= self.limit:
            kept = [waiting for waiting in outbox if isinstance(waiting, ANSWERS)]
            self.skipped = len(outbox) - len(kept) + 1
            outbox.clear()
            outbox.extend(kept[: self.limit // 2])
        else:
            outbox.append(message)
            if len(outbox) > 1:  # it knows already
                return
        self.wake()

    def hold_back(self, item: str, changed: Changed) -> bool:
        """Keep an update for a moment, instead of an older one of the same item; whether it is the first kept."""
        key = (changed.update.call_id, item)
        first = not self.held_back
        self.held_back.pop(key, None)
        self.held_back[key] = changed
        return first

    def let_go(self) -> None:
        """Owe it what was held back, in the order in which it was told."""
        held = list(self.held_back.values())
        self.held_back.clear()
        for changed in held:
            self.put(changed)

    def forget(self, call_id: str) -> None:
        """Nothing more of a call."""
        for key in [key for key in self.held_back if key[0] == call_id]:
            del self.held_back[key]

    def _let_go_before(self, message: Snapshot | Resumed) -> None:
        """A cursor never gets ahead of what is held back."""
        if isinstance(message, Snapshot) and message.complete:
            self.held_back.clear()
        else:
            self.let_go()

    def take(self) -> list[Message]:
        """What it is owed; it is owed that no more."""
        owed = list(self.outbox)
        self.outbox.clear()
        return owed
