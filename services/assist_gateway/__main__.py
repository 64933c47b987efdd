"""Shows live calls: reads what the other services say of each call, keeps the recent ones in memory and gives them to
screens over a WebSocket (`/v1/ws`, see PROTOCOL.md), with the web console on `/`.

Every viewer needs a token. Agents see their own calls, supervisors those of the agents in the groups that they
monitor, admins all. A restart loses nothing: the calls are read again from the topics, and screens reconnect.
"""

from __future__ import annotations

import sys

from services.assist_gateway.app import main
from services.assist_gateway.config import AssistGatewaySettings
from services.chassis.service import run

if __name__ == "__main__":
    sys.exit(run("assist_gateway", AssistGatewaySettings, main, about=__doc__ or ""))
