from __future__ import annotations

from datetime import UTC, datetime

import pytest

from services.chassis.errors import Poison
from services.chassis.records import cloud_event_headers, decode, header
from services.contracts import topics


@pytest.mark.parametrize(
    ("value", "reason"),
    [(None, "empty_value"), (b"", "empty_value"), (b"{", "bad_json"), (b"\xff\xfe", "bad_json"), (b"[]", "bad_record")],
)
def test_what_is_no_record_is_poison_with_a_reason(value: bytes | None, reason: str) -> None:
    with pytest.raises(Poison) as caught:
        decode(topics.MEDIA_DEVICES, value)
    assert caught.value.reason == reason


def test_unknown_enum_values_are_named_by_place_and_not_by_content() -> None:
    value = b'{"call_id":"s-1","leg_id":"l","status":"4111 1111 1111 1111","at":"2026-03-02T15:00:00Z"}'
    with pytest.raises(Poison) as caught:
        decode(topics.TRANSCRIPTS_LEGS, value)
    assert caught.value.reason == "bad_record"
    assert "status" in caught.value.detail
    assert "4111" not in str(caught.value)


def test_times_need_a_zone() -> None:
    value = b'{"call_id":"s-1","leg_id":"l","status":"complete","at":"2026-03-02T15:00:00"}'
    with pytest.raises(Poison):
        decode(topics.TRANSCRIPTS_LEGS, value)


def test_a_calls_records_share_a_trace() -> None:
    at = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
    headers = [cloud_event_headers(topics.CALLS_STATE, source="x", event_id=i, at=at, key="s-1") for i in ("a", "b")]
    traces = {str(header(h, "traceparent")).split("-")[1] for h in headers}
    spans = {str(header(h, "traceparent")).split("-")[2] for h in headers}
    assert len(traces) == 1
    assert len(spans) == 2
    assert header(headers[0], "ce_type") == "earshot.calls.state.v1"
