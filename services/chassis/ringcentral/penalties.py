"""Rate limits: after a 429 nothing more is sent until the penalty is over.

RingCentral restarts a group's penalty with every request made during it, so a client that goes on trying never
gets out. Groups (light, medium, heavy, auth) are learned from the X-Rate-Limit-Group header of earlier replies,
per method and route. A 429 that names no group, and a route whose group is not known yet, count for all groups.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import orjson
import structlog

from services.chassis.clock import Clock, format_utc, parse_utc

log = structlog.get_logger()
DEFAULT_PENALTY_MS = 30_000
_ANY = "*"
_ID = re.compile(r"/(~|[^/]*\d[^/]*)(?=/|$)")


def route(method: str, path: str) -> str:
    """The request with its ids taken out: what requests of one rate-limit group have in common."""
    bare = path.partition("?")[0].removeprefix("/restapi/v1.0")
    return f"{method} {_ID.sub('/{}', bare)}"


def retry_after_ms(headers: Mapping[str, str], now: datetime) -> int:
    """The Retry-After header (seconds or an HTTP date) in ms; 0 when absent or unreadable."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return 0
    try:
        return max(0, round(float(text) * 1000))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return 0
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0, round((until - now).total_seconds() * 1000))


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """What a reply said about the limits of its group; -1 and 0: it said nothing. `group` "*": of all of them."""

    group: str
    limit: int = -1
    remaining: int = -1
    window_ms: int = 0
    penalty_ms: int = 0


def rate_limit(headers: Mapping[str, str], penalty_ms: int) -> RateLimit | None:
    """The X-Rate-Limit headers; None when there are none and no penalty was announced."""
    group = headers.get("X-Rate-Limit-Group", "").lower()
    if not group and not penalty_ms:
        return None
    return RateLimit(
        group=group or _ANY,
        limit=_whole(headers.get("X-Rate-Limit-Limit"), -1),
        remaining=_whole(headers.get("X-Rate-Limit-Remaining"), -1),
        window_ms=_whole(headers.get("X-Rate-Limit-Window"), 0) * 1000,
        penalty_ms=penalty_ms,
    )


def _whole(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.strip().isdecimal() else otherwise


class Penalties:
    """Thread-safe memory of groups and of penalties under way; with a `file` it outlives the process."""

    def __init__(
        self, clock: Clock, groups: Mapping[str, str] | None = None, *, default_ms: int = DEFAULT_PENALTY_MS,
        file: Path | None = None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._default_ms = default_ms
        self._file = file
        self._lock = threading.Lock()
        self._group_of: dict[str, str] = dict(groups or {})
        now = clock.now()
        self._until_s = {
            group: clock.monotonic_s() + (until - now).total_seconds() for group, until in _remembered(file).items()
        }

    def remaining_ms(self, request_route: str) -> int:
        """How long the route must stay silent; 0: it may go."""
        now = self._clock.monotonic_s()
        with self._lock:
            group = self._group_of.get(request_route)
            ends = [end for of, end in self._until_s.items() if group is None or of in (group, _ANY)]
        return max(0, round((max(ends, default=now) - now) * 1000))

    def learn(self, request_route: str, headers: Mapping[str, str]) -> None:
        """Take note of the group that a reply names."""
        group = headers.get("X-Rate-Limit-Group", "")
        if group:
            with self._lock:
                self._group_of[request_route] = group

    def punish(self, headers: Mapping[str, str]) -> int:
        """Note a 429; returns the penalty in ms. One under way is not made shorter."""
        penalty_ms = retry_after_ms(headers, self._clock.now()) or self._default_ms
        group = headers.get("X-Rate-Limit-Group", "") or _ANY
        with self._lock:
            until_s = self._clock.monotonic_s() + penalty_ms / 1000
            self._until_s[group] = max(self._until_s.get(group, until_s), until_s)
            self._remember()
        return penalty_ms

    def _remember(self) -> None:
        if self._file is None:
            return
        now, now_s = self._clock.now(), self._clock.monotonic_s()
        ends = {group: format_utc(now + timedelta(seconds=until - now_s)) for group, until in self._until_s.items()}
        unfinished = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(orjson.dumps(ends))
            unfinished.replace(self._file)
        except OSError as error:
            log.warning("penalty_not_stored", error=type(error).__name__)


def _remembered(file: Path | None) -> dict[str, datetime]:
    """What an earlier process was told; what cannot be read is as if it had not been."""
    try:
        return {group: parse_utc(at) for group, at in orjson.loads(file.read_bytes()).items()} if file else {}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
