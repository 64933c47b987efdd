"""Presence events with detailed telephony state: what they carry, in which order, to whom."""

from __future__ import annotations

ANN = "/restapi/v1.0/account/~/extension/700200301/presence"
DETAILED = f"{ANN}?detailedTelephonyState=true"


async def test_a_call_as_presence_tells_it(lab):
    heard = lab.hear(DETAILED)
    call_id = await lab.dial(duration_ms=2000, start_audio="answered", holds=[(500, 900)])
    await lab.clock.advance(6)
    bodies = [message["body"] for message in heard]
    assert [body["telephonyStatus"] for body in bodies] == [
        "Ringing", "Ringing", "CallConnected", "OnHold", "CallConnected", "NoCall",
    ]  # fmt: skip
    assert [body["sequence"] for body in bodies] == [1, 2, 3, 4, 5, 6]
    assert [body["totalActiveCalls"] for body in bodies] == [1, 1, 1, 1, 1, 0]
    [call] = bodies[2]["activeCalls"]
    assert (call["telephonySessionId"], call["partyId"]) == (call_id, call_id.replace("s-", "p-") + "-2")
    assert (call["direction"], call["telephonyStatus"], "sipData" in call) == ("Inbound", "CallConnected", False)
    [over] = bodies[-1]["activeCalls"]
    assert (over["telephonyStatus"], over["terminationType"]) == ("NoCall", "final")
    assert heard[0]["event"] == DETAILED.replace("~", "700200001", 1)
    assert len({message["uuid"] for message in heard}) == len(heard)


async def test_without_detail_no_call_is_named_and_sip_data_is_detail(lab):
    plain, with_sip = lab.hear(ANN), lab.hear(f"{ANN}?sipData=true")
    await lab.dial(duration_ms=1000, start_audio="answered")
    await lab.clock.advance(3)
    assert "activeCalls" not in plain[0]["body"]
    assert set(with_sip[0]["body"]["activeCalls"][0]["sipData"]) == {"toTag", "fromTag"}


async def test_two_calls_of_one_extension_stand_in_one_notification(lab):
    heard = lab.hear(DETAILED)
    first = await lab.dial(duration_ms=30_000, start_audio="answered")
    second = await lab.dial(duration_ms=30_000, start_audio="answered")
    await lab.clock.advance(3)
    last = heard[-1]["body"]
    assert [call["telephonySessionId"] for call in last["activeCalls"]] == [second, first]
    assert last["totalActiveCalls"] == 2


async def test_others_calls_and_session_filters_stay_apart(lab):
    presence, sessions = lab.hear(DETAILED), lab.hear("/restapi/v1.0/account/~/extension/700200302/telephony/sessions")
    await lab.dial(agent="700200302", duration_ms=1000, start_audio="answered")
    await lab.clock.advance(3)
    assert presence == []
    assert {message["event"].rsplit("/", 1)[1] for message in sessions} == {"sessions"}


async def test_the_app_needs_a_permission_of_its_own(make_lab):
    lab = await make_lab(app_permissions="CallControl SubscriptionWebhook")
    token = await lab.login()
    delivery = {"transportType": "WebHook", "address": "https://hook.example/a"}
    sessions = DETAILED.replace("presence?detailedTelephonyState=true", "telephony/sessions")
    body = {"eventFilters": [DETAILED, sessions], "deliveryMode": delivery}
    reply = await lab.call("POST", "/subscription", token, body)
    assert [d["reason"] for d in reply.json()["disabledFilters"]] == ["SUB-412"]
