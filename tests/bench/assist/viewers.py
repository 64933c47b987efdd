"""Thousands of screens in one process: what the fan-out bench watches with.

`python -m tests.bench.assist.viewers` reads a Plan as JSON from standard input, connects every screen, prints `ready`
once each has its first snapshot, and on the next line of input says what came and how late. Utterances carry the moment
at which they were published, `@@<microseconds>@@`, in their text. The WebSocket is spoken by hand: a library's client
would cost more than the gateway that is measured.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import struct
import sys
import threading
import time
from typing import Any, cast

import msgspec
import uvloop

MARK = re.compile(rb"@@(\d{16})@@")
MASK = b"\x00\x00\x00\x00"
CONNECT_AT_ONCE = 100


class Viewer(msgspec.Struct):
    """One screen: its token and what it asks for."""

    token: str
    asks: list[dict[str, Any]]


class Plan(msgspec.Struct):
    """Where to, and who."""

    port: int
    viewers: list[Viewer]


class Came(msgspec.Struct):
    """What came within a window of publication (microseconds since 1970), as the last line of output."""

    lines: int = 0
    frames: int = 0
    skipped: int = 0
    late_us: list[int] = msgspec.field(default_factory=list)
    closed: int = 0


class Screen(asyncio.Protocol):
    """A WebSocket client that counts."""

    def __init__(self, viewer: Viewer, came: Came, ready: asyncio.Event) -> None:
        self._viewer = viewer
        self._came = came
        self.ready = ready
        self._buffer = bytearray()
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /v1/ws HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Authorization: Bearer {self._viewer.token}\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self._came.closed += 1
        self.ready.set()

    def data_received(self, data: bytes) -> None:
        now_us = time.time_ns() // 1000
        self._buffer += data
        if not self._open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self._buffer.startswith(b"HTTP/1.1 101"), bytes(self._buffer[:200])
            del self._buffer[: end + 4]
            self._open = True
            for ask in self._viewer.asks:
                self._send(0x1, json.dumps(ask).encode())
        while (frame := self._next_frame()) is not None:
            self._take(*frame, now_us)

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return None
            (length,), start = struct.unpack_from(">H", buffer, 2), 4
        elif length == 127:
            if len(buffer) < 10:
                return None
            (length,), start = struct.unpack_from(">Q", buffer, 2), 10
        if len(buffer) < start + length:
            return None
        opcode, body = buffer[0] & 0x0F, bytes(buffer[start : start + length])
        del buffer[: start + length]
        return opcode, body

    def _take(self, opcode: int, body: bytes, now_us: int) -> None:
        if opcode == 0x9:
            self._send(0xA, body)
        if opcode != 0x1:
            return
        if not self.ready.is_set():
            if b'"type":"snapshot"' in body:
                self.ready.set()
            return
        self._came.frames += 1
        self._came.lines += body.count(b"\n") + 1
        if b'"type":"skipped"' in body:
            self._came.skipped += 1
        self._came.late_us += [now_us - int(mark) for mark in MARK.findall(body)]

    def _send(self, opcode: int, body: bytes) -> None:
        size = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0xFE]) + struct.pack(">H", len(body))
        self._transport.write(bytes([0x80 | opcode]) + size + MASK + body)


async def watch(plan: Plan) -> None:
    """Connect, wait for the word, report twice: from the first word on, until the second."""
    loop, came = asyncio.get_running_loop(), Came()
    screens = []
    for first in range(0, len(plan.viewers), CONNECT_AT_ONCE):
        batch = [Screen(viewer, came, asyncio.Event()) for viewer in plan.viewers[first : first + CONNECT_AT_ONCE]]
        for screen in batch:
            await loop.create_connection(lambda screen=screen: screen, "127.0.0.1", plan.port)  # type: ignore[misc]
        await asyncio.gather(*(screen.ready.wait() for screen in batch))
        screens += batch
    words: asyncio.Queue[str] = asyncio.Queue()
    threading.Thread(
        target=lambda: [loop.call_soon_threadsafe(words.put_nowait, line) for line in sys.stdin], daemon=True
    ).start()
    print("ready", flush=True)
    await words.get()
    came.lines = came.frames = came.skipped = 0
    came.late_us.clear()
    await words.get()
    print(msgspec.json.encode(came).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(watch(msgspec.json.decode(sys.stdin.readline(), type=Plan)))
