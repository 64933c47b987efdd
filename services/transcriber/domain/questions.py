"""What the other legs of a call ask for, in the order in which what they say ends.

An utterance of another leg is ``open``, then ``closed``, then ``judged``: what it asks for is known. It counts for
what ends here later. Which of two utterances of different legs ends first is a matter of the log that both are read
from, so it is the same whenever they are decoded, and for whoever reads the log again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from services.transcriber.domain.cues import Ask

ASKS_KEPT = 16
"""More are asked for only where nothing is heard of this leg for minutes, and the last count."""


@dataclass(slots=True)
class _Question:
    """``heard_ms`` is how far this leg had been heard when it closed, ``used_by`` the utterance it was taken for."""

    utterance_id: str
    since_ms: int
    heard_ms: int | None = None
    judged: bool = False
    ask: Ask | None = None
    used_by: str | None = None


@dataclass(slots=True)
class Questions:
    """One leg's view of the others. All times are on this leg's clock."""

    _known: list[_Question] = field(default_factory=list)

    @classmethod
    def marked(cls, asks: Sequence[tuple[int, Ask]]) -> Questions:
        """Those that another worker left, each with how far this leg had been heard."""
        return cls([_Question("", ask.at_ms, heard_ms, True, ask) for heard_ms, ask in asks])

    @property
    def asks(self) -> tuple[tuple[int, Ask], ...]:
        """What is known to be asked for, each with how far this leg had been heard: for a successor."""
        known = (q for q in self._known if q.ask is not None and q.heard_ms is not None)
        return tuple((q.heard_ms or 0, q.ask) for q in known if q.ask is not None)

    @property
    def wary_ms(self) -> int | None:
        """From when on something may have been asked for that is not known yet; None where all is known."""
        return min((q.since_ms for q in self._known if not q.judged), default=None)

    def open(self, utterance_id: str, since_ms: int) -> None:
        """Somebody has begun to speak."""
        self._known.append(_Question(utterance_id, since_ms))

    def close(self, utterance_id: str, since_ms: int, heard_ms: int) -> None:
        """It has ended, when this leg had been heard so far."""
        self._known = [q for q in self._known if q.utterance_id != utterance_id]
        self._known.append(_Question(utterance_id, since_ms, heard_ms))

    def judge(self, utterance_id: str, ask: Ask | None) -> None:
        """What it asks for."""
        for question in [q for q in self._known if q.utterance_id == utterance_id]:
            question.judged, question.ask = True, ask
            if ask is None:
                self._known.remove(question)
        waiting = [q for q in self._known if q.ask is not None and q.used_by is None]
        for question in waiting[:-ASKS_KEPT]:
            self._known.remove(question)

    def awaited(self, heard_ms: int) -> bool:
        """Whether one counts for what ended here after so much had been heard, and is not judged yet."""
        return any(not q.judged and _before(q, heard_ms) for q in self._known)

    def take(self, utterance_id: str, heard_ms: int) -> list[Ask]:
        """What an utterance may answer that ended here after so much had been heard, and none before it."""
        taken = [q for q in self._known if q.used_by is None and _before(q, heard_ms)]
        for question in taken:
            question.used_by = utterance_id
        return [q.ask for q in taken if q.ask is not None]

    def open_to(self) -> list[Ask]:
        """What an utterance that is open here may answer, as far as is known."""
        return [q.ask for q in self._known if q.used_by is None and q.ask is not None]

    def next_before(self, until_ms: int, heard_ms: int) -> Ask | None:
        """Take out what was asked for first, where it is known and was before a time.

        It must count for what ends from now on; ``heard_ms`` is how far this leg has been heard.
        """
        first = next((q for q in self._known if q.heard_ms is not None and q.used_by is None), None)
        if first is None or first.ask is None or first.ask.at_ms > until_ms or (first.heard_ms or 0) > heard_ms:
            return None
        self._known.remove(first)
        return first.ask

    def forget(self, needed: Collection[str]) -> None:
        """Let go of those that were taken for utterances that are not needed any more."""
        self._known = [q for q in self._known if q.used_by is None or q.used_by in needed]


def _before(question: _Question, heard_ms: int) -> bool:
    return question.heard_ms is not None and question.heard_ms < heard_ms
