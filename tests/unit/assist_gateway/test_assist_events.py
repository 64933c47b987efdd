"""Server-sent events: the word in their `id` lines brings a reader back to where it was."""

from __future__ import annotations

import json

import pytest

from services.assist_gateway.adapters.events import CALLS_IN_A_WORD, Place
from services.assist_gateway.adapters.requests import cursor_from, read_word, word_of
from services.assist_gateway.domain.board import Update
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.session import Changed, Gone, Missed, Resumed, Session
from tests.unit.assist_gateway.floor_screens import ADMIN, Notes, Topics


def tell(floor: Floor, places: Topics, item: str) -> None:
    floor.take(places.update("c0", "utterance", item, b"{}", 0, {}))


def ids(lines: list[bytes]) -> list[str]:
    return [line.split(b"\n")[1].removeprefix(b"id: ").decode() for line in lines]


def changed(floor: Floor, item: str) -> Changed:
    call = floor.board.call("c0")
    assert call is not None
    update: Update = call.items["utterance"][item][1]
    return Changed(update)


def test_words_are_safe_in_headers_and_read_back_whatever_a_call_is_called() -> None:
    cursor, held = {"tf3": 1042, "st0": -1}, {"s-1": "full", "a b\n~_.é": "overview"}
    word = word_of(cursor, held)  # type: ignore[arg-type]
    assert word.isascii()
    assert word.isprintable()
    assert " " not in word
    assert read_word(word) == (cursor, held)
    assert read_word("") == ({}, {})


@pytest.mark.parametrize("word", ["x", "tf3", "tf3.x~", "~z.00", "~f.zz", "tf3.1~f.ff", "~f.0"])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        read_word(word)


def test_each_event_has_the_place_after_it() -> None:
    floor, place, places = Floor(Notes()), Place(), Topics()
    tell(floor, places, "u0")
    session = Session(viewer=ADMIN, limit=10, wake=lambda: None)
    floor.open(session)
    floor.watch_all(session, "full")
    tell(floor, places, "u1")
    lines = [line for message in floor.next_messages(session) for line in place.lines(message)]
    assert [line.split(b"\n")[0] for line in lines] == [b"event: snapshot", b"event: utterance"]
    assert [read_word(word) for word in ids(lines)] == [
        ({"utterance0": 0}, {"c0": "full"}), ({"utterance0": 1}, {"c0": "full"}),
    ]  # fmt: skip
    assert cursor_from(read_word(ids(lines)[1])[0]) == floor.board.reach.cursor()
    assert json.loads(lines[1].split(b"data: ")[1])["call_id"] == "c0"


def test_what_was_missed_comes_one_by_one_and_what_is_gone_is_held_no_more() -> None:
    floor, place, places = Floor(Notes()), Place(), Topics()
    tell(floor, places, "u0")
    tell(floor, places, "u1")
    place.resume({"utterance0": -1}, {"c0": "full", "c1": "full"})
    told = [Gone(call_id="c1"), Missed(changes=(changed(floor, "u0"), changed(floor, "u1"))),
            Resumed(cursor={("utterance", 0): 5})]  # fmt: skip
    lines = [line for message in told for line in place.lines(message)]
    assert [read_word(word)[0]["utterance0"] for word in ids(lines)] == [-1, 0, 1, 5]
    assert read_word(ids(lines)[-1])[1] == {"c0": "full"}


def test_a_reader_of_very_many_calls_begins_anew() -> None:
    place = Place()
    place.resume({"tf0": 1}, {f"s-{number}": "overview" for number in range(CALLS_IN_A_WORD + 1)})
    assert ids(list(place.lines(Resumed(cursor={("tf", 0): 2})))) == [""]
