"""The legs that a worker follows, and which of them belong to one call."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.transcriber.adapters.partition import Place
from services.transcriber.domain.leg import LegStream
from services.transcriber.domain.transcript import Closed, Judged, Opened

TOLD_KEPT = 48


@dataclass(slots=True, eq=False)
class FollowedLeg:
    """A leg's stream and where its audio lies. ``seen_s``: what its partition had listened when it was last heard."""

    stream: LegStream
    place: Place
    seen_s: float
    offset: int
    written_ms: int = 0
    quiet: bool = False
    told: deque[Opened | Closed | Judged] = field(default_factory=lambda: deque(maxlen=TOLD_KEPT))
    """Of late, for a leg that another worker has followed and that is met later than this one."""
    others_ms: dict[str, int] = field(default_factory=dict)
    """When the call's other legs had last been written when this one was."""
    leg_id: str = field(init=False)
    call: tuple[Place, str] = field(init=False)
    """Its call, as far as that lies in one log: the one that its first chunk named, whatever later ones do."""

    def __post_init__(self) -> None:
        self.leg_id = self.stream.identity.leg_id
        self.call = self.place, self.stream.identity.call_id


class FollowedLegs:
    """By id. May be changed while it is gone through."""

    def __init__(self) -> None:
        self._legs: dict[str, FollowedLeg] = {}
        self._calls: dict[tuple[Place, str], list[FollowedLeg]] = {}

    def __len__(self) -> int:
        return len(self._legs)

    def __iter__(self) -> Iterator[FollowedLeg]:
        return iter(list(self._legs.values()))

    def get(self, leg_id: str) -> FollowedLeg | None:
        """One of them, if it is."""
        return self._legs.get(leg_id)

    def at(self, place: Place) -> list[FollowedLeg]:
        """Those of a partition."""
        return [leg for leg in self._legs.values() if leg.place == place]

    def others(self, leg: FollowedLeg) -> list[FollowedLeg]:
        """The other legs of its call."""
        return [other for other in self._calls.get(leg.call, ()) if other is not leg]

    def add(self, leg: FollowedLeg) -> None:
        """One that is not there yet."""
        self._legs[leg.leg_id] = leg
        self._calls.setdefault(leg.call, []).append(leg)

    def let_go(self, leg: FollowedLeg) -> None:
        """Follow it no more."""
        if self._legs.get(leg.leg_id) is leg:
            del self._legs[leg.leg_id]
            self._calls[leg.call].remove(leg)
            if not self._calls[leg.call]:
                del self._calls[leg.call]
