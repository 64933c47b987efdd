"""Extensions, devices, sip-info and the six monitoring-group calls."""

from __future__ import annotations

import pytest

GROUPS = "/account/~/call-monitoring-groups"


async def test_extensions_come_in_pages_with_integer_ids(make_lab):
    lab = await make_lab(more_agents=7)
    token = await lab.login()
    ids, url, pages = [], "http://sim.example/restapi/v1.0/account/~/extension?type=User&perPage=5", 0
    while url:
        reply = (await lab.http.get(url, headers={"Authorization": f"Bearer {token}"})).json()
        ids += [r["id"] for r in reply["records"]]
        assert reply["paging"]["totalElements"] == 14
        url = reply["navigation"].get("nextPage", {}).get("uri")
        pages += 1
    assert pages == 3
    assert len(set(ids)) == 14
    assert all(isinstance(i, int) for i in ids)


async def test_extension_records_tell_admins_and_types(lab):
    records = (await lab.call("GET", "/account/~/extension", await lab.login())).json()["records"]
    admins = [r["extensionNumber"] for r in records if r["permissions"]["admin"]["enabled"]]
    assert admins == ["101", "102"]
    others = {r["extensionNumber"]: r["type"] for r in records if r["type"] != "User"}
    assert others == {"900": "IvrMenu", "901": "Limited", "902": "FaxUser", "903": "Department"}
    lobby = (await lab.call("GET", "/account/~/extension/700200391", await lab.login())).json()
    assert (lobby["type"], lobby["permissions"]["admin"]["enabled"]) == ("Limited", False)


async def test_an_agent_may_read_groups_and_not_change_them(lab):
    token = await lab.login("sim-jwt-agent")
    assert (await lab.call("GET", f"{GROUPS}/900100/members", token)).status_code == 200
    refused = await lab.call("POST", GROUPS, token, {"name": "Mine"})
    assert (refused.status_code, refused.json()["errors"][0]["errorCode"]) == (403, "CMN-408")


async def test_per_page_is_clamped_and_zero_refused(lab):
    token = await lab.login()
    big = await lab.call("GET", "/account/~/extension?perPage=5000", token)
    assert big.json()["paging"]["perPage"] == 1000
    assert (await lab.call("GET", "/account/~/extension?perPage=0", token)).status_code == 400


async def test_device_is_online_while_registered_and_not_under_the_fault(lab):
    token = await lab.login()
    path = "/account/~/extension/700200300/device?type=OtherPhone"

    async def statuses():
        return [d["status"] for d in (await lab.call("GET", path, token)).json()["records"]]

    assert await statuses() == ["Online", "Online"]
    lab.sip.registered.discard("801000000002")
    assert await statuses() == ["Online", "Offline"]
    await lab.http.post("/sim/faults", json={"offline_devices": ["801000000001"]})
    assert await statuses() == ["Offline", "Offline"]
    assert (await lab.call("GET", path, token)).json()["records"][0]["extension"]["id"] == 700200300


async def test_sip_info_names_the_real_addresses(lab):
    token = await lab.login()
    info = (await lab.call("GET", "/account/~/device/801000000001/sip-info", token)).json()
    assert info["authorizationId"] == "801000000001"
    assert info["outboundProxies"] == [{"region": "NA", "proxy": "127.0.0.1:5090", "proxyTLS": "127.0.0.1:5096"}]
    assert {"domain", "userName", "password"} <= info.keys()
    assert (await lab.call("GET", "/account/~/device/801000000771/sip-info", token)).status_code == 400
    assert (await lab.call("GET", "/account/~/device/1/sip-info", token)).status_code == 404


async def test_sip_provision_gives_a_web_phone(lab):
    token = await lab.login()
    reply = await lab.call("POST", "/client-info/sip-provision", token, {"sipInfo": [{"transport": "TLS"}]})
    assert reply.json()["device"]["type"] == "WebPhone"
    assert reply.json()["sipInfo"][0]["outboundProxy"] == "127.0.0.1:5096"
    assert reply.headers["X-Rate-Limit-Group"] == "heavy"


async def test_a_group_from_create_to_delete(lab):
    token = await lab.login()
    made = await lab.call("POST", GROUPS, token, {"name": "Desk B"})
    assert made.status_code == 200
    group = f"{GROUPS}/{made.json()['id']}"
    assert (await lab.call("PUT", group, token, {"name": "Desk C"})).json()["name"] == "Desk C"
    assigned = await lab.call(
        "POST",
        f"{group}/bulk-assign",
        token,
        {
            "addedExtensions": [
                {"id": "700200301", "permissions": ["Monitored", "Monitoring"]},
                {"id": "700200302", "permissions": ["Monitored"]},
            ]
        },
    )
    assert assigned.status_code == 204
    change = {
        "updatedExtensions": [{"id": "700200301", "permissions": ["Monitored"]}],
        "removedExtensions": [{"id": "700200302"}],
    }
    assert (await lab.call("POST", f"{group}/bulk-assign", token, change)).status_code == 204
    members = (await lab.call("GET", f"{group}/members", token)).json()["records"]
    assert [(m["id"], m["permissions"]) for m in members] == [("700200301", ["Monitored"])]
    listed = (await lab.call("GET", f"{GROUPS}?memberExtensionId=700200301", token)).json()["records"]
    assert [g["name"] for g in listed] == ["Desk A", "Desk C"]
    assert (await lab.call("DELETE", group, token)).status_code == 204
    assert (await lab.call("DELETE", group, token)).status_code == 404


@pytest.mark.parametrize(
    "change",
    [
        {"addedExtensions": [{"id": "700200390", "permissions": ["Monitored"]}]},
        {"addedExtensions": [{"id": "700200393", "permissions": ["Monitored"]}]},
        {"addedExtensions": [{"id": "1", "permissions": ["Monitored"]}]},
        {"addedExtensions": [{"id": "700200301", "permissions": ["Whispering"]}]},
        {"addedExtensions": "700200301"},
    ],
)
async def test_a_bad_assignment_changes_nothing(lab, change):
    token = await lab.login()
    before = dict(lab.world.company.groups["900100"].members)
    assert (await lab.call("POST", f"{GROUPS}/900100/bulk-assign", token, change)).status_code == 400
    assert lab.world.company.groups["900100"].members == before


@pytest.mark.parametrize("name", ["", "Desk A", 7, "x" * 65])
async def test_a_group_needs_a_name_of_its_own(lab, name):
    reply = await lab.call("POST", GROUPS, await lab.login(), {"name": name})
    assert (reply.status_code, reply.json()["errors"][0]["parameterName"]) == (400, "name")
