"""Between simulated seconds and a client's own: everything that a client reads is in the client's seconds.

Inside, every window, penalty, life and delay is in simulated seconds. With `speed` 20 a penalty of 60 simulated
seconds is over after 3 of the client's, and Retry-After says 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Pace:
    """`speed` simulated seconds pass in one of the client's."""

    speed: float = 1.0

    def wait_s(self, simulated_s: float) -> int:
        """How long a client has to wait: rounded up, so that it never comes too early (Retry-After, windows)."""
        return math.ceil(round(simulated_s / self.speed, 6))

    def life_s(self, simulated_s: float) -> int:
        """How long a client may rely on something: rounded down, but never 0 unless it is over (expires_in, ...)."""
        if simulated_s <= 0:
            return 0
        return max(1, int(simulated_s / self.speed))

    def after(self, now: datetime, simulated_s: float) -> datetime:
        """The client's time when so many simulated seconds from now have passed."""
        return now + timedelta(seconds=simulated_s / self.speed)
