"""The transcriber as it is wired, but for its engine: words made of the audio's bytes, at once and always the same."""

from __future__ import annotations

import sys
from collections.abc import Callable
from zlib import crc32

from services.chassis.service import Service, run
from services.transcriber.adapters.silero import SileroModel
from services.transcriber.app import serve
from services.transcriber.config import TranscriberSettings
from services.transcriber.domain.recognition import (
    EngineIdentity,
    Recognition,
    RecognitionRequest,
    RecognizedWord,
    nothing,
)

WORDS = ("table", "window", "garden", "letter", "river", "summer", "paper", "yellow")
WORD_MS = 300


class AudioAsWords:
    """A ``Recognizer``."""

    identity = EngineIdentity("scripted", "none", "1")

    def recognize(self, request: RecognitionRequest, *, between: Callable[[], None] = nothing) -> Recognition:
        """A word for each 300 ms, chosen by what is in them."""
        step = WORD_MS * request.rate_hz // 1000 * 2
        words = tuple(
            RecognizedWord(WORDS[crc32(request.pcm16[at : at + step]) % len(WORDS)], ms, ms + WORD_MS - 20, 0.9)
            for at, ms in zip(range(0, len(request.pcm16), step), range(0, request.duration_ms, WORD_MS), strict=False)
        )
        return Recognition(words=words, mean_log_probability=-0.2)


def main(service: Service[TranscriberSettings]) -> None:
    """Serve with it."""
    serve(service, AudioAsWords(), SileroModel().detector)


if __name__ == "__main__":
    sys.exit(run("transcriber", TranscriberSettings, main, about=__doc__ or ""))
