"""Follows each call of a monitored agent and gets RingCentral to send us both voices.

Reads telephony.events, media.legs and its own supervision.inbox; asks the Call Supervise API for each party, or for
the session where a call has more than two; accounts for each call in calls.lifecycle.
"""

from __future__ import annotations

import sys

from services.chassis.service import run
from services.supervision_orchestrator import app
from services.supervision_orchestrator.config import OrchestratorSettings

if __name__ == "__main__":
    sys.exit(run("supervision_orchestrator", OrchestratorSettings, app.main, about=__doc__ or ""))
