"""One utterance from its onset to its final, and what its words are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.transcriber.domain.endpointing import FRAME_MS, Cause, Ended
from services.transcriber.domain.guards import is_ghost
from services.transcriber.domain.recognition import Recognition
from services.transcriber.domain.redaction import SafeText, TimedWord
from services.transcriber.domain.said_before import Said
from services.transcriber.domain.transcript import Foothold
from services.transcriber.domain.word_times import snap_to_voice

_UNFINISHED = frozenset(
    ["and", "but", "or", "so", "because", "the", "a", "an", "my", "your", "is", "to", "of", "if", "with", "um", "uh"]
)


@dataclass(slots=True, eq=False)
class Spoken:
    """One utterance from its onset to its final. A successor hears it whole that listens from ``foothold`` on.

    ``before`` is what the same speaker said before. What is ``done`` is heard for the sake of the next ones only.
    """

    utterance_id: str
    start_ms: int
    foothold: Foothold
    before: tuple[Said, ...] = ()
    done: bool = False
    gap_ms: int = 0
    revision: int = 0
    partial_end_ms: int = 0
    partial_pending: bool = False
    speculated_ms: int | None = None
    doubted: Recognition | None = None
    """What its final would be if it could not be heard again."""
    final: Recognition | None = None
    ended: Ended | None = None
    heard_ms: int = 0
    """How far the leg had been heard when this ended."""
    rests: bool = False
    """Whether the audio stopped coming behind it."""
    end_wall_ms: int = 0
    decoded_wall_ms: int = 0
    attempts: int = 0
    shown: str = ""
    trace: object = None
    """What the engine kept of what it heard last."""
    language: str = "en"

    def goes_on(self) -> None:
        """What was decoded of it in a pause is not all of it."""
        self.speculated_ms = self.doubted = self.final = None

    @property
    def decoded_to_ms(self) -> int | None:
        """The end of the audio that its final is made from, as far as that is known."""
        if self.speculated_ms is not None:
            return self.speculated_ms
        return self.ended.end_ms if self.ended else None

    @property
    def needed_from(self) -> Foothold:
        """From where a successor hears also what was said before."""
        return self.before[0].foothold if self.before else self.foothold

    def timed(self, recognition: Recognition, voice: Sequence[float], threshold: float) -> tuple[TimedWord, ...]:
        """The words on the call's media clock; ``voice`` holds a probability per frame of the utterance."""
        return tuple(
            TimedWord(w.text, self.start_ms + w.start_ms, self.start_ms + w.end_ms, w.probability)
            for w in snap_to_voice(recognition.words, voice, threshold=threshold)
        )

    def is_ghost(self, recognition: Recognition, voice: Sequence[float], threshold: float) -> bool:
        """Whether nobody said this."""
        voiced = [p for p in voice if p >= threshold]
        return is_ghost(
            recognition.text,
            no_speech=recognition.no_speech,
            mean_log_probability=recognition.mean_log_probability,
            voiced=sum(voiced) / len(voiced) if voiced else 0.0,
            voiced_ms=len(voiced) * FRAME_MS,
        )

    def ends_turn(self, safe: SafeText) -> bool:
        """Whether the speaker has stopped, not just paused: silence behind words that can end a sentence."""
        last = plain(safe.words[-1].text) if safe.words else ""
        stopped = self.ended is not None and self.ended.cause in (Cause.SILENCE, Cause.LEG_END)
        return stopped and last not in _UNFINISHED


def plain(word: str) -> str:
    """A word without its case and punctuation, for comparison."""
    return "".join(c for c in word.lower() if c.isalnum())
