"""Word times made honest: the decoder's attention spreads over silence, the voice detector knows better."""

from __future__ import annotations

from collections.abc import Sequence

from services.transcriber.domain.endpointing import FRAME_MS
from services.transcriber.domain.recognition import RecognizedWord

LEAST_MS = 40


def snap_to_voice(
    words: Sequence[RecognizedWord], voice: Sequence[float], *, threshold: float = 0.35
) -> tuple[RecognizedWord, ...]:
    """Cut the silent head and tail off each word's interval; order is kept and no word gets empty.

    ``voice`` holds a probability per 32 ms from the start of the same audio.
    """
    snapped: list[RecognizedWord] = []
    floor_ms = 0
    for word in words:
        start_ms, end_ms = max(word.start_ms, floor_ms), max(word.end_ms, floor_ms)
        frames = range(start_ms // FRAME_MS, min(-(-end_ms // FRAME_MS), len(voice)))
        voiced = [i for i in frames if voice[i] >= threshold]
        if voiced:
            start_ms = max(start_ms, voiced[0] * FRAME_MS)
            end_ms = min(end_ms, (voiced[-1] + 1) * FRAME_MS)
        end_ms = max(end_ms, start_ms + LEAST_MS)
        snapped.append(RecognizedWord(word.text, start_ms, end_ms, word.probability))
        floor_ms = end_ms
    return tuple(snapped)
