from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.chassis.errors import Fatal, Poison
from services.chassis.publisher import DeadLetterLimit, Origin, dead_letter_headers
from services.chassis.records import header
from services.chassis.testing.fake_clock import FakeClock


def test_a_dead_letter_says_where_it_came_from_and_why() -> None:
    origin = Origin(
        topic="earshot.alerts.v1", partition=3, offset=41, key=b"s-1", value=b"{", headers=(("ce_id", b"x"),)
    )
    at = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    headers = dead_letter_headers(origin, Poison("bad_json", "no object"), service="insights", at=at)
    told = {name: header(headers, name) for name in ("dlq_id", "dlq_reason", "dlq_service", "dlq_at", "ce_id")}
    assert told == {
        "dlq_id": "earshot.alerts.v1/3/41",
        "dlq_reason": "bad_json",
        "dlq_service": "insights",
        "dlq_at": "2026-03-02T15:00:00.000Z",
        "ce_id": "x",
    }


def test_a_flood_of_dead_letters_stops_the_service_and_a_trickle_does_not() -> None:
    clock = FakeClock()
    limit = DeadLetterLimit(3, clock)
    for _ in range(10):
        limit.count()
        clock.advance_ms(25_000)
    clock.advance_ms(60_000)
    for _ in range(3):
        limit.count()
    with pytest.raises(Fatal, match="DEAD_LETTER_LIMIT=3"):
        limit.count()


def test_one_call_that_sends_nonsense_stops_nobody_and_many_do() -> None:
    limit = DeadLetterLimit(30, FakeClock())
    for _ in range(1_000):
        limit.count(b"s-1")
    for call in range(9):
        for _ in range(3):
            limit.count(f"s-{call + 2}".encode())
    with pytest.raises(Fatal, match="DEAD_LETTER_LIMIT=30"):
        limit.count(b"s-99")
