"""What one leg's speaker speaks: as its queue or the settings say, or as the leg's first seconds tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from services.transcriber.domain.queues import AS_SET_FOR_ALL, Speech

LANGUAGE_AFTER_MS = 2_500
"""So much speech tells a language as well as half a minute does."""


class LegSpeech:
    """``language`` is empty while it is not known; ``expected`` is what the leg's queue makes expect."""

    def __init__(self, languages: Sequence[str], queues: Mapping[str, Speech], *, queue_id: str, told: str) -> None:
        """``languages`` are spoken where no queue says otherwise; ``told`` is what was learnt before."""
        self._languages = tuple(languages)
        self._queues = queues
        self.came_by(queue_id, told)

    def came_by(self, queue_id: str, told: str) -> None:
        """The call came by this queue. What was ``told`` before stays where it may be spoken there, too."""
        self.expected = self._queues.get(queue_id, AS_SET_FOR_ALL)
        self._heard: Counter[str] = Counter()
        self._heard_ms = 0
        spoken = self.expected.languages or self._languages
        if len(spoken) == 1:
            self.language = spoken[0]
        else:
            self.language = told if told in spoken or not spoken else ""

    def learn(self, language: str, probability: float, spoken_ms: int) -> bool:
        """From the first finals, in the order of speech; then it stays, whatever single words sound like.

        Whether it is known from now on.
        """
        if self.language:
            return False
        self._heard[language] += round(spoken_ms * probability)
        self._heard_ms += spoken_ms
        if self._heard_ms < LANGUAGE_AFTER_MS:
            return False
        self.language = self._heard.most_common(1)[0][0]
        return True
