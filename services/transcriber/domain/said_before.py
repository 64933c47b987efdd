"""What one speaker said of late: heard before an utterance, it tells an engine the voice, the line and the subject.

Which utterances count as that is a function of the audio alone, as the utterances themselves are. So a successor that
listens from where the first of them begins tells the engine the same.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from services.transcriber.domain.transcript import Foothold

REACH_MS = 30_000
"""How long before an utterance another may have begun to be of use."""
MOST_MS = 10_000
"""How much audio is used: an engine's cost grows with it."""


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance as it was decoded; who listens from ``foothold`` on hears it whole."""

    start_ms: int
    duration_ms: int
    pcm16: bytes
    foothold: Foothold


class SaidBefore:
    """The last utterances of one leg."""

    def __init__(self) -> None:
        """Nothing has been said."""
        self._said: deque[Said] = deque()

    def add(self, said: Said) -> None:
        """An utterance is whole; later than all before it."""
        self._said.append(said)

    def clear(self) -> None:
        """What follows has nothing to do with what was before."""
        self._said.clear()

    def before(self, start_ms: int) -> tuple[Said, ...]:
        """What is of use to an utterance that begins then, the oldest first. Later calls name later times."""
        spent_ms, kept = 0, 0
        for said in reversed(self._said):
            spent_ms += said.duration_ms
            if spent_ms > MOST_MS or start_ms - said.start_ms > REACH_MS:
                break
            kept += 1
        while len(self._said) > kept:
            self._said.popleft()
        return tuple(self._said)
