"""Webhook subscriptions: handshake, filters, delivery, limits, blacklisting."""

from __future__ import annotations

import pytest

ALL = "/restapi/v1.0/account/~/telephony/sessions"
OF_ANN = "/restapi/v1.0/account/~/extension/700200301/telephony/sessions"


def wanted(*filters, address="https://hook.example/a", **more):
    delivery = {"transportType": "WebHook", "address": address, "verificationToken": "vt-1"}
    return {"eventFilters": list(filters or (ALL,)), "deliveryMode": delivery, **more}


async def test_create_shakes_hands_then_delivers_with_the_verification_token(lab):
    token = await lab.login()
    made = await lab.call("POST", "/subscription", token, wanted(OF_ANN))
    assert made.status_code == 200
    assert made.json()["status"] == "Active"
    assert made.json()["eventFilters"] == [OF_ANN.replace("~", "700200001")]
    _, body, headers = lab.poster.posts.pop()
    assert body is None
    assert "Validation-Token" in headers
    await lab.dial(duration_ms=1000, start_audio="answered")
    await lab.clock.advance(5)
    assert {a for a, _, _ in lab.poster.posts} == {"https://hook.example/a"}
    assert all(h["Verification-Token"] == "vt-1" for _, _, h in lab.poster.posts)
    parties = [b["body"]["parties"][0] for _, b, _ in lab.poster.posts]
    assert {p["extensionId"] for p in parties} == {"700200301"}
    assert [b["body"]["sequence"] for _, b, _ in lab.poster.posts] == [3, 5, 6, 7]
    assert len({b["uuid"] for _, b, _ in lab.poster.posts}) == 4


@pytest.mark.parametrize(
    ("status", "echo", "code"), [(0, True, "SUB-521"), (500, True, "SUB-525"), (200, False, "SUB-520")]
)
async def test_a_failed_handshake_makes_no_subscription(lab, status, echo, code):
    lab.poster.status, lab.poster.echo = status, echo
    reply = await lab.call("POST", "/subscription", await lab.login(), wanted())
    assert (reply.status_code, reply.json()["errors"][0]["errorCode"]) == (400, code)
    assert lab.world.subscriptions.items == {}


async def test_plain_http_may_be_forbidden(make_lab):
    lab = await make_lab(webhook_allow_http=False)
    reply = await lab.call("POST", "/subscription", await lab.login(), wanted(address="http://hook.example"))
    assert reply.json()["errors"][0]["errorCode"] == "SUB-523"


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        (["/restapi/v1.0/nonsense"], "SUB-508"),
        ([ALL + "?colour=red"], "SUB-508"),
        (["/restapi/v1.0/account/1/telephony/sessions"], "SUB-406"),
        (["/restapi/v1.0/account/~/extension/5/telephony/sessions"], "SUB-408"),
        ([], "CMN-101"),
    ],
)
async def test_filters_that_cannot_be_served(lab, filters, code):
    body = wanted() | {"eventFilters": filters}
    reply = await lab.call("POST", "/subscription", await lab.login(), body)
    assert (reply.status_code, reply.json()["errors"][0]["errorCode"]) == (400, code)


async def test_a_200_may_silently_disable_filters(lab):
    await lab.http.post("/sim/faults", json={"disabled_filters": [OF_ANN]})
    reply = await lab.call("POST", "/subscription", await lab.login(), wanted(ALL, OF_ANN))
    assert reply.status_code == 200
    assert [d["reason"] for d in reply.json()["disabledFilters"]] == ["SUB-412"]
    assert len(reply.json()["eventFilters"]) == 1


async def test_filters_by_status_and_direction(lab):
    heard = lab.hear(ALL + "?statusCode=Answered&direction=Inbound")
    await lab.dial(duration_ms=1000, start_audio="answered")
    await lab.clock.advance(5)
    assert [m["body"]["parties"][0]["status"]["code"] for m in heard] == ["Answered"]
    assert heard[0]["body"]["parties"][0]["direction"] == "Inbound"


async def test_two_matching_filters_give_one_notification(lab):
    heard = lab.hear(ALL, OF_ANN)
    await lab.dial(duration_ms=1000, start_audio="answered")
    await lab.clock.advance(5)
    assert [m["body"]["sequence"] for m in heard] == list(range(2, 9))


async def test_the_thirty_first_is_one_too_many(lab):
    token = await lab.login()
    replies = [await lab.call("POST", "/subscription", token, wanted()) for _ in range(31)]
    assert [r.status_code for r in replies] == [200] * 30 + [400]
    assert replies[-1].json()["errors"][0]["errorCode"] == "SUB-505"


async def test_renew_replace_list_delete_and_expiry(lab):
    token = await lab.login()
    made = (await lab.call("POST", "/subscription", token, wanted(expiresIn=600))).json()
    path = f"/subscription/{made['id']}"
    await lab.clock.advance(500)
    assert (await lab.call("GET", path, token)).json()["expiresIn"] == 100
    assert (await lab.call("POST", f"{path}/renew", token)).json()["expiresIn"] == 600
    changed = await lab.call("PUT", path, token, {"eventFilters": [OF_ANN]})
    assert changed.json()["eventFilters"] == [OF_ANN.replace("~", "700200001")]
    assert len((await lab.call("GET", "/subscription", token)).json()["records"]) == 1
    await lab.clock.advance(601)
    assert (await lab.call("GET", path, token)).json()["errors"][0]["errorCode"] == "SUB-507"
    other = (await lab.call("POST", "/subscription", token, wanted())).json()["id"]
    assert (await lab.call("DELETE", f"/subscription/{other}", token)).status_code == 204
    assert (await lab.call("DELETE", f"/subscription/{other}", token)).status_code == 404


async def test_another_users_subscription_is_not_there(lab):
    made = (await lab.call("POST", "/subscription", await lab.login(), wanted())).json()["id"]
    lead = await lab.login("sim-jwt-lead")
    assert (await lab.call("GET", f"/subscription/{made}", lead)).status_code == 404


async def test_an_address_that_keeps_failing_is_blacklisted(make_lab):
    lab = await make_lab(webhook_blacklist_after_s=1.0)
    token = await lab.login()
    made = (await lab.call("POST", "/subscription", token, wanted())).json()["id"]
    lab.poster.status = 500
    await lab.dial(duration_ms=3000, start_audio="answered")
    await lab.clock.advance(6)
    info = (await lab.call("GET", f"/subscription/{made}", token)).json()
    assert info["status"] == "Blacklisted"
    assert "blacklistedAt" in info["blacklistedData"]


async def test_a_websocket_subscription_needs_a_websocket(lab):
    body = {"eventFilters": [ALL], "deliveryMode": {"transportType": "WebSocket"}}
    reply = await lab.call("POST", "/subscription", await lab.login(), body)
    assert (reply.status_code, reply.json()["errors"][0]["parameterName"]) == (400, "transportType")


async def test_a_limit_on_filters_refuses_the_whole_subscription(make_lab):
    lab = await make_lab(max_filters=1)
    token = await lab.login()
    reply = await lab.call("POST", "/subscription", token, wanted(ALL, OF_ANN))
    error = reply.json()["errors"][0]
    assert (reply.status_code, error["errorCode"], error["parameterName"]) == (400, "CMN-101", "eventFilters")
    assert (await lab.call("POST", "/subscription", token, wanted(OF_ANN))).status_code == 200


async def test_the_app_needs_the_permission_for_webhooks(make_lab):
    lab = await make_lab(app_permissions="CallControl")
    reply = await lab.call("POST", "/subscription", await lab.login(), wanted())
    assert (reply.status_code, reply.json()["errors"][0]["errorCode"]) == (403, "CMN-401")


async def test_webhooks_are_suspended_or_expired_on_demand(lab):
    token = await lab.login()
    made = [(await lab.call("POST", "/subscription", token, wanted())).json()["id"] for _ in range(2)]
    told = (await lab.http.post("/sim/faults", json={"blacklist_webhooks": True})).json()
    assert (told["blacklisted_webhooks"], told["expired_webhooks"]) == (2, 0)
    for change in (("POST", "/renew"), ("PUT", "")):
        reply = await lab.call(change[0], f"/subscription/{made[0]}{change[1]}", token, wanted())
        assert reply.status_code == 400
    third = (await lab.call("POST", "/subscription", token, wanted())).json()["id"]
    told = (await lab.http.post("/sim/faults", json={"expire_webhooks": True})).json()
    assert told["expired_webhooks"] == 1
    assert (await lab.call("GET", f"/subscription/{third}", token)).status_code == 404


async def test_the_verification_token_may_be_replaced_and_its_header_be_the_other_one(make_lab):
    lab = await make_lab(webhook_token_header="validation-token")
    token = await lab.login()
    made = (await lab.call("POST", "/subscription", token, wanted(OF_ANN))).json()["id"]
    body = wanted(OF_ANN)
    body["deliveryMode"]["verificationToken"] = "vt-2"
    assert (await lab.call("PUT", f"/subscription/{made}", token, body)).status_code == 200
    lab.poster.posts.clear()
    await lab.dial(duration_ms=1000, start_audio="answered")
    await lab.clock.advance(2)
    assert {headers["validation-token"] for _, _, headers in lab.poster.posts} == {"vt-2"}
