from __future__ import annotations

from typing import Any

from services.assist_gateway.domain.board import CallBoard, Update


def update(kind: str = "utterance", item: str = "u1", record: bytes = b"{}", **facts: Any) -> Update:
    fields: dict[str, Any] = {"kind": kind, "call_id": "c1", "item_id": item, "record": record, "at_ms": 0}
    return Update(**(fields | facts))


def utterances(board: CallBoard, call_id: str = "c1") -> tuple[bytes, ...]:
    return board.snapshot(call_id, "full").records.get("utterance", ())


def test_newest_revision_stays_in_the_place_of_the_first() -> None:
    board = CallBoard()
    assert board.take(update(record=b"a0", rank=(0, 0)))
    assert board.take(update(item="u2", record=b"b0", rank=(0, 0)))
    assert board.take(update(record=b"a1", rank=(0, 1)))
    assert not board.take(update(record=b"a0", rank=(0, 0)))
    assert utterances(board) == (b"a1", b"b0")


def test_final_is_never_changed_by_late_partials_nor_other_finals() -> None:
    board = CallBoard()
    board.take(update(record=b"final", rank=(1, 0), final=True))
    assert not board.take(update(record=b"late", rank=(0, 99)))
    assert not board.take(update(record=b"other", rank=(1, 0), final=True))
    assert utterances(board) == (b"final",)


def test_cursor_counts_only_what_changed() -> None:
    board = CallBoard()
    board.take(update())
    board.take(update())
    assert board.cursor == 1


def test_of_two_states_of_the_same_moment_the_later_stays() -> None:
    board = CallBoard()
    board.take(update("state", "", b"1", rank=(0, 5)))
    assert board.take(update("state", "", b"2", rank=(0, 5)))
    assert board.snapshot("c1", "overview").records["state"] == (b"2",)


def test_newest_known_agent_counts_and_is_not_unlearned() -> None:
    board = CallBoard()
    board.take(update("state", "", b"1", rank=(0, 5), agent_extension_id="new", agent_at_ms=5))
    board.take(update("lifecycle", "e1", b"2", agent_extension_id="old", agent_at_ms=1))
    board.take(update("lifecycle", "e2", b"3", agent_at_ms=9))
    assert board.snapshot("c1", "full").agent_extension_id == "new"


def test_overview_holds_nothing_that_was_said() -> None:
    board = CallBoard()
    for kind in ("utterance", "suggestion", "insight", "lifecycle", "state", "alert", "summary", "recording", "leg"):
        board.take(update(kind, "x", kind.encode()))
    assert set(board.snapshot("c1", "overview").records) == {"state", "alert", "summary", "recording"}


def test_calls_are_forgotten_after_their_end_and_silent_ones_later() -> None:
    board = CallBoard()
    board.take(update("suggestion", "s1", call_id="over", at_ms=100, ended=True))
    board.take(update(call_id="live", at_ms=100))
    board.take(update(call_id="just-over", at_ms=900, ended=True))
    assert board.forget_before(ended_before_ms=500, silent_before_ms=50) == ["over"]
    assert {call.call_id for call in board} == {"live", "just-over"}
    assert board.call_of_suggestion("s1") is None
    assert board.forget_before(ended_before_ms=500, silent_before_ms=500) == ["live"]


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
    assert board.snapshot("c1", "full").records == {"state": (b"1",)}
