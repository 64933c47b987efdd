"""State of a WebSocket gateway channel that outlives its connection: numbering, buffer, recovery."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

Frame = list[Any]


@dataclass(slots=True)
class Channel:
    """One logical connection; `token()` after each notification names the place a client has seen."""

    id: str
    owner_id: str
    buffer_size: int = 100
    window_s: float = 180.0
    sequence: int = 1
    subscription_id: str | None = None
    detached_at: float | None = None
    _recent: deque[tuple[int, Frame]] = field(default_factory=deque)

    def token(self) -> str:
        """Opaque to the client: channel and sequence."""
        return f"WSC-{self.id}-{self.sequence}"

    def wsc(self) -> dict[str, Any]:
        """The `wsc` object of a frame's meta."""
        return {"token": self.token(), "sequence": self.sequence}

    def notify(self, message_id: str, request_id: str, body: dict[str, Any]) -> Frame:
        """Number a notification and keep it for recovery; only the newest `buffer_size` are kept."""
        self.sequence += 1
        meta = {
            "type": "ServerNotification",
            "messageId": message_id,
            "status": 200,
            "headers": {"RCRequestId": request_id},
            "wsc": self.wsc(),
        }
        frame: Frame = [meta, body]
        self._recent.append((self.sequence, frame))
        while len(self._recent) > self.buffer_size:
            self._recent.popleft()
        return frame

    def detach(self, now: float) -> None:
        """The connection is gone; the window starts."""
        self.detached_at = now

    def expired(self, now: float) -> bool:
        """Detached for longer than the recovery window."""
        return self.detached_at is not None and now - self.detached_at > self.window_s

    def recover(self, seen: int) -> list[Frame]:
        """Attach again; the kept notifications after the client's place, oldest first."""
        self.detached_at = None
        return [frame for number, frame in self._recent if number > seen]


def read_token(token: str) -> tuple[str, int] | None:
    """Channel id and sequence of a `wsc` token; None when it is not one of ours."""
    parts = token.rsplit("-", 1)
    if len(parts) != 2 or not parts[0].startswith("WSC-") or not parts[1].isdigit():
        return None
    return parts[0].removeprefix("WSC-"), int(parts[1])
