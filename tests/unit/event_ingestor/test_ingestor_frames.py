from __future__ import annotations

import pytest

from services.chassis.errors import Poison
from services.event_ingestor.domain.frames import (
    Beat,
    ConnectionDetails,
    GatewayError,
    Notification,
    Reply,
    Wsc,
    parse,
)

WSC = '"wsc":{"token":"A","sequence":7}'


def test_a_notification_keeps_the_bytes_that_came():
    body = '{"uuid":"1",  "futureField":{"x":1.50},"body":{}}'
    frame = parse('[{"type":"ServerNotification","messageId":"1","status":200,' + WSC + "}, " + body + " ]")
    assert frame == Notification(raw=body.encode(), wsc=Wsc(token="A", sequence=7))


@pytest.mark.parametrize(
    ("state", "recovered"),
    [("", None), (',"recoveryState":"Successful"', True), (',"recoveryState":"Failed","recoveryErrorCode":"x"', False)],
)
def test_connection_details(state: str, recovered: bool | None):
    text = (
        '[{"type":"ConnectionDetails","messageId":"c","status":200,' + WSC + "},"
        '{"recoveryBufferSize":50,"recoveryTimeout":90,"absoluteTimeout":3600' + state + "}]"
    )
    assert parse(text) == ConnectionDetails(
        status=200,
        wsc=Wsc(token="A", sequence=7),
        recovered=recovered,
        recovery_ms=90_000,
        recovery_buffer=50,
        absolute_ms=3_600_000,
    )


def test_a_subscription_reply_tells_what_is_covered_and_disabled():
    text = """[{"type":"ClientRequest","messageId":"m1","status":200},
      {"eventFilters":["/restapi/v1.0/account/9/extension/301/telephony/sessions"],
       "disabledFilters":[{"filter":"/restapi/v1.0/account/9/extension/302/telephony/sessions","reason":"SUB-412"}]}]"""
    assert parse(text) == Reply(
        message_id="m1", status=200, wsc=None, covered=frozenset({"301"}), disabled=(("302", "SUB-412"),)
    )


@pytest.mark.parametrize("header", ["Retry-After", "retry-after"])
def test_a_refused_request_tells_its_code_and_when_to_ask_again(header: str):
    text = (
        '[{"type":"ClientRequest","messageId":"m1","status":429,"headers":{"' + header + '":"40"}},'
        '{"errors":[{"errorCode":"CMN-301"}]}]'
    )
    frame = parse(text)
    assert isinstance(frame, Reply)
    assert (frame.status, frame.error_code, frame.retry_after_ms) == (429, "CMN-301", 40_000)


def test_heartbeats_errors_and_unknown_types():
    assert parse('[{"type":"Heartbeat","messageId":"h"}]') == Beat(wsc=None)
    assert parse('[{"type":"Novelty"}, 5]') == Beat(wsc=None)
    assert parse('[{"type":"Error","status":403},{"errorCode":"WSG-903"}]') == GatewayError(code="WSG-903", wsc=None)


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", "[5]", '[{"type":5}]', '[{"type":"ServerNotification"}]'])
def test_what_is_no_frame_is_poison(text: str):
    with pytest.raises(Poison) as caught:
        parse(text)
    assert caught.value.reason == "bad_frame"
