"""The AsyncAPI parser accepts the generated documents; that of the topics names every topic and nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from services.contracts.topics import ALL

ROOT = Path(__file__).resolve().parents[2]
CHECK = Path(__file__).parent / "asyncapi"
DOCUMENT = ROOT / "schemas" / "asyncapi.yaml"
SCREENS = ROOT / "schemas" / "screens.asyncapi.yaml"


def test_it_names_every_topic_with_its_sides() -> None:
    document = yaml.safe_load(DOCUMENT.read_text())
    assert document["channels"].keys() == {topic.name for topic in ALL}
    sides = {
        f"{service}.{action}.{topic.name}"
        for topic in ALL
        for action, services in (("send", topic.producers), ("receive", topic.consumers))
        for service in services
    }
    assert document["operations"].keys() == sides


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("document", "channels"), [(DOCUMENT, len(ALL)), (SCREENS, 1)])
def test_the_parser_accepts_it(document: Path, channels: int) -> None:
    if shutil.which("npm") is None:
        pytest.skip("the AsyncAPI parser runs on Node.js, and there is no npm on the PATH")
    if not (CHECK / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=CHECK, check=True)
    checked = subprocess.run(
        ["node", "check.mjs", str(document)], cwd=CHECK, capture_output=True, text=True, check=False
    )
    found = json.loads(checked.stdout)
    assert found["accepted"], found
    assert found["problems"] == []
    assert found["channels"] == channels
