"""Whether the events of calls can reach us, tried out: a WebSocket is opened, a webhook address asked for its echo.

The WebSocket's address holds a token: it is never shown.
"""

from __future__ import annotations

import secrets
from urllib.parse import urlencode, urlsplit

import httpx
import orjson
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from services.chassis.ringcentral import RingCentralClient
from services.cli.domain.checks import Check, verdict

OPEN_TIMEOUT_S = 10.0
REPLY_WITHIN_S = 3.0
MOST_REPLY_BYTES = 1024


def probe_websocket(client: RingCentralClient) -> Check:
    """Open a connection and be greeted. Raises RingCentralRefused when no token is given."""
    token = client.websocket_token()
    uri = str(token.get("uri", ""))
    query = urlencode({"access_token": str(token.get("ws_access_token", ""))})
    host = urlsplit(uri).hostname or "no host"
    try:
        with connect(
            f"{uri}{'&' if '?' in uri else '?'}{query}", open_timeout=OPEN_TIMEOUT_S, close_timeout=1.0
        ) as connection:
            greeting = orjson.loads(connection.recv(timeout=OPEN_TIMEOUT_S))
        said = greeting[0].get("type") if isinstance(greeting, list) and greeting else "nothing known"
    except InvalidStatus as error:
        said = f"HTTP {error.response.status_code}"
    except Exception as error:  # noqa: BLE001 - of whatever kind: its text may show the address
        said = type(error).__name__
    return verdict(
        "detection by WebSocket",
        f"{host} says {said}",
        well=said == "ConnectionDetails",
        remedy=f"let WebSockets (wss, port 443) out to {host}; where that cannot be, set EVENT_INGESTOR_MODE=webhook",
    )


def probe_webhook(url: str, *, https_wanted: bool) -> Check:
    """Ask the address as RingCentral does before it subscribes."""
    name, parts = "detection by webhook", urlsplit(url)
    if https_wanted and parts.scheme != "https":
        remedy = "RingCentral takes https addresses only: set EVENT_INGESTOR_WEBHOOK_URL to that of your ingress"
        return Check(name=name, well=False, found=f"{url} is not https", remedy=remedy)
    token = secrets.token_hex(8)
    try:
        reply = httpx.post(url, headers={"Validation-Token": token}, timeout=REPLY_WITHIN_S)
    except httpx.HTTPError as error:
        remedy = (
            "start the ingestor in mode webhook and lead EVENT_INGESTOR_WEBHOOK_URL to its port; run this from outside "
            "too, since RingCentral comes from there"
        )
        return Check(name=name, well=False, found=f"{url} does not answer ({type(error).__name__})", remedy=remedy)
    echoed = reply.headers.get("validation-token") == token
    return verdict(
        name,
        f"{url} answers {reply.status_code} {'with' if echoed else 'without'} the validation token",
        well=reply.status_code == 200 and echoed and len(reply.content) <= MOST_REPLY_BYTES,
        remedy="something else answers there, or takes headers away: lead the path of EVENT_INGESTOR_WEBHOOK_URL "
        "unchanged to the ingestor's EVENT_INGESTOR_WEBHOOK_PORT",
    )


def check_webhook_subscription(client: RingCentralClient, url: str) -> Check:
    """Whether RingCentral has a subscription for the address that stands. Raises RingCentralRefused."""
    records = client.get("/restapi/v1.0/subscription").get("records") or []
    ours = [one for one in records if (one.get("deliveryMode") or {}).get("address") == url]
    states = sorted({str(one.get("status")) for one in ours})
    return verdict(
        "webhook subscription",
        f"{len(ours)} for this address{': ' + ', '.join(states) if states else ''}",
        well=states == ["Active"],
        remedy="the ingestor makes it, and makes it anew when it was suspended: start it and look again",
    )
