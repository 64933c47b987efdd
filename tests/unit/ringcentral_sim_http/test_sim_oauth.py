"""Tokens over REST: grants, the session cap, refresh, revoke, and what a bad token is told."""

from __future__ import annotations

import pytest

from services.ringcentral_sim.rest.oauth import JWT_GRANT

MYSELF = "/account/~/extension/~"


async def test_jwt_grant_without_refresh_token_by_default(lab):
    reply = await lab.token({"grant_type": JWT_GRANT, "assertion": "sim-jwt-supervisor"})
    body = reply.json()
    assert body["owner_id"] == "700200300"
    assert body["expires_in"] == 3600
    assert body["token_type"] == "bearer"
    assert {"access_token", "scope", "session_id", "endpoint_id"} <= body.keys()
    assert "refresh_token" not in body
    assert reply.headers["X-Rate-Limit-Group"] == "auth"
    mine = await lab.call("GET", MYSELF, body["access_token"])
    assert mine.json()["id"] == 700200300


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": JWT_GRANT, "assertion": "wrong"}, 400, "invalid_grant"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "refresh_token", "refresh_token": "RT-none"}, 400, "invalid_grant"),
        (
            {"grant_type": JWT_GRANT, "assertion": "sim-jwt-supervisor", "access_token_ttl": "10"},
            400,
            "invalid_request",
        ),
    ],
)
async def test_refused_grants_speak_oauth(lab, form, status, error):
    reply = await lab.token(form)
    assert reply.status_code == status
    assert reply.json()["error"] == error
    assert reply.json()["errors"][0]["errorCode"].startswith("OAU-")


async def test_wrong_client_secret(lab):
    reply = await lab.http.post("/restapi/oauth/token", data={"grant_type": JWT_GRANT}, auth=("sim-client-id", "no"))
    assert reply.status_code == 401
    assert reply.json()["error"] == "invalid_client"


async def test_the_sixth_session_kills_the_first(make_lab):
    lab = await make_lab(rate_auth=50)
    tokens = [await lab.login() for _ in range(6)]
    statuses = [(await lab.call("GET", MYSELF, token)).status_code for token in tokens]
    assert statuses == [401, 200, 200, 200, 200, 200]
    assert (await lab.call("GET", MYSELF, tokens[0])).json()["errors"][0]["errorCode"] == "OAU-213"


async def test_a_refresh_token_works_once_but_for_the_grace(make_lab):
    lab = await make_lab(issue_refresh_tokens=True, rate_auth=50)
    first = (await lab.token({"grant_type": JWT_GRANT, "assertion": "sim-jwt-supervisor"})).json()
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = (await lab.token(form)).json()
    assert (await lab.call("GET", MYSELF, first["access_token"])).status_code == 401
    await lab.clock.advance(600)
    assert (await lab.token(form)).json()["access_token"] == second["access_token"]
    assert (await lab.call("GET", MYSELF, second["access_token"])).status_code == 200
    await lab.clock.advance(5)
    assert (await lab.token(form)).json()["access_token"] == second["access_token"]
    await lab.clock.advance(6)
    assert (await lab.token(form)).status_code == 400


async def test_an_expired_and_a_revoked_token(make_lab):
    lab = await make_lab(access_token_ttl_s=100)
    token = await lab.login()
    await lab.clock.advance(101)
    reply = await lab.call("GET", MYSELF, token)
    assert (reply.status_code, reply.json()["errors"][0]["errorCode"]) == (401, "OAU-128")
    fresh = await lab.login()
    revoked = await lab.http.post(
        "/restapi/oauth/revoke", data={"token": fresh}, auth=("sim-client-id", "sim-client-secret")
    )
    assert revoked.status_code == 200
    assert (await lab.call("GET", MYSELF, fresh)).status_code == 401


async def test_no_token_and_nonsense(lab):
    assert (await lab.http.get("/restapi/v1.0" + MYSELF)).json()["errors"][0]["errorCode"] == "CMN-405"
    assert (await lab.call("GET", MYSELF, "nonsense")).json()["errors"][0]["errorCode"] == "OAU-149"


@pytest.mark.parametrize(
    ("shape", "keys"),
    [("errors", {"errors"}), ("top", {"errorCode", "message"}), ("both", {"errorCode", "message", "errors"})],
)
async def test_error_bodies_come_in_the_chosen_shape(lab, shape, keys):
    await lab.http.post("/sim/faults", json={"error_shape": shape})
    reply = await lab.call("GET", "/account/~/extension/1", await lab.login())
    assert reply.status_code == 404
    assert keys <= reply.json().keys()
    assert ("errors" in reply.json()) == ("errors" in keys)


async def test_killed_tokens(lab):
    token = await lab.login()
    assert (await lab.http.post("/sim/faults", json={"kill_tokens": True})).json()["killed_tokens"] == 1
    assert (await lab.call("GET", MYSELF, token)).status_code == 401
