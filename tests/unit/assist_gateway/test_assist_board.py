from __future__ import annotations

import itertools
from typing import Any

from services.assist_gateway.domain.board import CallBoard, CallSnapshot, Detail, Update
from services.assist_gateway.domain.reach import Place

OFFSETS = itertools.count()


def update(kind: str = "utterance", item: str = "u1", record: bytes = b"{}", **facts: Any) -> Update:
    place = Place((kind, 0), next(OFFSETS))
    fields: dict[str, Any] = {"kind": kind, "call_id": "c1", "item_id": item, "record": record, "at_ms": 0}
    return Update(**(fields | {"place": place} | facts))


def snapshot(board: CallBoard, detail: Detail = "full", call_id: str = "c1") -> CallSnapshot:
    call = board.call(call_id)
    assert call is not None
    return call.snapshot(detail)


def utterances(board: CallBoard, call_id: str = "c1") -> tuple[bytes, ...]:
    return snapshot(board, "full", call_id).records.get("utterance", ())


def test_newest_revision_stays_in_the_place_of_the_first() -> None:
    board = CallBoard()
    assert board.take(update(record=b"a0", rank=(0, 0))).changed
    assert board.take(update(item="u2", record=b"b0", rank=(0, 0))).changed
    assert board.take(update(record=b"a1", rank=(0, 1))).changed
    assert not board.take(update(record=b"a0", rank=(0, 0))).changed
    assert utterances(board) == (b"a1", b"b0")


def test_final_is_never_changed_by_late_partials_nor_other_finals() -> None:
    board = CallBoard()
    board.take(update(record=b"final", rank=(1, 0), final=True))
    assert not board.take(update(record=b"late", rank=(0, 99))).changed
    assert not board.take(update(record=b"other", rank=(1, 0), final=True)).changed
    assert utterances(board) == (b"final",)


def test_what_changes_nothing_still_moves_the_cursor() -> None:
    board = CallBoard()
    board.take(update(place=Place(("uf", 3), 7)))
    assert not board.take(update(place=Place(("uf", 3), 8))).changed
    assert board.reach.cursor() == {("uf", 3): 8}


def test_a_snapshot_is_made_once_for_all_until_something_changes() -> None:
    board = CallBoard()
    board.take(update(record=b"a"))
    assert snapshot(board) is snapshot(board)
    before = snapshot(board)
    board.take(update(item="u2", record=b"b"))
    assert (before.records["utterance"], snapshot(board).records["utterance"]) == ((b"a",), (b"a", b"b"))


def test_of_two_states_of_the_same_moment_the_later_stays() -> None:
    board = CallBoard()
    board.take(update("state", "", b"1", rank=(0, 5)))
    assert board.take(update("state", "", b"2", rank=(0, 5), overview="state")).changed
    assert snapshot(board, "overview").records["state"] == (b"2",)


def test_newest_known_agent_counts_and_is_not_unlearned() -> None:
    board = CallBoard()
    board.take(update("state", "", b"1", rank=(0, 5), agent_extension_id="new", agent_at_ms=5))
    board.take(update("lifecycle", "e1", b"2", agent_extension_id="old", agent_at_ms=1))
    board.take(update("lifecycle", "e2", b"3", agent_at_ms=9))
    assert snapshot(board).agent_extension_id == "new"


def test_overview_holds_the_newest_of_each_place_and_nothing_else() -> None:
    board = CallBoard()
    for kind in ("utterance", "suggestion", "lifecycle", "leg"):
        board.take(update(kind, "x", kind.encode()))
    board.take(update("state", "", b"state", overview="state"))
    for number, place in enumerate(["sentiment/customer", "sentiment/agent", "sentiment/customer"]):
        board.take(update("insight", f"i{number}", f"{number}".encode(), rank=(0, number), overview=place))
    board.take(update("insight", "late", b"late", rank=(0, 0), overview="sentiment/customer"))
    assert snapshot(board, "overview").records == {"state": (b"state",), "insight": (b"2", b"1")}
    assert len(snapshot(board, "full").records["insight"]) == 4


def test_calls_are_thinned_then_forgotten_after_their_end_and_silent_ones_later() -> None:
    board = CallBoard()
    board.take(update("suggestion", "s1", call_id="over", at_ms=100))
    board.take(update("summary", "", call_id="over", at_ms=100, ended=True, overview="summary"))
    board.take(update(call_id="live", at_ms=100))
    board.take(update(call_id="just-over", at_ms=900, ended=True))
    assert board.age(thin_before_ms=500, ended_before_ms=50, silent_before_ms=50) == ["over"]
    assert board.call_of_suggestion("s1") is None
    assert snapshot(board, call_id="over").records == {"summary": (b"{}",)}
    assert not board.take(update(call_id="over", at_ms=101)).changed
    assert board.age(thin_before_ms=500, ended_before_ms=50, silent_before_ms=50) == []
    assert board.age(thin_before_ms=500, ended_before_ms=500, silent_before_ms=50) == ["over"]
    assert {call.call_id for call in board} == {"live", "just-over"}
    assert board.age(thin_before_ms=500, ended_before_ms=500, silent_before_ms=500) == ["live"]


def test_a_call_holds_a_bounded_number_of_items() -> None:
    board = CallBoard()
    for number in range(5_001):
        board.take(update(item=f"u{number}", record=str(number).encode()))
    assert len(utterances(board)) == 5_000
    assert utterances(board)[0] == b"1"


def test_removed_kinds_are_gone_from_snapshots() -> None:
    board = CallBoard()
    board.take(update("summary", "", b"s"))
    board.take(update("state", "", b"1"))
    board.remove("summary", "c1")
    board.remove("state", "unknown")
    assert snapshot(board).records == {"state": (b"1",)}
