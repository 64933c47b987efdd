"""Faults: drawn from the seed, counted, and each doing what it says."""

from __future__ import annotations

import random

import pytest

from services.ringcentral_sim.config import SimulatorSettings
from services.ringcentral_sim.domain.faults import KINDS, TIMED, Dose, Faults, Spell

ME = "/account/~/extension/~"


def drawn(seed, share, count=400):
    dice = random.Random(seed)
    faults = Faults(draw=lambda kind: dice.random())
    faults.dose("event_lost", Dose(share=share), 0.0)
    return [faults.hits("event_lost", float(i), f"s-{i}") for i in range(count)], faults


def test_the_same_seed_strikes_the_same_and_as_often_as_its_share():
    first, faults = drawn(3, 0.25)
    assert first == drawn(3, 0.25)[0]
    assert first != drawn(4, 0.25)[0]
    assert 70 <= sum(first) <= 130
    assert faults.injected() == {"event_lost": sum(first)}
    assert [s.call_id for s in faults.strikes] == [f"s-{i}" for i, struck in enumerate(first) if struck]


@pytest.mark.parametrize(
    ("dose", "active"),
    [
        (Dose(), [0, 1, 9, 10, 19, 20]),
        (Dose(from_s=5, to_s=20), [9, 10, 19]),
        (Dose(every_s=10, for_s=2), [0, 1, 10, 20]),
        (Dose(from_s=9, every_s=10, for_s=2), [9, 10, 19, 20]),
    ],
)
def test_a_dose_has_its_times(dose, active):
    assert [t for t in (0, 1, 9, 10, 19, 20) if dose.active(t)] == active


def test_windows_open_and_close_once():
    faults = Faults(draw=lambda kind: 0.0)
    faults.dose("ws_cut", Dose(every_s=100, for_s=5), 0.0)
    begun = [t for t in range(210) if "ws_cut" in faults.tick(float(t), [])]
    assert begun == [0, 100, 200]
    assert [(s.kind, s.at_s) for s in faults.strikes][:3] == [("ws_cut", 0.0), ("ws_cut_over", 5.0), ("ws_cut", 100.0)]


def test_windows_and_moments_that_struck_everybody_are_spells():
    faults = Faults(draw=lambda kind: 0.0)
    faults.dose("ws_cut", Dose(every_s=100, for_s=5), 0.0)
    faults.dose("http_error", Dose(), 0.0)
    for at in range(103):
        faults.tick(float(at), [])
    faults.hits("http_error", 50.0)
    faults.hits("http_error", 51.0, "s-1")
    assert faults.spells(104.0) == [
        Spell("ws_cut", 0.0, 5.0),
        Spell("http_error", 50.0, 50.0),
        Spell("ws_cut", 100.0, 104.0),
    ]
    faults.dose("ws_cut", None, 103.0)
    assert faults.spells(200.0)[-1] == Spell("ws_cut", 100.0, 103.0)


def test_every_timed_kind_is_a_kind():
    assert set(TIMED) < set(KINDS)


async def switch(lab, **body):
    reply = await lab.http.post("/sim/faults", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def sequences(lab, heard):
    await lab.dial(duration_ms=500, start_audio="answered")
    await lab.clock.advance(20)
    return [m["body"]["sequence"] for m in heard]


async def test_lost_repeated_and_reordered_events(lab):
    heard = lab.hear()
    await switch(lab, chances={"event_lost": 1.0})
    assert await sequences(lab, heard) == []
    await switch(lab, chances={"event_lost": None, "event_repeated": 1.0})
    assert await sequences(lab, heard) == [s for n in range(2, 9) for s in (n, n)]
    assert len({m["uuid"] for m in heard}) == 7
    heard.clear()
    # Late by 5 s in the first half second only: what rings comes after what ends.
    await switch(lab, chances={"event_repeated": 0, "event_reordered": {"to_s": 0.5}}, event_reorder_s=5)
    assert await sequences(lab, heard) == [6, 7, 8, 2, 3, 4, 5]
    state = (await lab.http.get("/sim/state")).json()
    assert state["faults"]["injected"] == {"event_lost": 7, "event_repeated": 7, "event_reordered": 4}


async def test_a_cut_closes_sockets_and_refuses_new_ones_for_its_time(lab):
    ticket = lab.world.gateway.ticket("700200300", "AT", 30)
    connection, _ = lab.world.gateway.open(ticket, None)
    await switch(lab, chances={"ws_cut": {"to_s": 10}})
    await lab.clock.advance(1)
    assert connection.outbox.get_nowait() is None
    assert lab.world.gateway.refuses
    await lab.clock.advance(10)
    assert not lab.world.gateway.refuses


async def test_killed_tokens_answer_401_until_the_next_login(lab):
    token = await lab.login()
    assert (await lab.call("GET", ME, token)).status_code == 200
    await switch(lab, chances={"token_killed": {"every_s": 600, "for_s": 1}})
    await lab.clock.advance(2)
    assert (await lab.call("GET", ME, token)).status_code == 401
    token = await lab.login()
    await lab.clock.advance(100)
    assert (await lab.call("GET", ME, token)).status_code == 200


async def test_server_errors_come_before_the_work_and_half_replies_after_it(lab):
    token = await lab.login()
    session = await lab.dial(duration_ms=60_000, start_audio="answered")
    await lab.clock.advance(2)
    await switch(lab, chances={"http_error": 1.0})
    assert (await lab.supervise(token, session, f"p-{session[2:]}-1")).status_code in (500, 502, 503, 504)
    assert lab.world.legs.of(session) == []
    await switch(lab, chances={"http_error": None, "http_half": 1.0})
    with pytest.raises(AssertionError):  # the in-process client notices that the reply was never completed
        await lab.supervise(token, session, f"p-{session[2:]}-1")
    assert len(lab.world.legs.of(session)) == 1


async def test_a_storm_announces_a_penalty_that_each_request_restarts(lab):
    token = await lab.login()
    await switch(lab, chances={"rate_storm": {"to_s": 1}})
    struck = await lab.call("GET", ME, token)
    assert (struck.status_code, struck.headers["Retry-After"]) == (429, "60")
    await lab.clock.advance(59)
    assert (await lab.call("GET", ME, token)).status_code == 429
    await lab.clock.advance(59)
    assert (await lab.call("GET", ME, token)).status_code == 429
    await lab.clock.advance(60)
    assert (await lab.call("GET", ME, token)).status_code == 200
    counters = (await lab.http.get("/sim/state")).json()["counters"]
    assert counters["penalty_violations"] == 2


async def test_what_a_client_waits_for_is_in_its_own_seconds(make_lab):
    lab = await make_lab(speed=25, media="paper", rate_light=1, access_token_ttl_s=3600)
    reply = await lab.token({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "sim-jwt-lead"})
    assert reply.json()["expires_in"] == 144
    token = reply.json()["access_token"]
    assert (await lab.call("GET", ME, token)).headers["X-Rate-Limit-Window"] == "3"
    assert (await lab.call("GET", ME, token)).headers["Retry-After"] == "3"
    details = lab.world.gateway.open(lab.world.gateway.ticket("700200300", token, 30), None)[1][0][1]
    assert (details["recoveryTimeout"], details["absoluteTimeout"]) == (7, 3456)


@pytest.fixture
async def talking(lab):
    token = await lab.login()
    session = await lab.dial(duration_ms=120_000, start_audio="answered")
    await lab.clock.advance(2)
    return token, session, f"p-{session[2:]}"


async def test_an_invite_may_come_late_or_never(lab, talking):
    token, session, party = talking
    await switch(lab, chances={"invite_late": 1.0}, invite_late_s=7)
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201
    await lab.clock.advance(6)
    assert lab.sip.offers == []
    await lab.clock.advance(2)
    assert len(lab.sip.offers) == 1
    await switch(lab, chances={"invite_late": None, "invite_none": 1.0})
    assert (await lab.supervise(token, session, f"{party}-2")).status_code == 201
    assert (await lab.supervise(token, session, f"{party}-2")).status_code == 409
    # The platform gives its own party up, so that the client may ask again.
    await lab.clock.advance(16)
    await switch(lab, chances={"invite_none": None})
    assert (await lab.supervise(token, session, f"{party}-2")).status_code == 201


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("headers_omitted", "headers", "omitted"),
        ("headers_reordered", "headers", "reordered"),
        ("late_offer", "late_offer", True),
        ("two_media_lines", "two_media_lines", True),
    ],
)
async def test_shapes_of_the_invite_strike_by_chance(lab, talking, kind, field, value):
    token, session, party = talking
    await switch(lab, chances={kind: 1.0})
    await lab.supervise(token, session, f"{party}-1")
    await lab.clock.advance(1)
    assert getattr(lab.sip.offers[0], field) == value


async def test_a_stolen_registration_shows_online_but_gets_no_invite(lab, talking):
    token, session, party = talking
    await switch(lab, chances={"registration_stolen": {"to_s": 60}})
    await lab.clock.advance(1)
    assert lab.world.legs.online("801000000001")
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201
    await lab.clock.advance(20)
    assert lab.sip.offers == []
    lab.world.faults.reclaim("801000000001")
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201
    await lab.clock.advance(1)
    assert len(lab.sip.offers) == 1


async def test_devices_go_offline_and_come_back(lab, talking):
    token, session, party = talking
    await switch(lab, chances={"device_offline": {"to_s": 30}})
    await lab.clock.advance(1)
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 403
    await lab.clock.advance(30)
    assert (await lab.supervise(token, session, f"{party}-1")).status_code == 201


async def test_a_lost_bye_ends_the_leg_for_the_platform_alone(lab, talking):
    token, session, party = talking
    await lab.supervise(token, session, f"{party}-1")
    await lab.clock.advance(1)
    vanished = []
    lab.sip.legs[0].vanish = lambda: vanished.append(True)
    await switch(lab, chances={"bye_lost": 1.0})
    await lab.http.post(f"/sim/calls/{session}/hangup")
    await lab.clock.advance(1)
    assert (vanished, lab.sip.legs[0].byes) == ([True], 0)
    assert lab.world.legs.of(session)[0].bye_lost


async def test_a_device_takes_so_many_legs_and_no_more(make_lab):
    lab = await make_lab(max_legs_per_device=1)
    token = await lab.login()
    session = await lab.dial(duration_ms=60_000, start_audio="answered")
    await lab.clock.advance(2)
    for number in (1, 2):
        await lab.supervise(token, session, f"p-{session[2:]}-{number}")
        await lab.clock.advance(1)
    assert [leg.state for leg in lab.world.legs.of(session)] == ["playing", "refused"]


@pytest.mark.parametrize("shape", ["errors", "both", "top", "oauth", "html", "empty"])
async def test_six_shapes_of_an_error(lab, shape):
    await switch(lab, error_shape=shape)
    token = await lab.login()
    reply = await lab.call("GET", "/account/~/telephony/sessions/s-none", token)
    assert reply.status_code == 404
    match shape:
        case "html":
            assert reply.text.startswith("<html>")
        case "empty":
            assert reply.content == b""
        case "errors":
            assert set(reply.json()) == {"errors"}
        case "both":
            assert set(reply.json()) > {"errors", "errorCode", "message"}
        case "top":
            assert set(reply.json()) == {"errorCode", "message"}
        case "oauth":
            assert set(reply.json()) == {"error", "error_description", "errors"}


async def test_mixed_errors_come_in_all_shapes(lab):
    await switch(lab, error_shape="mixed")
    token = await lab.login()
    seen = set()
    for _ in range(40):
        reply = await lab.call("GET", "/account/~/telephony/sessions/s-none", token)
        kind = reply.headers.get("content-type", "none")
        seen.add((kind, tuple(sorted(reply.json())) if "json" in kind else ()))
    assert len(seen) == 6


async def test_unknown_kinds_are_refused_and_faults_can_be_settings(lab, make_lab):
    reply = await lab.http.post("/sim/faults", json={"chances": {"earthquake": 1}})
    assert reply.status_code == 400
    assert "earthquake" in reply.json()["error"]
    with pytest.raises(ValueError, match="chances"):
        SimulatorSettings(faults='{"chances": {"event_lost": 2}}')
    with pytest.raises(ValueError, match="paper"):
        SimulatorSettings(speed=20)
    other = await make_lab(faults='{"invite": "none", "chances": {"bye_lost": 0.5}}')
    shown = (await other.http.get("/sim/state")).json()["faults"]
    assert (shown["invite"], shown["chances"]) == ("none", {"bye_lost": {"share": 0.5, "from_s": 0.0}})
    assert (await switch(other, all_off=True))["chances"] == {}
