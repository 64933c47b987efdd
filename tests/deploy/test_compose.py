"""The compose file is valid, names every service and sets only what the services read."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "infra" / "images" / "Dockerfile"
DOCUMENT: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
OURS = {name: service for name, service in DOCUMENT["services"].items() if "build" in service}


def test_it_is_valid() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_every_service_has_an_image_recipe_and_a_place_in_the_file() -> None:
    folders = {p.parent.name for p in (ROOT / "services").glob("*/__main__.py")}
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", DOCKERFILE.read_text(), re.MULTILINE))
    assert folders <= targets
    assert {service["build"]["target"] for service in OURS.values()} == folders


def test_only_the_media_gateways_image_installs_the_sip_stack() -> None:
    locks = {p.stem: p.read_text() for p in (ROOT / "infra/requirements").glob("*.txt")}
    with_it = {name for name, text in locks.items() if "pjsua2" in text}
    assert with_it == {"media_gateway", "runtime", "dev"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_environment_names_are_settings_that_exist(name: str) -> None:
    folder = ROOT / "services" / OURS[name]["build"]["target"]
    known = "".join(p.read_text() for p in [*folder.rglob("*.py"), *(ROOT / "services/chassis").rglob("*.py")])
    for variable in OURS[name].get("environment", {}):
        prefix, _, rest = variable.partition("RINGCENTRAL_SIM_")
        assert variable in known or (not prefix and f"    {rest.lower()}:" in known), variable
