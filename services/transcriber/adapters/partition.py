"""One partition of audio.chunks as its worker keeps it: progress, and how long it has been silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from services.transcriber.adapters import metrics
from services.transcriber.domain.partition_marks import PartitionMarks

log = structlog.get_logger()
Place = tuple[str, int]
"""A topic's full name and a partition of it."""


@dataclass(slots=True)
class Partition:
    """``listened_s`` counts the time in which all that there was had been heard: only then is silence silence."""

    marks: PartitionMarks = field(default_factory=PartitionMarks)
    listened_s: float = 0.0
    still_at_end: Callable[[], bool] | None = None
    """Where all that there was has been heard: asks the broker whether nothing has come since; else None."""
    kept_at_s: float = 0.0

    def is_at_end(self) -> bool:
        """Whether nothing waits to be heard, as the broker knows. Raises Transient where it does not say."""
        if self.still_at_end is not None and not self.still_at_end():
            self.still_at_end = None
        return self.still_at_end is not None

    def listen(self, passed_s: float) -> None:
        """So much time has passed without being held up."""
        if self.still_at_end is not None:
            self.listened_s += passed_s

    def note(self, partition: int) -> str:
        """The marks as commit metadata."""
        note, left_out = self.marks.note()
        if left_out:
            metrics.MARKS_LEFT_OUT.inc(left_out)
            log.error("progress_does_not_fit", partition=partition, legs=left_out, advice="more partitions")
        return note

    def keep(self, leg_ids: set[str], *, every_s: float) -> None:
        """Now and then, let go of the marks of legs that have not ended but are followed no more."""
        if self.listened_s - self.kept_at_s >= every_s:
            self.kept_at_s = self.listened_s
            self.marks.keep(leg_ids)
