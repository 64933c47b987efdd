"""`earshot groups` against a company in memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.chassis.ringcentral import RingCentralRefused
from services.chassis.ringcentral.extensions import EXTENSIONS
from services.chassis.ringcentral.groups import GROUPS
from services.cli.adapters.ringcentral_access import Access, say_refusal
from services.cli.commands.groups import groups


class Company:
    """Holds groups and extensions; remembers what was changed; refuses as scripted, by method."""

    def __init__(self) -> None:
        self.extensions = [
            self._extension(300, "101", admin=True),
            self._extension(301, "108"),
            self._extension(302, "109"),
            self._extension(303, "110", status="Disabled"),
            self._extension(390, "900", type="IvrMenu"),
            self._extension(391, "901", type="Limited"),
        ]
        self.groups: dict[str, str] = {"31": "Desk A"}
        self.members: dict[str, dict[str, list[str]]] = {"31": {"301": ["Monitored"], "302": ["Monitored"]}}
        self.changes: list[tuple[str, str, Any]] = []
        self.refusals: dict[str, list[RingCentralRefused]] = {}
        self.slept: list[float] = []

    @staticmethod
    def _extension(number: int, extension_number: str, *, admin: bool = False, **fields: str) -> dict[str, Any]:
        told = {"id": number, "extensionNumber": extension_number, "type": "User", "status": "Enabled"}
        return told | fields | {"permissions": {"admin": {"enabled": admin}}}

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self._refuse("GET")
        bare = path.partition("?")[0]
        if bare == f"{EXTENSIONS}/~":
            return {"id": 300}
        if bare == EXTENSIONS:
            return {"records": self.extensions}
        if bare == GROUPS:
            return {"records": [{"id": key, "name": name} for key, name in self.groups.items()]}
        members = self.members[bare.removeprefix(f"{GROUPS}/").removesuffix("/members")]
        return {"records": [{"id": key, "permissions": held} for key, held in members.items()]}

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self._refuse("POST")
        body = body or {}
        self.changes.append(("POST", path.removeprefix(GROUPS), body))
        if path == GROUPS:
            self.groups["32"], self.members["32"] = body["name"], {}
            return {"id": "32", "name": body["name"]}
        members = self.members[path.removeprefix(f"{GROUPS}/").removesuffix("/bulk-assign")]
        for entry in (*body.get("addedExtensions", ()), *body.get("updatedExtensions", ())):
            members[entry["id"]] = entry["permissions"]
        for entry in body.get("removedExtensions", ()):
            del members[entry["id"]]
        return {}

    def put(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self.changes.append(("PUT", path.removeprefix(GROUPS), body))
        return {}

    def delete(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        self.changes.append(("DELETE", path.removeprefix(GROUPS), None))
        return {}

    def pages(self, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        raise AssertionError("the command follows pages by a client that waits")

    def _refuse(self, method: str) -> None:
        if self.refusals.get(method):
            raise self.refusals[method].pop(0)

    def run(self, *arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(groups, arguments, obj=Access(rest=self, sleep=self.slept.append))
        assert result.exit_code == status, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


@pytest.fixture
def company() -> Company:
    return Company()


def test_list_and_members(company: Company):
    assert company.run("list").stdout == "31  Desk A\n"
    assert company.json("list", "--member", "108")["groups"] == [{"id": "31", "name": "Desk A", "site_id": ""}]
    assert [m["extension_id"] for m in company.json("members", "Desk A")["members"]] == ["301", "302"]
    assert company.json("members", "31")["members"][0]["permissions"] == ["Monitored"]
    assert "no group has the id or name Desk Z" in company.run("members", "Desk Z", status=2).stderr


def test_create_rename_delete(company: Company):
    assert company.run("create", "Desk B").stdout == "created group Desk B (32)\n"
    assert company.run("rename", "Desk B", "Desk C").stdout == "renamed group Desk C (32)\n"
    assert company.run("rename", "Desk B", "Desk B").stdout == "nothing to change: group Desk B (32)\n"
    assert company.run("delete", "32", "--yes").stdout == "deleted group Desk B (32)\n"
    assert [change[:2] for change in company.changes] == [("POST", ""), ("PUT", "/32"), ("DELETE", "/32")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "Desk A"), "choose another name: the group 31 has the name Desk A"),
        (("delete", "31"), "--yes is needed"),
        (("delete", "31", "--json"), "--yes is needed"),
        (("assign", "31"), "say what to change"),
    ],
)
def test_what_is_missing_is_said_and_nothing_done(company: Company, arguments: tuple[str, ...], said: str):
    assert said in company.run(*arguments, status=2).stderr
    assert company.changes == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "Desk B"),
        ("rename", "31", "Desk B"),
        ("delete", "31"),
        ("assign", "31", "--add", "101:Monitoring"),
        ("bootstrap", "--name", "Floor"),
    ],
)
def test_a_dry_run_changes_nothing(company: Company, arguments: tuple[str, ...]):
    result = company.json(*arguments, "--dry-run")
    assert (result["dry_run"], result["changed"], company.changes) == (True, True, [])
    assert "would" in company.run(*arguments, "--dry-run").stdout


def test_assign_sends_the_difference_once(company: Company):
    ask = ("assign", "Desk A", "--add", "108:Monitoring", "--add", "300:monitoring", "--remove", "109")
    result = company.json(*ask)
    assert company.changes == [
        (
            "POST",
            "/31/bulk-assign",
            {
                "addedExtensions": [{"id": "300", "permissions": ["Monitoring"]}],
                "updatedExtensions": [{"id": "301", "permissions": ["Monitoring", "Monitored"]}],
                "removedExtensions": [{"id": "302"}],
            },
        )
    ]
    assert result["updated"] == [
        {"extension_id": "301", "extension_number": "108", "permissions": ["Monitoring", "Monitored"]}
    ]
    assert (result["requests"], result["changed"]) == (1, True)
    again = company.json(*ask)
    assert (again["requests"], again["changed"], len(company.changes)) == (0, False, 1)
    assert company.run(*ask).stdout.endswith("nothing to change\n")


def test_update_sets_exactly_and_remove_may_take_one_permission(company: Company):
    company.run("assign", "31", "--add", "108:Monitoring")
    company.run("assign", "31", "--remove", "108:Monitored", "--update", "109:Monitoring")
    assert company.members["31"] == {"301": ["Monitoring"], "302": ["Monitoring"]}
    company.run("assign", "31", "--update", "109:")
    assert company.members["31"] == {"301": ["Monitoring"]}


def test_a_member_whose_extension_is_gone_can_be_removed(company: Company):
    company.members["31"]["999"] = ["Monitored"]
    company.run("assign", "31", "--remove", "999")
    assert "999" not in company.members["31"]


def test_every_problem_of_the_options_is_told_at_once(company: Company):
    said = company.run("assign", "31", "--add", "108", "--add", "109:Whispering", status=2).stderr
    assert said.splitlines() == [
        "--add 108: say what to allow: Monitoring, Monitored or both",
        "--add 109:Whispering: Whispering is no permission; there are Monitoring and Monitored",
    ]
    asks = ("--add", "777:Monitored", "--add", "900:Monitored", "--update", "101:Monitored", "--add", "108:Monitored")
    said = company.run("assign", "31", *asks, "--remove", "301", status=2).stderr
    assert [re.sub(r";.*", "", line) for line in said.splitlines()] == [
        "--add 777:Monitored: no extension has the number or id 777",
        "--add 900:Monitored: an extension of type IvrMenu cannot be a member",
        "--update 101:Monitored: 101 is no member",
        "--remove 301: 301 is named twice",
    ]
    assert company.changes == []


def test_a_number_that_is_another_ones_id_is_not_guessed(company: Company):
    company.extensions.append(Company._extension(108, "555"))
    said = company.run("assign", "31", "--add", "108:Monitored", status=2).stderr
    assert said == "--add 108:Monitored: 108 may mean any of the extensions with the ids 108 and 301\n"


def test_files_of_both_kinds(company: Company, tmp_path: Path):
    table = tmp_path / "team.csv"
    table.write_text("\ufeffextension,name,permissions,action\n101,Lead,Monitoring+Monitored,\n109,Ben,,remove\n")
    listing = tmp_path / "more.json"
    listing.write_text('[{"extension": 901, "permissions": ["Monitored"], "action": "add"}]')
    company.run("assign", "31", "--from-file", str(table), "--from-file", str(listing))
    assert company.members["31"] == {
        "300": ["Monitoring", "Monitored"],
        "301": ["Monitored"],
        "391": ["Monitored"],
    }


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "team.csv",
            "extension,permissions\n108,Monitoring\n,Monitored\n109,Whispering\n110,\n",
            [
                "team.csv:3: an extension's number or id is missing",
                "team.csv:4: Whispering is no permission; there are Monitoring and Monitored",
                "team.csv:5: say what to allow: Monitoring, Monitored or both",
            ],
        ),
        (
            "team.csv",
            "108,Monitoring\n",
            ["team.csv:1: the first line names the columns: extension,permissions,action"],
        ),
        (
            "team.json",
            '[{"extension": "108", "permissions": ["Monitored"], "action": "drop"}, {"permissions": 7}]',
            [
                "team.json: entry 1: drop is no action; there are add, update, remove",
                "team.json: entry 2: 7 is no permission; there are Monitoring and Monitored",
            ],
        ),
    ],
)
def test_wrong_lines_of_a_file_are_told_by_number(company, tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    result = company.run("assign", "31", "--from-file", str(tmp_path / name), status=2)
    assert (result.stderr.splitlines(), company.changes) == (said, [])


def test_bootstrap_makes_admins_supervisors_and_the_others_agents(company: Company):
    plan = company.json("bootstrap", "--name", "Floor", "--dry-run")
    made = company.run("bootstrap", "--name", "Floor")
    assert made.stdout.splitlines() == [
        "group Floor (new)",
        "  + 101      300            Monitoring",
        "  + 108      301            Monitored",
        "  + 109      302            Monitored",
        "created group Floor (32)",
        "3 added, 0 updated, 0 removed",
    ]
    assert made.stderr == ""
    assert [entry["extension_id"] for entry in plan["added"]] == ["300", "301", "302"]
    again = company.json("bootstrap", "--name", "Floor")
    assert (again["changed"], again["requests"], len(company.changes)) == (False, 0, 2)


def test_bootstrap_by_type_and_by_extension(company: Company):
    options = ("--include", "user", "--include", "limited", "--include", "110", "--exclude", "109", "--supervisor")
    company.run("bootstrap", "--name", "Floor", *options, "108")
    assert company.members["32"] == {
        "300": ["Monitoring"],
        "301": ["Monitoring"],
        "303": ["Monitored"],
        "391": ["Monitored"],
    }


def test_bootstrap_takes_away_only_when_told_to(company: Company):
    company.members["31"] = {"300": ["Monitored"], "391": ["Monitored"]}
    kept = company.run("bootstrap", "--name", "Desk A")
    assert company.members["31"]["300"] == ["Monitoring", "Monitored"]
    assert kept.stderr == "note: 2 members hold more than the rule gives and keep it; --exact takes it away\n"
    company.run("bootstrap", "--name", "Desk A", "--exact")
    assert company.members["31"] == {"300": ["Monitoring"], "301": ["Monitored"], "302": ["Monitored"]}


def test_bootstrap_notes_a_group_that_could_not_work(company: Company):
    company.extensions[0]["permissions"] = {}
    notes = company.json("bootstrap", "--name", "Floor", "--dry-run")["warnings"]
    assert [note.partition(":")[0] for note in notes] == [
        "nobody in the group would supervise",
        "extension 101, whose credentials these are, would not supervise",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--include", "Robot"), "--include Robot: neither an extension nor one of"),
        (("--include", "900"), "--include 900: an extension of type IvrMenu cannot be a member"),
        (("--exclude", "777"), "--exclude 777: no extension has the number or id 777"),
        (("--supervisor", "777"), "--supervisor 777: no extension"),
    ],
)
def test_bootstrap_refuses_what_it_does_not_know(company: Company, options: tuple[str, ...], said: str):
    assert company.run("bootstrap", "--name", "Floor", *options, status=2).stderr.startswith(said)
    assert company.changes == []


def test_a_large_assignment_goes_in_parts_and_waits_as_told(company: Company):
    company.refusals["POST"] = [RingCentralRefused(429, "CMN-301", retry_after_ms=60_000)]
    result = company.run(
        "assign", "31", "--add", "101:Monitoring", "--remove", "108", "--remove", "109", "--batch", "2"
    )
    assert result.stderr.splitlines() == [
        "RingCentral asks for a pause: going on in 60 s",
        "part 1 of 2 assigned",
        "part 2 of 2 assigned",
    ]
    assert company.slept == [60.0]
    assert company.members["31"] == {"300": ["Monitoring"]}


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (RingCentralRefused(0, request="GET /x"), "check RINGCENTRAL_SERVER_URL"),
        (RingCentralRefused(403, "CMN-401", request="POST /x"), "give the app the permission EditExtensions"),
        (RingCentralRefused(403, "CMN-401", request="GET /x"), "give the app the permission ReadAccounts"),
        (RingCentralRefused(403, "CMN-408", request="PUT /x"), "a role with the permission Groups"),
        (RingCentralRefused(403, "CMN-408", request="GET /x"), "a role with the permission ReadExtensions"),
        (RingCentralRefused(400, "OAU-140", request="POST /restapi/oauth/token"), "RINGCENTRAL_JWT"),
        (RingCentralRefused(401, "OAU-128", request="GET /x"), "RINGCENTRAL_CLIENT_SECRET"),
        (RingCentralRefused(400, "CMN-101", request="POST /x", parameter="name"), "choose another name"),
        (RingCentralRefused(400, "CMN-403", request="POST /x", parameter="extensionId"), "check type and status"),
        (RingCentralRefused(404, "CMN-102", request="POST /x", parameter="groupId"), "is gone"),
        (RingCentralRefused(429, "CMN-301", request="POST /x"), "send none for a minute"),
        (RingCentralRefused(503, "CMN-201", request="POST /x"), "run this again later"),
    ],
)
def test_a_refusal_is_one_line_that_says_what_to_change(company: Company, refusal: RingCentralRefused, said: str):
    company.refusals["GET"] = [refusal]
    lines = company.run("list", status=1).stderr.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert lines[0].endswith(f"({'no reply' if not refusal.status else f'HTTP {refusal.status} {refusal.error_code}'}"
                             f"{f' {refusal.parameter}' if refusal.parameter else ''})")  # fmt: skip
    assert lines == [say_refusal(refusal)]


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch):
    for name in ("CLIENT_ID", "CLIENT_SECRET", "JWT"):
        monkeypatch.delenv(f"RINGCENTRAL_{name}", raising=False)
    result = CliRunner().invoke(groups, ["list"])
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        f"RINGCENTRAL_{name}: is required and not set" for name in ("CLIENT_ID", "CLIENT_SECRET", "JWT")
    ]
