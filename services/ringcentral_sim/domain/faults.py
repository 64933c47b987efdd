"""What goes wrong on purpose: one model that every part asks, and the counters a test may read.

Two sorts. *Switches* hold until they are changed (`invite="none"`, `late_offer=True`, ...). *Chances* strike by
seeded draws (`chances["event_lost"] = Dose(share=0.02)`), each kind from a stream of its own, so that one kind's
draws do not depend on how often another is asked. All times are simulated seconds on the simulator's clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from services.ringcentral_sim.domain.errors import PLAIN_SHAPES, ErrorShape, PlainShape
from services.ringcentral_sim.domain.ports import MonitoringHeaders

InviteFault = Literal["after_reply", "none", "before_reply", "late"]
Kind = Literal[
    "event_lost", "event_repeated", "event_reordered",
    "ws_cut", "ws_cut_long",
    "rate_storm", "http_error", "http_slow", "http_half", "token_killed",
    "invite_before", "invite_late", "invite_none", "headers_omitted", "headers_reordered",
    "late_offer", "two_media_lines",
    "device_offline", "registration_stolen", "bye_lost",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
# These begin and end with the clock, not with a question; the value says what `share` decides.
TIMED: Mapping[Kind, Literal["window", "device"]] = {
    "ws_cut": "window",
    "ws_cut_long": "window",
    "token_killed": "window",
    "device_offline": "device",
    "registration_stolen": "device",
}
HTTP_ERRORS = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """How often and when a kind strikes, in simulated seconds since it was switched on.

    `share` of what is asked (of the windows, or of the devices in a window, for the timed kinds) from `from_s` until
    `to_s`; with `every_s`, only in the first `for_s` of every such period.
    """

    share: float = 1.0
    from_s: float = 0.0
    to_s: float = math.inf
    every_s: float = math.inf
    for_s: float = math.inf

    def active(self, since_s: float) -> bool:
        """Whether it may strike now."""
        if not self.from_s <= since_s < self.to_s:
            return False
        return math.isinf(self.every_s) or (since_s - self.from_s) % self.every_s < self.for_s


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault that was injected; `call_id` is None when it was not about one call."""

    kind: str
    at_s: float
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Spell:
    """A fault and the time that it lasted."""

    kind: str
    from_s: float
    to_s: float


@dataclass(slots=True, kw_only=True)
class Faults:
    """Switches, chances and what came of them. `draw(kind)` gives the next number in [0, 1) of the kind's stream."""

    monitoring_headers: MonitoringHeaders = "all"
    invite: InviteFault = "after_reply"
    invite_late_s: float = 5.0
    late_offer: bool = False
    two_media_lines: bool = False
    offline_devices: frozenset[str] = frozenset()
    stolen_devices: frozenset[str] = frozenset()
    disabled_filters: frozenset[str] = frozenset()
    error_shape: ErrorShape = "errors"
    event_reorder_s: float = 2.0
    slow_s: float = 10.0
    chances: dict[Kind, Dose] = field(default_factory=dict)
    since: dict[Kind, float] = field(default_factory=dict)
    draw: Callable[[str], float] = lambda kind: 1.0
    strikes: list[Strike] = field(default_factory=list)
    _open: dict[Kind, frozenset[str]] = field(default_factory=dict)

    def dose(self, kind: Kind, dose: Dose | None, now: float) -> None:
        """Switch a chance on from `now`, or off with None; a window under way ends."""
        self.chances.pop(kind, None)
        self._close(kind, now)
        if dose is not None:
            self.chances[kind], self.since[kind] = dose, now

    def hits(self, kind: Kind, now: float, call_id: str | None = None) -> bool:
        """Whether this one is struck; a strike is counted."""
        dose = self.chances.get(kind)
        if dose is None or not dose.active(now - self.since[kind]) or self.draw(kind) >= dose.share:
            return False
        self.strikes.append(Strike(kind, now, call_id))
        return True

    def tick(self, now: float, devices: Iterable[str]) -> list[Kind]:
        """Open and close the windows of the timed kinds; those that opened, in the order of `TIMED`."""
        begun: list[Kind] = []
        for kind, decides in TIMED.items():
            dose = self.chances.get(kind)
            if dose is None or not dose.active(now - self.since[kind]):
                self._close(kind, now)
                continue
            if kind in self._open:
                continue
            asked = sorted(devices) if decides == "device" else ["window"]
            struck = frozenset(one for one in asked if self.draw(kind) < dose.share)
            self._open[kind] = struck
            if struck:
                begun.append(kind)
                self.strikes.extend(Strike(kind, now) for _ in struck)
        return begun

    def _close(self, kind: Kind, now: float) -> None:
        if self._open.pop(kind, None) is not None:
            self.strikes.append(Strike(f"{kind}_over", now))

    @property
    def timed(self) -> bool:
        """Whether any chance needs `tick`."""
        return any(kind in TIMED for kind in self.chances) or bool(self._open)

    def refuses_websockets(self) -> bool:
        """No connection can be made while a cut lasts."""
        return any(self._open.get(kind) for kind in ("ws_cut", "ws_cut_long"))

    def offline(self, device_id: str) -> bool:
        """The device is Offline, whatever its registration."""
        return device_id in self.offline_devices or device_id in self._open.get("device_offline", ())

    def stolen(self, device_id: str) -> bool:
        """Another instance holds the device's newest registration: it shows Online, and INVITEs go elsewhere."""
        return device_id in self.stolen_devices or device_id in self._open.get("registration_stolen", ())

    def reclaim(self, device_id: str) -> None:
        """The device has registered anew and is the newest again."""
        self.stolen_devices -= {device_id}
        if "registration_stolen" in self._open:
            self._open["registration_stolen"] -= {device_id}

    def shape(self) -> PlainShape:
        """The body of the next error; `mixed` draws one of the six."""
        if self.error_shape != "mixed":
            return self.error_shape
        return PLAIN_SHAPES[int(self.draw("error_shape") * len(PLAIN_SHAPES)) % len(PLAIN_SHAPES)]

    def http_error(self) -> int:
        """The status of the next injected server error."""
        return HTTP_ERRORS[int(self.draw("http_error.status") * len(HTTP_ERRORS)) % len(HTTP_ERRORS)]

    def spells(self, now: float) -> list[Spell]:
        """What struck everybody: windows from their start to their end (`now` while one lasts), and single moments."""
        done: list[Spell] = []
        open_at: dict[str, float] = {}
        for strike in self.strikes:
            if strike.call_id is not None:
                continue
            kind = strike.kind.removesuffix("_over")
            if kind not in TIMED:
                done.append(Spell(kind, strike.at_s, strike.at_s))
            elif kind == strike.kind:
                open_at.setdefault(kind, strike.at_s)
            elif kind in open_at:
                done.append(Spell(kind, open_at.pop(kind), strike.at_s))
        done.extend(Spell(kind, start, now) for kind, start in open_at.items())
        return sorted(done, key=lambda spell: spell.from_s)

    def injected(self) -> dict[str, int]:
        """Strikes by kind so far, ends of windows left out."""
        counts: dict[str, int] = {}
        for strike in self.strikes:
            if not strike.kind.endswith("_over"):
                counts[strike.kind] = counts.get(strike.kind, 0) + 1
        return counts

    def shown(self) -> dict[str, Any]:
        """Switches, chances and counts, ready for JSON."""
        return {
            "monitoring_headers": self.monitoring_headers,
            "invite": self.invite,
            "invite_late_s": self.invite_late_s,
            "late_offer": self.late_offer,
            "two_media_lines": self.two_media_lines,
            "offline_devices": sorted(self.offline_devices),
            "stolen_devices": sorted(self.stolen_devices),
            "disabled_filters": sorted(self.disabled_filters),
            "error_shape": self.error_shape,
            "event_reorder_s": self.event_reorder_s,
            "slow_s": self.slow_s,
            "chances": {kind: _dose_shown(dose) for kind, dose in self.chances.items()},
            "under_way": sorted(kind for kind, struck in self._open.items() if struck),
            "injected": self.injected(),
        }


def _dose_shown(dose: Dose) -> dict[str, float]:
    named = {
        "share": dose.share,
        "from_s": dose.from_s,
        "to_s": dose.to_s,
        "every_s": dose.every_s,
        "for_s": dose.for_s,
    }
    return {name: value for name, value in named.items() if not math.isinf(value)}


@dataclass(slots=True)
class Counters:
    """What happened since start. `rate_limit_violations` counts every request over a limit (each 429 of the limiter);
    `penalty_violations` those made although a Retry-After had been announced and was not over.
    """

    requests: int = 0
    rate_limit_violations: int = 0
    penalty_violations: int = 0
    logins: int = 0
    supervise_accepted: int = 0
    supervise_refused: int = 0
    supervised_twice: int = 0
    session_deletes: int = 0
    party_deletes: int = 0
    invites_sent: int = 0
    invites_refused: int = 0
    events_published: int = 0
    notifications_sent: int = 0
    webhook_failures: int = 0
    websocket_connections: int = 0
    websocket_recoveries: int = 0
    calls_started: int = 0
    calls_ended: int = 0
    supervise_by_party: dict[str, int] = field(default_factory=dict)
