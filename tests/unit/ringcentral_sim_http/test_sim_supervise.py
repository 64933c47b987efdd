"""When supervision is granted, what it leaves behind, and the answers when it is not."""

from __future__ import annotations

import pytest


@pytest.fixture
async def talking(lab):
    """An answered call of a minute and a supervisor's token."""
    token = await lab.login()
    session = await lab.dial(duration_ms=60_000, start_audio="answered")
    await lab.clock.advance(2)
    return token, session, f"p-{session[2:]}"


def told(reply):
    error = reply.json()["errors"][0]
    return reply.status_code, error["errorCode"], error.get("parameterName")


async def test_a_supervisor_joins_as_a_new_party_that_events_show(lab, talking):
    token, session, party = talking
    heard = lab.hear()
    reply = await lab.supervise(token, session, f"{party}-1")
    assert reply.status_code == 201
    assert reply.json()["id"] == f"{party}-3"
    assert reply.json()["extensionId"] == "700200300"
    assert lab.sip.offers == []
    await lab.clock.advance(1)
    shown = heard[0]["body"]["parties"][0]
    assert (shown["id"], shown["status"]["reason"]) == (f"{party}-3", "Supervising")
    offer = lab.sip.offers[0]
    assert (offer.session_id, offer.monitored_party_id) == (session, f"{party}-1")
    assert (offer.supervisor_party_id, offer.device_id, offer.headers) == (f"{party}-3", "801000000001", "all")
    status = await lab.call("GET", f"/account/~/telephony/sessions/{session}", token)
    assert [p["id"] for p in status.json()["parties"]] == [f"{party}-{n}" for n in (1, 2, 3)]
    assert "sequence" not in status.json()
    assert status.json()["id"] == session


@pytest.mark.parametrize(
    ("change", "party", "expected"),
    [
        ({"mode": "Whisper"}, 1, (400, "CMN-101", "mode")),
        ({"supervisorDeviceId": "1"}, 1, (400, "CMN-101", "supervisorDeviceId")),
        ({"supervisorDeviceId": "801000000003"}, 1, (403, "TAS-106", None)),
        ({"agentExtensionId": "700200302"}, 1, (403, "CMN-101", "agentExtensionId")),
        ({}, 9, (404, "CMN-102", "partyId")),
    ],
)
async def test_refusals(lab, talking, change, party, expected):
    token, session, core = talking
    assert told(await lab.supervise(token, session, f"{core}-{party}", **change)) == expected
    assert lab.sip.offers == []


async def test_an_offline_device_is_refused(lab, talking):
    token, session, party = talking
    lab.sip.registered.clear()
    assert told(await lab.supervise(token, session, f"{party}-1"))[:2] == (403, "TAS-106")


async def test_a_caller_without_the_group_is_refused(lab, talking):
    token, session, party = talking
    lab.world.company.groups.clear()
    assert told(await lab.supervise(token, session, f"{party}-1"))[:2] == (403, "TAS-106")


async def test_an_unknown_session_and_one_that_is_over(lab, talking):
    token, session, _ = talking
    assert told(await lab.supervise(token, "s-none", "p-none-1")) == (404, "CMN-102", "telephonySessionId")
    await lab.http.post(f"/sim/calls/{session}/hangup")
    await lab.clock.advance(1)
    reply = await lab.call("GET", f"/account/~/telephony/sessions/{session}", token)
    assert told(reply) == (404, "CMN-102", "telephonySessionId")


async def test_the_same_party_twice_is_a_conflict_and_counted(lab, talking):
    token, session, party = talking
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201
    assert told(await lab.supervise(token, session, f"{party}-1"))[:2] == (409, "TAS-102")
    counters = (await lab.http.get("/sim/state")).json()["counters"]
    assert (counters["supervised_twice"], counters["supervise_accepted"]) == (1, 1)


async def test_one_supervisor_and_one_device_a_call(lab, talking):
    token, session, party = talking
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201
    other = await lab.login("sim-jwt-lead")
    refused = await lab.supervise(other, session, f"{party}-2", supervisorDeviceId="801000000003")
    assert told(refused)[:2] == (403, "TAS-106")
    second = await lab.supervise(token, session, f"{party}-2", supervisorDeviceId="801000000002")
    assert told(second)[:2] == (403, "TAS-106")


async def test_a_ringing_agent_cannot_be_supervised(lab):
    token = await lab.login()
    session = await lab.dial(duration_ms=5000)
    await lab.clock.advance(0.5)
    assert told(await lab.supervise(token, session, f"p-{session[2:]}-1"))[:2] == (409, "TAS-102")


async def test_three_participants_leave_only_the_session_call(lab):
    token = await lab.login()
    session = await lab.dial(duration_ms=60_000, flow="conference", flow_at_ms=0, start_audio="answered")
    await lab.clock.advance(3)
    assert told(await lab.supervise(token, session, f"p-{session[2:]}-1"))[:2] == (403, "TAS-106")
    mixed = await lab.supervise(token, session, None)
    assert mixed.status_code == 201
    await lab.clock.advance(1)
    assert lab.sip.offers[0].monitored_party_id is None
    assert (await lab.view(session))["legs"][0]["side"] == "mixed"


async def test_session_supervise_takes_the_extension_number(lab, talking):
    token, session, _ = talking
    path = f"/account/~/telephony/sessions/{session}/supervise"
    body = {"mode": "Listen", "supervisorDeviceId": "801000000001", "agentExtensionNumber": "108"}
    assert (await lab.call("POST", path, token, body)).status_code == 201


async def test_faults_of_the_invite(lab, talking):
    token, session, party = talking
    await lab.http.post("/sim/faults", json={"invite": "none"})
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201
    await lab.clock.advance(5)
    assert lab.sip.offers == []
    faults = {
        "invite": "before_reply",
        "monitoring_headers": "omitted",
        "late_offer": True,
        "two_media_lines": True,
    }
    await lab.http.post("/sim/faults", json=faults)
    assert (await lab.supervise(token, session, f"{party}-2")).status_code == 201
    offer = lab.sip.offers[0]
    assert (offer.headers, offer.late_offer, offer.two_media_lines) == ("omitted", True, True)


async def test_a_refused_invite_frees_the_party(lab, talking):
    token, session, party = talking
    lab.sip.refuse = 486
    await lab.supervise(token, session, f"{party}-1")
    await lab.clock.advance(1)
    assert (await lab.view(session))["legs"][0]["state"] == "refused"
    lab.sip.refuse = None
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201


async def test_the_supervisors_bye_frees_the_party(lab, talking):
    token, session, party = talking
    await lab.supervise(token, session, f"{party}-1")
    await lab.clock.advance(1)
    lab.sip.legs[0].remote_bye()
    await lab.clock.advance(0.1)
    status = await lab.call("GET", f"/account/~/telephony/sessions/{session}/parties/{party}-3", token)
    assert status.json()["status"]["code"] == "Disconnected"
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201


async def test_deleting_ones_party_drops_the_leg_and_nothing_else(lab, talking):
    token, session, party = talking
    await lab.supervise(token, session, f"{party}-1")
    await lab.clock.advance(1)
    path = f"/account/~/telephony/sessions/{session}/parties/{party}"
    assert (await lab.call("DELETE", f"{path}-1", token)).status_code == 403
    assert (await lab.call("DELETE", f"{path}-3", token)).status_code == 204
    await lab.clock.advance(1)
    assert lab.sip.legs[0].byes == 1
    assert not (await lab.view(session))["finished"]


async def test_deleting_the_session_drops_the_customer_and_is_counted(lab, talking):
    token, session, _ = talking
    assert (await lab.call("DELETE", f"/account/~/telephony/sessions/{session}", token)).status_code == 204
    await lab.clock.advance(1)
    assert (await lab.view(session))["finished"]
    assert (await lab.http.get("/sim/state")).json()["counters"]["session_deletes"] == 1


async def test_active_calls_lag_and_linger(lab):
    token = await lab.login()
    session = await lab.dial(duration_ms=10_000, start_audio="answered")

    async def shown(path):
        records = (await lab.call("GET", path, token)).json()["records"]
        return [(r["telephonySessionId"], r["extension"]["id"]) for r in records]

    everyone, agent = "/account/~/active-calls", "/account/~/extension/700200301/active-calls"
    await lab.clock.advance(4)
    assert await shown(everyone) == []
    await lab.clock.advance(2)
    assert await shown(everyone) == [(session, 700200301)]
    assert await shown(agent) == [(session, 700200301)]
    assert await shown("/account/~/extension/700200302/active-calls") == []
    await lab.clock.advance(100)
    assert await shown(everyone) == [(session, 700200301)]
    await lab.clock.advance(60)
    assert await shown(everyone) == []


async def test_the_call_log_has_calls_once_they_are_over_with_their_legs(lab):
    token = await lab.login()
    session = await lab.dial(duration_ms=10_000, start_audio="answered")

    async def shown(query=""):
        return (await lab.call("GET", f"/account/~/call-log{query}", token)).json()["records"]

    await lab.clock.advance(15)
    assert await shown() == []
    await lab.clock.advance(30)
    [simple], [detailed] = await shown(), await shown("?view=Detailed&type=Voice")
    assert (simple["telephonySessionId"], "legs" in simple) == (session, False)
    agent = next(leg for leg in detailed["legs"] if "extension" in leg)
    assert (agent["extension"]["id"], agent["result"], agent["action"]) == (700200301, "Accepted", "Phone Call")
    assert 10 <= agent["duration"] <= 14
    later = detailed["startTime"].replace("2026", "2027")
    assert await shown(f"?dateFrom={later}") == []
    assert (await lab.call("GET", "/account/~/call-log?dateFrom=yesterday", token)).status_code == 400
