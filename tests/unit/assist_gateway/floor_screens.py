"""Screens as models, and topics that give records their places, for tests of the floor."""

from __future__ import annotations

from typing import Any

from services.assist_gateway.domain.access import Viewer
from services.assist_gateway.domain.board import Detail, Kind, Update
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.reach import Lane, Place
from services.assist_gateway.domain.session import (
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

ADMIN = Viewer(subject="root", role="admin")
ANN = Viewer(subject="ann", role="agent", extension_id="ann")
BOSS = Viewer(subject="boss", role="supervisor", extension_id="boss")


class Notes:
    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, str]] = []

    def watched(self, viewer: Viewer, call_id: str, detail: str) -> None:
        self.lines.append(("watched", viewer.subject, call_id, detail))

    def refused(self, viewer: Viewer, call_id: str, detail: str) -> None:
        self.lines.append(("refused", viewer.subject, call_id, detail))


class Screen:
    """Keeps what it is told, and a cursor, as PROTOCOL.md asks; fails when it is told something twice."""

    def __init__(self, floor: Floor, viewer: Viewer, limit: int = 1_000) -> None:
        self.viewer = viewer
        self.calls: dict[str, dict[str, bytes]] = {}
        self.details: dict[str, Detail] = {}
        self.cursor: dict[Lane, int] = {}
        self.skipped = self.snapshots = self.resumed = 0
        self.refused: list[str] = []
        self.connect(floor, limit)

    def connect(self, floor: Floor, limit: int = 1_000) -> None:
        self.floor = floor
        self.session = Session(viewer=self.viewer, limit=limit, wake=lambda: None)
        floor.open(self.session)

    def resume(self, floor: Floor, everything: Detail | None = "full", watch: tuple[str, ...] = ()) -> None:
        """Lose the connection and what was on its way; come back elsewhere."""
        self.floor.close(self.session)
        self.connect(floor, self.session.limit)
        floor.resume(self.session, self.cursor, self.details, everything, watch)

    def read(self, at_most: int | None = None) -> Screen:
        messages: list[Message] = []
        for message in self.floor.next_messages(self.session):
            messages += message.changes if isinstance(message, Missed) else [message]
        for message in messages[:at_most]:
            self._take(message)
        return self

    def _take(self, message: Message) -> None:
        match message:
            case Snapshot():
                self.snapshots += 1
                if message.complete:
                    self.calls.clear()
                    self.details.clear()
                    self.cursor.clear()
                self.cursor |= message.cursor
                for call, _ in message.calls:
                    self.details[call.call_id] = call.detail
                    self.calls[call.call_id] = {
                        f"{kind}/{_item(number, record)}": record
                        for kind, records in call.records.items()
                        for number, record in enumerate(records)
                    }
            case Changed(update=update):
                lane, offset = update.place.lane, update.place.offset
                assert offset > self.cursor.get(lane, -1), "told twice"
                self.cursor[lane] = offset
                self.calls[update.call_id][f"{update.kind}/{update.item_id}"] = update.record
            case Resumed():
                self.resumed += 1
                assert all(message.cursor[lane] >= offset for lane, offset in self.cursor.items())
                self.cursor = dict(message.cursor)
            case Gone():
                del self.calls[message.call_id]
                del self.details[message.call_id]
            case Skipped():
                self.skipped += message.count
            case Refused():
                self.refused.append(message.code)


def _item(number: int, record: bytes) -> str:
    """Records that look like `call/kind/item/…` name their item; of others the place in the list does."""
    parts = record.decode().split("/")
    return parts[2] if len(parts) > 3 else str(number)


PARTITIONS = 2


class Topics:
    """Gives records their places, as a broker does: one lane a kind and partition, a call always in the same."""

    def __init__(self) -> None:
        self.ends: dict[Lane, int] = {}

    def update(self, call_id: str, kind: Kind, item: str, record: bytes, rank: int, facts: dict[str, Any]) -> Update:
        lane = (kind, int(call_id[1:] or 0) % PARTITIONS)
        offset = self.ends.get(lane, 0)
        self.ends[lane] = offset + 1
        shown = {
            "insight": f"mood/{item[:1]}",
            "state": "state",
            "alert": f"alert/{item}",
            "summary": "summary",
            "recording": "recording",
        }
        return Update(
            kind=kind, call_id=call_id, item_id=item, record=record or item.encode(), at_ms=0, rank=(0, rank),
            place=Place(lane, offset), overview=shown.get(kind, ""), **facts,
        )  # fmt: skip


def shown(screen: Screen) -> dict[str, list[bytes]]:
    return {call_id: sorted(items.values()) for call_id, items in screen.calls.items()}


def true_of(floor: Floor, viewer: Viewer) -> dict[str, list[bytes]]:
    return {
        call.call_id: sorted(record for kind in call.items for record in call.records(kind))
        for call in floor.calls_for(viewer)
    }
