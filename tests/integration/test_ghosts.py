"""Nobody speaks: a minute of each kind of sound through the transcriber with its real models gives no word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from services.transcriber.adapters.whisper_engine import WhisperEngine
from tests.bench.asr.engines import load_engine
from tests.bench.ghosts import heard
from tests.support import noises

CONVERSATION = Path(__file__).parents[1] / "data" / "conversations" / "broadband_outage.flac"


@pytest.fixture(scope="module")
def engine() -> WhisperEngine:
    return load_engine("tiny.en")


@pytest.mark.parametrize("sound", [noises.silence, noises.ring_back, noises.line_noise, noises.music])
def test_nothing_is_said_where_nobody_speaks(engine: WhisperEngine, sound: Callable[[float], bytes]) -> None:
    assert heard(engine, sound(60)) == []


def test_what_is_said_is_heard_the_same_way(engine: WhisperEngine) -> None:
    samples, _ = soundfile.read(CONVERSATION, dtype="int16", frames=8 * noises.RATE_HZ)
    texts = heard(engine, samples[:, 0].tobytes())
    assert any(final and "thank" in text.lower() for text, final in texts), texts
