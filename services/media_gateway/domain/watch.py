"""Noticing that a leg is answered but silent on the wire: no RTP at all, or none any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Silence = Literal["no_rtp", "rtp_silent"]


@dataclass(frozen=True, slots=True)
class SilenceWatch:
    """The watch over one leg. All times are milliseconds of one monotonic clock."""

    answered_ms: float
    limit_ms: float
    reported: bool = False

    def look(self, now_ms: float, last_heard_ms: float | None) -> tuple[SilenceWatch, Silence | None]:
        """Return the watch after looking, and what is to be reported now; each silence is reported once."""
        since = self.answered_ms if last_heard_ms is None else last_heard_ms
        if now_ms - since < self.limit_ms:
            return (self if not self.reported else SilenceWatch(self.answered_ms, self.limit_ms)), None
        if self.reported:
            return self, None
        kind: Silence = "no_rtp" if last_heard_ms is None else "rtp_silent"
        return SilenceWatch(self.answered_ms, self.limit_ms, reported=True), kind
