"""The board: what is known of each recent call, kept as screens want it.

Of everything that is told more than once (an utterance's revisions, a call's state, feedback on a suggestion) the
newest stays; what is older or a mere repetition changes nothing. A snapshot holds the newest of all with the cursor
that says so; the updates after it are the whole, with nothing missing and nothing twice. For a screen that comes back
with an older cursor, `since` finds what it has missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from services.assist_gateway.domain.reach import Cursor, Place, Reach

Kind = Literal[
    "state", "lifecycle", "utterance", "transcript_leg", "suggestion", "feedback", "insight", "alert", "summary",
    "recording", "supervision", "leg",
]  # fmt: skip
Detail = Literal["overview", "full"]
ITEMS_A_KIND = 5_000
FORGOTTEN_CALL_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Something told of a call. `record` is its JSON.

    `rank` orders what is told of the same item: the higher replaces the lower, and of equal ones the later; what is
    `final` is replaced by nothing. `overview` names the place it takes in the overview, where the newest of each name
    stays; empty: it is shown in full only. `at_ms` is when it was told (wall clock). `agent_extension_id` is None where
    the record says nothing of it; `agent_at_ms` is when that was so. `ended` says that the call is over.
    """

    kind: Kind
    call_id: str
    item_id: str
    record: bytes
    at_ms: int
    place: Place
    rank: tuple[int, int] = (0, 0)
    final: bool = False
    overview: str = ""
    agent_extension_id: str | None = None
    agent_at_ms: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What an update did: whether screens see a change, and whether the call is new or has another agent."""

    changed: bool
    reassigned: bool


@dataclass(slots=True)
class CallSnapshot:
    """A call at one moment: the records of each kind that `detail` allows. `wire` is the encoder's to fill."""

    call_id: str
    detail: Detail
    agent_extension_id: str
    records: dict[Kind, tuple[bytes, ...]]
    wire: bytes | None = field(default=None, compare=False)


@dataclass(slots=True)
class Call:
    """What is known of a call. `thin`: over for so long that only the overview is kept."""

    call_id: str
    partition: int
    items: dict[Kind, dict[str, tuple[int, Update]]] = field(default_factory=dict)
    overview: dict[str, Update] = field(default_factory=dict)
    agent_extension_id: str = ""
    agent_at_ms: int = -1
    ended: bool = False
    thin: bool = False
    last_at_ms: int = 0
    snapshots: dict[Detail, CallSnapshot] = field(default_factory=dict)

    def records(self, kind: Kind) -> tuple[bytes, ...]:
        """The items of a kind, in the order they first came."""
        return tuple(update.record for _, update in self.items.get(kind, {}).values())

    def glance(self, kind: Kind) -> tuple[bytes, ...]:
        """What the overview holds of a kind."""
        return tuple(update.record for update in self.overview.values() if update.kind == kind)

    def snapshot(self, detail: Detail) -> CallSnapshot:
        """The call as it is now; the same object until something changes."""
        made = self.snapshots.get(detail)
        if made is None:
            kinds = self.items if detail == "full" else dict.fromkeys(u.kind for u in self.overview.values())
            records = {kind: self.records(kind) if detail == "full" else self.glance(kind) for kind in kinds}
            made = self.snapshots[detail] = CallSnapshot(self.call_id, detail, self.agent_extension_id, records)
        return made


class CallBoard:
    """All recent calls. Not thread-safe."""

    def __init__(self) -> None:
        self.reach = Reach()
        self._calls: dict[str, Call] = {}
        self._suggestions: dict[str, str] = {}
        self._count = 0

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

    def take(self, update: Update) -> Taken:
        """Take in an update."""
        self.reach.advance(update.place.lane, update.place.offset)
        call = self._calls.get(update.call_id)
        reassigned = call is None
        if call is None:
            call = self._calls[update.call_id] = Call(update.call_id, update.place.lane[1])
        call.last_at_ms = max(call.last_at_ms, update.at_ms)
        call.ended = call.ended or update.ended
        if update.agent_extension_id and update.agent_at_ms >= call.agent_at_ms:
            reassigned = reassigned or call.agent_extension_id != update.agent_extension_id
            call.agent_extension_id = update.agent_extension_id
            call.agent_at_ms = update.agent_at_ms
        changed = not (call.thin and not update.overview) and self._keep(call, update)
        if changed or reassigned:
            call.snapshots.clear()
        return Taken(changed, reassigned)

    def _keep(self, call: Call, update: Update) -> bool:
        items = call.items.setdefault(update.kind, {})
        held = items.get(update.item_id)
        if held is not None and not _replaces(update, held[1]):
            return False
        self._count += 1
        items[update.item_id] = (self._count, update)
        if update.overview:
            shown = call.overview.get(update.overview)
            if shown is None or update.rank >= shown.rank:
                call.overview[update.overview] = update
        if update.kind == "suggestion":
            self._suggestions[update.item_id] = update.call_id
        if len(items) > ITEMS_A_KIND:
            oldest = next(iter(items))
            del items[oldest]
            self._suggestions.pop(oldest, None)
        return True

    def remove(self, kind: Kind, call_id: str) -> None:
        """Forget what a tombstone withdraws; a call's state then counts as ended."""
        call = self._calls.get(call_id)
        if call is not None:
            call.items.pop(kind, None)
            call.overview = {name: update for name, update in call.overview.items() if update.kind != kind}
            call.snapshots.clear()
            call.ended = call.ended or kind == "state"

    def age(self, *, thin_before_ms: int, ended_before_ms: int, silent_before_ms: int) -> list[str]:
        """Keep only the overview of calls that ended a while ago, drop those that ended, or of which nothing was
        heard, too long ago; the ids of both.
        """
        aged = []
        for call in list(self._calls.values()):
            old = call.last_at_ms < (ended_before_ms if call.ended else silent_before_ms)
            if not old and (call.thin or not call.ended or call.last_at_ms >= thin_before_ms):
                continue
            for suggestion_id in call.items.get("suggestion", {}):
                self._suggestions.pop(suggestion_id, None)
            if old:
                del self._calls[call.call_id]
            else:
                self._thin(call)
            aged.append(call.call_id)
        return aged

    @staticmethod
    def _thin(call: Call) -> None:
        call.thin = True
        call.items.clear()
        call.snapshots.clear()
        for update in call.overview.values():
            call.items.setdefault(update.kind, {})[update.item_id] = (0, update)

    def since(self, cursor: Cursor, call_id: str, detail: Detail) -> list[tuple[int, Update]]:
        """What was told of a call behind the cursor, of each item the newest, with numbers that put it in order."""
        call = self._calls.get(call_id)
        if call is None:
            return []
        shown = {id(update) for update in call.overview.values()}
        return [
            (number, update)
            for items in call.items.values()
            for number, update in items.values()
            if update.place.offset > cursor.get(update.place.lane, -1) and (detail == "full" or id(update) in shown)
        ]


def _replaces(new: Update, old: Update) -> bool:
    if old.final:
        return False
    return new.rank > old.rank or (new.rank == old.rank and new.record != old.record)
