"""The gateway's socket: reads ClientRequests and Heartbeats, writes the outbox, keeps the two clocks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import structlog
from starlette.responses import JSONResponse
from starlette.types import ASGIApp
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.ringcentral_sim.domain.errors import ApiError
from services.ringcentral_sim.events.gateway import CLOSE, Connection, Gateway
from services.ringcentral_sim.events.tunnel import call_app
from services.ringcentral_sim.tasks import Tasks

log = structlog.get_logger()
PASSED_HEADERS = ("x-rate-limit-", "retry-after", "wsg-subscriptionid", "rcrequestid")


async def serve_socket(websocket: WebSocket, gateway: Gateway, app: ASGIApp) -> None:
    """One connection, from handshake to close."""
    if gateway.refuses:
        unavailable = ApiError(503, "CMN-201", "Service is temporarily unavailable")
        await websocket.send_denial_response(JSONResponse(unavailable.body(), status_code=503))
        return
    query = websocket.query_params
    opened = gateway.open(query.get("access_token", ""), query.get("wsc"))
    if opened is None:
        refused = ApiError(401, "OAU-213", "WebSocket token is not found or expired")
        await websocket.send_denial_response(JSONResponse(refused.body(), status_code=401))
        return
    connection, first = opened
    await websocket.accept()
    for frame in first:
        await websocket.send_text(json.dumps(frame))
    tasks = Tasks()
    writer = tasks.spawn(_write(websocket, connection), "ws writer")
    reader = tasks.spawn(_read(websocket, connection, gateway, app, tasks), "ws reader")
    try:
        limit = gateway.limits.absolute_s / gateway.limits.pace.speed
        done, _ = await asyncio.wait({writer, reader}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            await websocket.send_text(json.dumps(gateway.error("WSG-903", "Absolute timeout")))
    finally:
        gateway.close(connection)
        await tasks.cancel()
    try:
        await websocket.close()
    except (RuntimeError, WebSocketDisconnect):
        log.debug("websocket_already_closed")


async def _write(websocket: WebSocket, connection: Connection) -> None:
    while (frame := await connection.outbox.get()) is not CLOSE:
        try:
            await websocket.send_text(json.dumps(frame))
        except (RuntimeError, WebSocketDisconnect):
            return


async def _read(websocket: WebSocket, connection: Connection, gateway: Gateway, app: ASGIApp, tasks: Tasks) -> None:
    host = websocket.headers.get("host", "localhost")
    idle_s = gateway.limits.idle_s / gateway.limits.pace.speed
    active: set[asyncio.Task[Any]] = set()
    while True:
        try:
            async with asyncio.timeout(idle_s):
                text = await websocket.receive_text()
        except TimeoutError:
            await websocket.send_text(json.dumps(gateway.error("WSG-902", "Idle timeout")))
            return
        except (RuntimeError, WebSocketDisconnect):
            return
        meta, body = _frame(text)
        if meta is None:
            connection.outbox.put_nowait(gateway.error("WSG-400", "Frame is not [meta, body]"))
        elif meta.get("type") == "Heartbeat":
            connection.outbox.put_nowait([{"type": "Heartbeat", "messageId": meta.get("messageId")}])
        elif meta.get("type") == "ClientRequest":
            active = {task for task in active if not task.done()}
            if len(active) >= gateway.limits.max_active_requests:
                answer: dict[str, Any] = {
                    "type": "ClientRequest",
                    "messageId": meta.get("messageId"),
                    "status": 429,
                    "headers": {},
                }
                connection.outbox.put_nowait([answer, ApiError(429, "CMN-304", "Too many requests").body()])
            else:
                active.add(tasks.spawn(_request(connection, app, meta, body, host), "ws request"))


def _frame(text: str) -> tuple[dict[str, Any] | None, Any]:
    try:
        frame = json.loads(text)
    except ValueError:
        return None, None
    if not isinstance(frame, list) or not frame or not isinstance(frame[0], dict):
        return None, None
    return frame[0], frame[1] if len(frame) > 1 else None


async def _request(connection: Connection, app: ASGIApp, meta: dict[str, Any], body: Any, host: str) -> None:
    reply = await call_app(
        app,
        method=str(meta.get("method", "GET")),
        path=str(meta.get("path", "/")),
        token=connection.access_token,
        body=body,
        channel_id=connection.channel.id,
        host=host,
    )
    shown = {k: v for k, v in reply.headers.items() if k.startswith(PASSED_HEADERS)}
    headers = {"WSG-SubscriptionId" if k == "wsg-subscriptionid" else k: v for k, v in shown.items()}
    answer = {
        "type": "ClientRequest",
        "messageId": meta.get("messageId"),
        "status": reply.status,
        "headers": headers,
        "wsc": connection.channel.wsc(),
    }
    connection.outbox.put_nowait([answer] if reply.body is None else [answer, reply.body])
