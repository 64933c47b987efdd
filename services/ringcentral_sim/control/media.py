"""The WebSocket /sim/media: where a double of the media gateway answers paper INVITEs (see `paper`)."""

from __future__ import annotations

import asyncio
import json

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from services.ringcentral_sim.paper import PaperLine, PaperSipSide
from services.ringcentral_sim.tasks import Tasks
from services.ringcentral_sim.world import World


def websocket_routes(world: World) -> list[WebSocketRoute]:
    """No route when SIP is real."""
    paper = world.sip
    if not isinstance(paper, PaperSipSide):
        return []

    async def serve(websocket: WebSocket) -> None:
        await websocket.accept()
        line = PaperLine()
        tasks = Tasks()
        writer = tasks.spawn(_write(websocket, line), "media writer")
        reader = tasks.spawn(_read(websocket, line, paper), "media reader")
        try:
            await asyncio.wait({writer, reader}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            paper.leave(line)
            await tasks.cancel()
        if not reader.done() or reader.cancelled():
            await websocket.close()

    return [WebSocketRoute("/sim/media", serve)]


async def _write(websocket: WebSocket, line: PaperLine) -> None:
    while (message := await line.outbox.get()) is not None:
        try:
            await websocket.send_text(json.dumps(message))
        except (RuntimeError, WebSocketDisconnect):
            return


async def _read(websocket: WebSocket, line: PaperLine, paper: PaperSipSide) -> None:
    while True:
        try:
            text = await websocket.receive_text()
        except (RuntimeError, WebSocketDisconnect):
            return
        try:
            message = json.loads(text)
        except ValueError:
            message = None
        if isinstance(message, dict):
            paper.hear(line, message)
        else:
            line.error("not a JSON object")
