"""The compose file is valid, names every service and sets only what the services read."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic_settings import BaseSettings

from services.chassis.ringcentral.detection import DetectionSettings
from services.chassis.settings import KafkaSettings, RingCentralSettings

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "infra" / "images" / "Dockerfile"
DOCUMENT: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
OURS = {name: service for name, service in DOCUMENT["services"].items() if "build" in service}


def test_it_is_valid() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    files = [str(COMPOSE), str(ROOT / "infra/images/compose.offline.yml")]
    checked = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
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


def settings_of(service: str) -> set[str]:
    """Names of the environment variables that the service reads."""
    if service == "cli":
        classes: list[type[BaseSettings]] = [KafkaSettings, RingCentralSettings, DetectionSettings]
        others = {"ASSIST_GATEWAY_JWT_KEY", "LOG_LEVEL"}  # the level comes with the block that all share
    else:
        module = importlib.import_module(f"services.{service}.config")
        classes = [c for c in vars(module).values() if isinstance(c, type) and issubclass(c, BaseSettings)]
        others = set()
    prefixes = {c: c.model_config.get("env_prefix", "") for c in classes}
    return others | {
        str(field.validation_alias or f"{prefixes[c]}{name}".upper())
        for c in classes
        for name, field in c.model_fields.items()
    }


@pytest.mark.parametrize("name", sorted(OURS))
def test_environment_names_are_settings_that_exist(name: str) -> None:
    known = settings_of(OURS[name]["build"]["target"])
    assert set(OURS[name].get("environment", {})) <= known


@pytest.mark.parametrize("name", sorted(OURS))
def test_what_is_kept_outlives_the_container(name: str) -> None:
    """The containers' own file system is read-only: what is to be kept, such as penalties, needs a volume."""
    kept = [value for value in OURS[name].get("environment", {}).values() if str(value).startswith("/data")]
    volumes = [volume.split(":")[0] for volume in OURS[name].get("volumes", ()) if ":/data" in volume]
    assert len(volumes) == bool(kept)
    assert set(volumes) <= set(DOCUMENT["volumes"])


def test_the_chart_sets_what_exists() -> None:
    for service, values in yaml.safe_load((ROOT / "infra/helm/earshot/values.yaml").read_text())["services"].items():
        assert set(values["env"]) <= settings_of(service)


def test_the_offline_file_only_replaces_the_broker() -> None:
    offline = yaml.safe_load((ROOT / "infra/images/compose.offline.yml").read_text())
    assert set(offline["services"]) == {"kafka"}
    assert (ROOT / offline["services"]["kafka"]["build"]["dockerfile"]).is_file()
