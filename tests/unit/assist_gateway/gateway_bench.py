"""A gateway without topics, through Starlette's test client and without a socket: the test tells the floor what
happens.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt
import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from services.assist_gateway.adapters.journal import TopicJournal
from services.assist_gateway.adapters.key_set import Fetch
from services.assist_gateway.adapters.web import web_app
from services.assist_gateway.app import parts_of
from services.assist_gateway.config import AssistGatewaySettings
from services.assist_gateway.domain.access import Member
from services.assist_gateway.domain.board import Call, Kind, Update
from services.assist_gateway.domain.floor import Floor
from services.assist_gateway.domain.listening import ListenIn, Piece
from services.assist_gateway.domain.reach import Place
from services.chassis.settings import load
from services.chassis.testing.fake_clock import FakeClock
from services.chassis.testing.fake_publisher import FakePublisher
from services.contracts.records import AuditRecord
from services.contracts.topics import AUDIT

KEY = "k" * 32


class NoArchive:
    """Every call is still whole in memory."""

    def read(self, outline: Call) -> Call:
        return outline


class FakeFeed:
    """Says what it was asked for."""

    def __init__(self) -> None:
        self.calls: dict[str, int] = {}

    def want(self, calls: dict[str, int]) -> None:
        self.calls = calls


class Screen:
    """The far end of a WebSocket: several messages may come in one text, one a line."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket
        self._lines: deque[str] = deque()

    def send(self, kind: str, **fields: Any) -> None:
        self.socket.send_json({"type": kind} | fields)

    def receive(self) -> dict[str, Any]:
        if not self._lines:
            self._lines.extend(self.socket.receive_text().split("\n"))
        message: dict[str, Any] = json.loads(self._lines.popleft())
        return message

    def receive_audio(self) -> bytes:
        assert not self._lines
        return self.socket.receive_bytes()

    def closed(self) -> int:
        """How the gateway closes the connection, which is the next thing that it does."""
        with pytest.raises(WebSocketDisconnect) as closed:
            self.socket.receive_text()
        return closed.value.code


class Bench:
    """The gateway's parts as the settings have them; enter its `client` before telling anything."""

    def __init__(self, folder: Path, fetch_keys: Fetch | None = None, **environ: str) -> None:
        local = {"ASSIST_GATEWAY_JWT_KEY": KEY, "ASSIST_GATEWAY_JWT_LEEWAY_MS": "0"}
        settings = load(
            AssistGatewaySettings,
            {"ASSIST_GATEWAY_RECORDINGS": str(folder)} | (local if fetch_keys is None else {}) | environ,
        )
        settings.check()
        self.clock = FakeClock()
        self.publisher = FakePublisher()
        ids = itertools.count()
        journal = TopicJournal(self.publisher, self.clock, lambda: f"id-{next(ids)}")
        self.floor = Floor(journal)
        self.feed = FakeFeed()
        self.listening = ListenIn(self.floor, self.feed, journal, allowed=settings.listen_in)
        self.ready = True
        self.offset = 0
        parts = parts_of(
            settings, floor=self.floor, listening=self.listening, journal=journal, archive=NoArchive(),
            clock=self.clock, ready=lambda: self.ready, fetch_keys=fetch_keys,
        )  # fmt: skip
        origins = [origin for origin in settings.allowed_origins.split(",") if origin]
        self.client = TestClient(web_app(parts, console_dir=folder, allowed_origins=origins))

    def token(self, role: str = "admin", key: str = KEY, **claims: Any) -> str:
        now = int(self.clock.now().timestamp())
        return jwt.encode({"sub": "someone", "role": role, "exp": now + 600} | claims, key, algorithm="HS256")

    def bearer(self, role: str = "admin", **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role, **claims)}"}

    @contextmanager
    def screen(self, role: str = "admin", **claims: Any) -> Iterator[Screen]:
        """A screen that has said hello and has been welcomed."""
        with self.client.websocket_connect("/v1/ws") as socket:
            screen = Screen(socket)
            screen.send("hello", token=self.token(role, **claims))
            assert screen.receive()["type"] == "welcome"
            yield screen

    def tell(self, kind: Kind, item: str, record: dict[str, Any] | None = None, **facts: Any) -> None:
        self.offset += 1
        update = Update(
            kind=kind, call_id=facts.pop("call_id", "c1"), item_id=item, at_ms=facts.pop("at_ms", 0),
            record=json.dumps(record or {"id": item}).encode(), place=Place((kind[:2], 0), self.offset), **facts,
        )  # fmt: skip
        self.on_loop(self.floor.take, update)

    def roster(self, extension_id: str, *, monitored: str = "", monitoring: str = "") -> None:
        """An extension's groups, by their letters."""
        member = Member(monitored_in=frozenset(monitored), monitoring_in=frozenset(monitoring), name=f"N{extension_id}")
        self.on_loop(self.floor.set_member, extension_id, member)

    def sound(self, call_id: str, audio: bytes = b"\xff" * 160, **facts: Any) -> None:
        piece = Piece(
            **({"leg_id": "l1", "channel": "customer", "pcmu": True, "sample_rate_hz": 8_000, "media_time_ms": 1_000,
                "duration_ms": 20, "gap_before_ms": 0, "end": False, "audio": audio} | facts)
        )  # fmt: skip
        self.on_loop(self.listening.take, call_id, piece, 0)

    def on_loop(self, what: Any, *arguments: Any) -> None:
        assert self.client.portal is not None
        self.client.portal.call(what, *arguments)

    def audit(self) -> list[AuditRecord]:
        return self.publisher.records(AUDIT)

    def audited(self) -> list[tuple[str, str, str]]:
        return [(a.action, a.call_id, a.detail) for a in self.audit()]


def refused_with(bench: Bench, first: dict[str, Any] | str | None, **headers: str) -> tuple[str, int]:
    """The code and the close code with which a connection that begins like this ends."""
    with bench.client.websocket_connect("/v1/ws", headers=headers) as socket:
        if first is not None:
            socket.send_text(first if isinstance(first, str) else json.dumps(first))
        error = socket.receive_json()
        while error["type"] == "welcome":
            error = socket.receive_json()
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
    assert error["type"] == "error"
    return error["code"], closed.value.code
