"""What the connection's state machine knows, hears and asks for; the machine itself is `connection.decide`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from services.event_ingestor.domain.frames import Frame, Wsc


class Phase(Enum):
    """How far the connection has come."""

    OFFLINE = "offline"
    OPENING = "opening"
    GREETING = "greeting"
    OPEN = "open"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A subscription request that waits for its reply."""

    message_id: str
    extensions: frozenset[str]
    until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """The state. Times are monotonic ms; `extensions` are the ids to watch, `subscribed` those being watched.

    After a recovery `wsc` is stale, of the former connection, and `wsc_next` waits: see `connection.cursor`.
    """

    heartbeat_ms: int = 30_000
    phase: Phase = Phase.OFFLINE
    extensions: frozenset[str] = frozenset()
    subscribed: frozenset[str] | None = None
    pending: Pending | None = None
    wsc: Wsc | None = None
    wsc_stale: bool = False
    wsc_next: Wsc | None = None
    offered: bool = False
    tries: int = 0
    refusals: int = 0
    requests: int = 0
    recovery_ms: int = 180_000
    lost_at_ms: int | None = None
    open_at_ms: int = 0
    opened_at_ms: int = 0
    greet_until_ms: int = 0
    subscribe_at_ms: int | None = None
    renew_at_ms: int = 0
    beat_at_ms: int = 0
    replayed_left: int = 0
    replayed_until_ms: int = 0


@dataclass(frozen=True, slots=True)
class Woken:
    """Time passed."""


@dataclass(frozen=True, slots=True)
class Watch:
    """These extensions are to be watched from now on."""

    extensions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Opened:
    """The socket is open."""


@dataclass(frozen=True, slots=True)
class OpenFailed:
    """No socket; `refused` when the gateway itself said no (a 4xx), so that the cursor is of no use either."""

    retry_after_ms: int = 0
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Came:
    """A frame came."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class Lost:
    """The socket is closed, by whomever."""


Event = Woken | Watch | Opened | OpenFailed | Came | Lost


@dataclass(frozen=True, slots=True)
class Open:
    """Fetch a token and open a socket; `wsc` "" for a fresh connection."""

    wsc: str


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Send a subscription request."""

    message_id: str
    extensions: frozenset[str]


@dataclass(frozen=True, slots=True)
class SendHeartbeat:
    """Show the gateway that we live."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket; Lost follows."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Publish a notification."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Hydrate:
    """Events may have been missed: read the calls by REST."""

    reason: str


@dataclass(frozen=True, slots=True)
class Live:
    """Events flow. `recovered`: the former subscription lives on."""

    recovered: bool


@dataclass(frozen=True, slots=True)
class Down:
    """No events flow, for a stated reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Disabled:
    """Extensions that the gateway does not watch although asked to, with its reasons; empty when all is well."""

    filters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A subscription for so many extensions was not taken; it is asked for again in a while."""

    extensions: int
    status: int
    error_code: str


Effect = Open | Subscribe | SendHeartbeat | Close | Deliver | Hydrate | Live | Down | Disabled | Refused
Decision = tuple[Connection, tuple[Effect, ...]]
