"""`earshot groups` as a process against the simulator as a process; the examples of docs/groups.md among it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]


class Company:
    """A running simulator and the command line that talks to it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def earshot(self, *arguments: str, jwt: str = "sim-jwt-supervisor") -> subprocess.CompletedProcess[str]:
        credentials = {"SERVER_URL": self.url, "CLIENT_ID": "sim-client-id", "CLIENT_SECRET": "sim-client-secret"}
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            env={
                **os.environ,
                **{f"RINGCENTRAL_{key}": value for key, value in credentials.items()},
                "RINGCENTRAL_JWT": jwt,
                "PYTHONPATH": str(ROOT),
                "LOG_LEVEL": "INFO",
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def groups(self, *arguments: str) -> Any:
        """The JSON result of a command that does well."""
        done = self.earshot("groups", *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def held(self, group: str, *options: str) -> dict[str, list[str]]:
        members = self.groups("members", group, *options)["members"]
        return {member["extension_number"]: member["permissions"] for member in members}

    def session(self) -> httpx.Client:
        """Somebody else's login as the same user, such as a service's."""
        client = httpx.Client(base_url=self.url, trust_env=False)
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "sim-jwt-supervisor"}
        reply = client.post("/restapi/oauth/token", data=form, auth=("sim-client-id", "sim-client-secret"))
        client.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"
        return client

    def state(self) -> Any:
        return httpx.get(f"{self.url}/sim/state", trust_env=False).json()


@contextmanager
def company(folder: Path, **settings: str) -> Iterator[Company]:
    """A simulator on a free port; logins are not what is tested here, so they are many."""
    ours = {"PORT": "0", "SIP_ENABLED": "false", "RATE_AUTH": "1000", **settings}
    simulator = subprocess.Popen(
        [sys.executable, "-m", "services.ringcentral_sim"],
        env={**os.environ, **{f"RINGCENTRAL_SIM_{key}": value for key, value in ours.items()}},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert simulator.stdout is not None
    try:
        yield Company(json.loads(simulator.stdout.readline())["http"], folder)
    finally:
        simulator.terminate()
        simulator.communicate(timeout=15)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Company]]:
    """Starts a simulator with settings; stopped at the end."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(company(tmp_path, **settings))


def test_a_group_from_create_to_delete(start: Callable[..., Company]) -> None:
    sim = start(RATE_MEDIUM="1000", MAX_SESSIONS="2")
    other = sim.session()
    made = sim.groups("create", "Desk B")["group"]
    assert made == {"id": "900101", "name": "Desk B", "site_id": ""}
    assign = ("assign", "Desk B", "--add", "108:Monitored", "--add", "109:Monitored", "--add", "700200303:Monitored")
    assert sim.groups(*assign, "--add", "101:Monitoring,Monitored", "--per-page", "2")["requests"] == 1
    paged = sim.held("900101", "--per-page", "1")
    assert paged == sim.held("900101") == {
        "108": ["Monitored"],
        "109": ["Monitored"],
        "110": ["Monitored"],
        "101": ["Monitoring", "Monitored"],
    }  # fmt: skip
    assert [g["name"] for g in sim.groups("list", "--member", "101", "--per-page", "1")["groups"]] == [
        "Desk A",
        "Desk B",
    ]
    assert sim.groups("rename", "Desk B", "Desk C")["group"]["name"] == "Desk C"
    assert sim.groups("delete", "Desk C", "--yes")["changed"]
    assert sim.earshot("groups", "members", "Desk C").returncode == 2
    assert [g["id"] for g in sim.groups("list")["groups"]] == ["900100"]
    assert other.get("/restapi/v1.0/account/~").status_code == 200, "no command kept its session"


def test_bootstrap_shows_then_does_then_finds_nothing_to_do(start: Callable[..., Company]) -> None:
    sim = start(MORE_AGENTS="20", RATE_MEDIUM="1000")
    bootstrap = ("bootstrap", "--name", "Floor", "--include", "User", "--include", "Limited", "--per-page", "10")
    plan = sim.groups(*bootstrap, "--dry-run")
    assert (plan["changed"], plan["requests"], plan["group"]["created"]) == (True, 0, True)
    assert [g["name"] for g in sim.groups("list")["groups"]] == ["Desk A"]
    done = sim.groups(*bootstrap, "--batch", "10")
    assert (done["added"], done["requests"], done["warnings"]) == (plan["added"], 3, [])
    held = sim.held("Floor", "--per-page", "10")
    assert len(held) == 28
    assert {number for number, permissions in held.items() if permissions == ["Monitoring"]} == {"101", "102"}
    assert held["901"] == held["132"] == ["Monitored"]
    again = sim.groups(*bootstrap)
    assert (again["changed"], again["requests"]) == (False, 0)


def test_refusals_are_one_line_each(start: Callable[..., Company]) -> None:
    sim = start()

    def said(*arguments: str, status: int, jwt: str = "sim-jwt-supervisor") -> str:
        done = sim.earshot("groups", *arguments, jwt=jwt)
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        [line] = [line for line in done.stderr.splitlines() if not line.startswith("{")]
        return line

    assert "permission Groups (HTTP 403 CMN-408)" in said("create", "X", status=1, jwt="sim-jwt-agent")
    assert "RINGCENTRAL_JWT (HTTP 400" in said("list", status=1, jwt="sim-jwt-nobody")
    assert (
        said("create", "x" * 65, status=1)
        == "choose another name: this one is taken, empty or too long (HTTP 400 CMN-101 name)"
    )
    assert "type IvrMenu" in said("assign", "Desk A", "--add", "900:Monitored", status=2)


def test_a_heavy_limit_is_waited_for_and_then_given_up(start: Callable[..., Company]) -> None:
    sim = start(RATE_HEAVY="1", RATE_PENALTY_S="0.1")
    assign = ("groups", "assign", "Desk A", "--batch", "1", "--remove", "108", "--remove", "109")
    done = sim.earshot(*assign)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert done.returncode == 1
    assert lines[:2] == ["part 1 of 2 assigned", "RingCentral asks for a pause: going on in 1 s"]
    assert "it goes on where it stopped (HTTP 429 CMN-301)" in lines[-1]
    assert sim.state()["counters"]["rate_limit_violations"] == 6
    assert set(sim.held("Desk A")) == {"101", "102", "109", "110", "111"}


def test_the_examples_of_the_documentation(start: Callable[..., Company], tmp_path: Path) -> None:
    sim = start(RATE_MEDIUM="1000")
    text = (ROOT / "docs" / "groups.md").read_text()
    steps = [
        tuple(step.partition("\n")[::2])
        for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL)
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
    assert len(steps) == 10
    for line, shown in steps:
        program, *arguments = shlex.split(line)
        if program == "cat":
            (tmp_path / arguments[0]).write_text(shown)
            continue
        done = sim.earshot(*arguments)
        assert (done.returncode, done.stdout) == (0, shown), line
