"""Entry point: `python -m services.media_gateway`."""

from __future__ import annotations

from services.chassis.service import run
from services.media_gateway.app import ABOUT, main
from services.media_gateway.config import MediaGatewaySettings

if __name__ == "__main__":
    raise SystemExit(run("media_gateway", MediaGatewaySettings, main, about=ABOUT))
