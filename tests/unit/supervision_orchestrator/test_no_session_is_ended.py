"""DELETE on a session drops the customer's call: no code of ours may be able to send it."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
OURS = sorted(
    path
    for path in (REPOSITORY / "services").rglob("*.py")
    if "ringcentral_sim" not in path.parts and "contracts" not in path.parts
)
REQUEST = re.compile(r"""\.delete\(|["']DELETE["']|["']delete["']""")


def test_orchestrator_and_gateway_send_no_delete_at_all() -> None:
    watched = [p for p in OURS if {"supervision_orchestrator", "media_gateway", "event_ingestor"} & set(p.parts)]
    assert len(watched) > 40

    found = {
        str(path.relative_to(REPOSITORY)): line.strip()
        for path in watched
        for line in path.read_text(encoding="utf-8").splitlines()
        if REQUEST.search(line) and "subscription" not in line
    }

    assert found == {}


def test_no_code_deletes_below_telephony_sessions() -> None:
    for path in OURS:
        text = path.read_text(encoding="utf-8")
        if REQUEST.search(text):
            assert "telephony/sessions" not in text, path
