"""The board: what is known of each recent call, kept as screens want it.

Of everything that is told more than once (an utterance's revisions, a call's state, feedback on a suggestion) the
newest stays; what is older or a mere repetition changes nothing. Every accepted update moves the cursor by one,
so a snapshot taken at cursor N and the updates after N are the whole, with nothing missing and nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "state", "lifecycle", "utterance", "transcript_leg", "suggestion", "feedback", "insight", "alert", "summary",
    "recording", "supervision", "leg",
]  # fmt: skip
Detail = Literal["overview", "full"]
OVERVIEW: frozenset[Kind] = frozenset({"state", "alert", "summary", "recording"})
"""What of a call is shown to those who see many: nothing that was said word by word."""
ITEMS_A_KIND = 5_000
FORGOTTEN_CALL_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Something told of a call. `record` is its JSON.

    `rank` orders what is told of the same item: the higher replaces the lower, and of equal ones the later unless
    `final`. `at_ms` is when it was told (wall clock). `agent_extension_id` is None where the record says nothing
    of it; `agent_at_ms` is when that was so. `ended` says that the call is over.
    """

    kind: Kind
    call_id: str
    item_id: str
    record: bytes
    at_ms: int
    rank: tuple[int, int] = (0, 0)
    final: bool = False
    agent_extension_id: str | None = None
    agent_at_ms: int = 0
    ended: bool = False


@dataclass(slots=True)
class Call:
    """What is known of a call."""

    call_id: str
    items: dict[Kind, dict[str, Update]] = field(default_factory=dict)
    agent_extension_id: str = ""
    agent_at_ms: int = -1
    ended: bool = False
    last_at_ms: int = 0

    def records(self, kind: Kind) -> tuple[bytes, ...]:
        """The items of a kind, in the order they first came."""
        return tuple(item.record for item in self.items.get(kind, {}).values())


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSnapshot:
    """A call at one moment: the records of each kind that `detail` allows."""

    call_id: str
    detail: Detail
    agent_extension_id: str
    records: dict[Kind, tuple[bytes, ...]]


class CallBoard:
    """All recent calls. Not thread-safe."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._suggestions: dict[str, str] = {}
        self.cursor = 0

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls.values())

    def call(self, call_id: str) -> Call | None:
        """The call, if it is known."""
        return self._calls.get(call_id)

    def call_of_suggestion(self, suggestion_id: str) -> str | None:
        """The call that a suggestion belongs to, if it is known."""
        return self._suggestions.get(suggestion_id)

    def take(self, update: Update) -> bool:
        """Take in an update; whether anything changed for screens."""
        call = self._calls.get(update.call_id)
        if call is None:
            call = self._calls[update.call_id] = Call(update.call_id)
        call.last_at_ms = max(call.last_at_ms, update.at_ms)
        call.ended = call.ended or update.ended
        if update.agent_extension_id and update.agent_at_ms >= call.agent_at_ms:
            call.agent_extension_id = update.agent_extension_id
            call.agent_at_ms = update.agent_at_ms
        items = call.items.setdefault(update.kind, {})
        if not _replaces(update, items.get(update.item_id)):
            return False
        items[update.item_id] = update
        if update.kind == "suggestion":
            self._suggestions[update.item_id] = update.call_id
        if len(items) > ITEMS_A_KIND:
            oldest = next(iter(items))
            del items[oldest]
            self._suggestions.pop(oldest, None)
        self.cursor += 1
        return True

    def remove(self, kind: Kind, call_id: str) -> None:
        """Forget what a tombstone withdraws; a call's state then counts as ended."""
        call = self._calls.get(call_id)
        if call is not None:
            call.items.pop(kind, None)
            call.ended = call.ended or kind == "state"

    def forget_before(self, *, ended_before_ms: int, silent_before_ms: int) -> list[str]:
        """Drop calls that ended, or of which nothing was heard, too long ago; their ids."""
        old = [
            call.call_id
            for call in self._calls.values()
            if call.last_at_ms < (ended_before_ms if call.ended else silent_before_ms)
        ]
        for call_id in old:
            for suggestion_id in self._calls.pop(call_id).items.get("suggestion", {}):
                self._suggestions.pop(suggestion_id, None)
        return old

    def snapshot(self, call_id: str, detail: Detail) -> CallSnapshot:
        """The call as of the cursor; empty when it is not known."""
        call = self._calls.get(call_id) or Call(call_id)
        records = {kind: call.records(kind) for kind in call.items if detail == "full" or kind in OVERVIEW}
        return CallSnapshot(call_id=call_id, detail=detail, agent_extension_id=call.agent_extension_id, records=records)


def _replaces(new: Update, old: Update | None) -> bool:
    if old is None or new.rank > old.rank:
        return True
    return new.rank == old.rank and not old.final and new.record != old.record
