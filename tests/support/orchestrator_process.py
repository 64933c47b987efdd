"""The orchestrator in a process of its own, with a RingCentral that answers from a folder.

    python orchestrator_process.py FOLDER      (the rest of the settings from the environment)

`FOLDER/sessions/<call>.json` is what GET session says (missing: 404); each request is a line of `FOLDER/asked.jsonl`.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from services.chassis.service import run
from services.supervision_orchestrator import app
from services.supervision_orchestrator.config import OrchestratorSettings
from services.supervision_orchestrator.domain.inputs import ReadParty

SUPERVISOR = "700200300"


class FolderApi:
    """Implements SuperviseApi."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def own_extension_id(self) -> str:
        return SUPERVISOR

    def read_session(self, call_id: str) -> tuple[ReadParty, ...] | None:
        self._note(call_id, "read")
        session = self._folder / "sessions" / f"{call_id}.json"
        if not session.exists():
            return None
        return tuple(ReadParty(**party) for party in json.loads(session.read_text()))

    def supervise_party(self, call_id: str, party_id: str, *, agent_extension_id: str, device_id: str) -> str:
        self._note(call_id, party_id)
        return f"{party_id}9"

    def supervise_session(self, call_id: str, *, agent_extension_id: str, device_id: str) -> str:
        self._note(call_id, "session")
        return "p-own"

    def _note(self, call_id: str, request: str) -> None:
        with (self._folder / "asked.jsonl").open("a") as log:
            log.write(json.dumps([call_id, request]) + "\n")


if __name__ == "__main__":
    api = FolderApi(Path(sys.argv.pop()))
    sys.exit(run("supervision_orchestrator", OrchestratorSettings, partial(app.main, api=api), about="A test's own."))
