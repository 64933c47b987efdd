"""Watches the phones of the extensions that may be monitored.

Reads RingCentral's monitoring groups into monitoring.roster and the telephony session events of the monitored
extensions, by WebSocket or webhook, into telephony.events. Where neither is allowed, presence events tell which calls
to read by REST.
"""

from __future__ import annotations

import sys

from services.chassis.service import run
from services.event_ingestor import app
from services.event_ingestor.config import EventIngestorSettings

if __name__ == "__main__":
    sys.exit(run("event_ingestor", EventIngestorSettings, app.main, about=__doc__ or ""))
