"""RTP ports: even ones of a range, each left alone for a while after use so that no stray packet meets a new leg."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class PortPool:
    """Even ports from `first` to `last`, longest unused first. Times in seconds of a monotonic clock."""

    first: int
    last: int
    cool_down_s: float
    _free: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._free.extend((float("-inf"), port) for port in range(self.first + self.first % 2, self.last + 1, 2))

    def take(self, now_s: float) -> int | None:
        """Return a port that has cooled down, or None when there is none now."""
        if not self._free or self._free[0][0] > now_s:
            return None
        return self._free.popleft()[1]

    def give_back(self, port: int, now_s: float) -> None:
        """Take `port` back; it serves again after the cool-down."""
        self._free.append((now_s + self.cool_down_s, port))
