"""The floor's day: the same seed gives the same plan, and the truth about a call is what happened to it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from services.ringcentral_sim.domain.company import default_company
from services.ringcentral_sim.domain.day import MARGIN_MS, DayOptions, plan_day
from services.ringcentral_sim.domain.flow_table import FLOWS
from services.ringcentral_sim.domain.staffing import Floor, add_floor
from services.ringcentral_sim.domain.truth import Supervised
from services.ringcentral_sim.domain.truth import tell as told

AGENTS = [f"7002020{number:02d}" for number in range(1, 41)]


def plan(seed, **options):
    return plan_day(DayOptions(**options), AGENTS, random.Random(seed))


def test_the_same_seed_gives_the_same_day():
    first = plan(5, calls=300)
    assert first == plan(5, calls=300)
    assert first != plan(6, calls=300)
    assert len(first) == 300
    assert [call.at_ms for call in first] == sorted(call.at_ms for call in first)
    assert {call.flow for call in first} == set(FLOWS)


def test_nobody_is_in_two_calls_at_a_time():
    busy_until = {}
    for call in plan(1, calls=600, hours=1.0):
        for agent in (call.agent_id, *call.colleague_ids):
            assert busy_until.get(agent, 0) <= call.at_ms
            busy_until[agent] = call.at_ms + call.talk_ms + MARGIN_MS


def test_talks_are_within_bounds_and_hold_what_happens_in_them():
    calls = plan(2, calls=500, talk_min_s=20, talk_max_s=300, talk_median_s=100)
    talks = sorted(call.talk_ms for call in calls)
    assert 20_000 <= talks[0] < talks[-1] == 300_000
    assert 85_000 <= talks[250] <= 115_000
    assert any(call.holds for call in calls)
    for call in calls:
        assert call.flow_at_ms + FLOWS[call.flow].during_ms < call.talk_ms
        assert all(0 < start < end < call.talk_ms for start, end in call.holds)


def test_the_mix_decides_the_flows_and_mistakes_in_it_are_told():
    assert {call.flow for call in plan(1, calls=50, mix={"ivr": 1.0})} == {"ivr"}
    shares = [call.flow for call in plan(1, calls=1000, mix={"ivr": 3.0, "outbound": 1.0})]
    assert 690 <= shares.count("ivr") <= 810
    with pytest.raises(ValueError, match="sideways"):
        plan(1, mix={"sideways": 1.0})
    with pytest.raises(ValueError, match="weights"):
        plan(1, mix={"ivr": 0.0})


@pytest.mark.parametrize(("supervisors", "groups"), [(24, 12), (6, 12), (30, 12), (1, 1)])
def test_every_group_has_supervisors_and_those_outside_have_none(supervisors, groups):
    company = default_company(sip_domain="sip.example", supervisor_jwt="jwt")
    floor = Floor(agents=60, supervisors=supervisors, groups=groups, outside=7)
    ids = add_floor(company, floor)
    assert add_floor(company, floor) == ids
    inside = {agent.id for agent in company.agents()}
    assert [agent for agent in ids if agent not in inside] == ids[-7:]
    watchers = [company.jwts[f"sim-jwt-supervisor-{n}"] for n in range(1, supervisors + 1)]
    for agent in ids[:-7]:
        assert sum(company.may_supervise(watcher, agent) for watcher in watchers) >= 1
    for watcher in watchers:
        assert any(company.may_supervise(watcher, agent) for agent in ids)
        assert [device.type for device in company.devices_of(watcher)] == ["OtherPhone"]
        assert not any(company.may_supervise(watcher, agent) for agent in ids[-7:])


BODY = {"agents": 12, "calls": 20, "hours": 0.2, "supervisors": 3, "groups": 2, "outside": 4, "talk_median_s": 40}


async def test_a_day_is_planned_played_and_told(make_lab):
    lab = await make_lab(rate_light=10_000, rate_auth=100)
    reply = await lab.http.post("/sim/floor", json={**BODY, "start": False})
    assert reply.status_code == 201
    day = reply.json()
    assert (day["state"], len(day["calls"]), len(day["agents"]), len(day["outside"])) == ("planned", 20, 8, 4)
    assert [s["jwt"] for s in day["supervisors"]] == [f"sim-jwt-supervisor-{n}" for n in (1, 2, 3)]
    again = await lab.http.post("/sim/floor", json={**BODY, "start": False})
    assert again.json()["calls"] == day["calls"]
    assert (await lab.http.post("/sim/floor/start")).json()["state"] == "running"
    assert (await lab.http.post("/sim/floor", json=BODY)).status_code == 409
    await lab.clock.advance(3600)
    progress = (await lab.http.get("/sim/floor")).json()
    assert (progress["state"], progress["ended"], progress["live"]) == ("done", 20, 0)
    records = (await lab.http.get("/sim/floor/calls")).json()["calls"]
    assert len({r["number"] for r in records}) == 20
    inside = set(day["agents"]) | {agent.id for agent in lab.world.company.agents()}
    for record in records:
        answered = [agent for agent in record["agents"] if agent["extensionId"] in inside]
        assert record["eligible"] == bool(answered)
        assert record["covered"] == "none"
        assert record["supervisable"] == (record["eligible"] and record["talkS"] >= 10)
    reasons = {record["whyNot"] for record in records}
    assert {None, "not_answered", "outside_groups"} <= reasons


async def test_a_supervised_call_is_covered_and_an_attempt_outside_is_counted(make_lab):
    lab = await make_lab(rate_light=10_000)
    day = (
        await lab.http.post("/sim/floor", json={**BODY, "calls": 1, "mix": {"inbound": 1}, "outside": 0, "groups": 1})
    ).json()
    (call,) = day["calls"]
    await lab.clock.advance(call["at_ms"] / 1000 + 2)
    supervisor = day["supervisors"][0]
    device = supervisor["deviceIds"][0]
    lab.sip.registered.add(device)
    token = await lab.login(supervisor["jwt"])
    session = lab.world.floor.runs[1].session_id
    ask = {"agentExtensionId": call["agent_id"], "supervisorDeviceId": device}
    for number in (1, 2):
        assert (await lab.supervise(token, session, f"p-{session[2:]}-{number}", **ask)).status_code == 201
    await lab.clock.advance(1)
    groups = dict(lab.world.company.groups)
    lab.world.company.groups.clear()
    await lab.supervise(token, session, f"p-{session[2:]}-1", **ask)
    lab.world.company.groups.update(groups)
    record = lab.world.floor.calls()[0]
    assert record["covered"] == "both"
    assert record["outsideGroups"] == 1
    assert (record["doubleSupervised"], record["dropped"]) == (0, False)
    assert len(record["refusals"]) == 1


def test_two_supervisors_at_a_time_are_a_double_supervision():
    leg = Supervised(supervisor_id="1", device_id="d", party_id="p-x-1", requested_s=1.0, heard_s=2.0, ended_s=9.0)

    def doubles(*legs):
        truth = told([], legs, is_agent=bool, is_monitored=bool, is_watched=bool, min_talk_s=0.0, now=20.0)
        return truth.double_supervised

    assert doubles(leg, replace(leg, party_id="p-x-2")) == 0
    assert doubles(leg, replace(leg, requested_s=9.0, ended_s=None)) == 0
    assert doubles(leg, replace(leg, requested_s=8.0, ended_s=None)) == 1
    assert doubles(leg, replace(leg, party_id="p-x-2", supervisor_id="2", device_id="e")) == 1
