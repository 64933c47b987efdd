"""CTranslate2 with stretches encoded together, as on a GPU; here by the CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import ctranslate2
import pytest

from services.transcriber.adapters.ctranslate2_runtime import CTranslate2Runtime
from services.transcriber.adapters.log_mel import Front
from services.transcriber.adapters.runtime import Question
from services.transcriber.adapters.silence_tail import clips
from services.transcriber.adapters.sound import Sound
from services.transcriber.adapters.weights import model_folder
from services.transcriber.domain.recognition import Quality
from tests.support.tiny_en import END, PROMPT, difference


class Stages(Counter[str]):
    """How often each was entered."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        self[name] += 1
        yield


@pytest.fixture(scope="module")
def stages() -> Stages:
    return Stages()


@pytest.fixture(scope="module")
def runtime(stages: Stages) -> CTranslate2Runtime:
    folder = model_folder("", "tiny.en", cache=Path("unused"))
    model = ctranslate2.models.Whisper(str(folder), device="cpu", compute_type="int8", intra_threads=1)
    front = Front(80, lambda _: nullcontext())
    return CTranslate2Runtime(model, front, end=END, stage=stages.stage, together=True)


@pytest.mark.parametrize("quality", [Quality.PARTIAL, Quality.FINAL])
def test_those_of_one_length_are_encoded_at_once_and_are_as_they_are_alone(
    runtime: CTranslate2Runtime, stages: Stages, quality: Quality
) -> None:
    """Two lengths in turn: each answer belongs to its own stretch."""
    sounds = [part for clip in clips() for part in (clip, Sound(clip.samples[: clip.rate_hz], clip.rate_hz))]
    stages.clear()
    together = runtime.hear(sounds, quality)
    assert stages["encode"] == 2
    alone = [runtime.hear([sound], quality)[0] for sound in sounds]
    for one, other in zip(together, alone, strict=True):
        assert one.own == other.own
        assert difference(one.states[: one.own], other.states[: one.own]) < 0.01
    question = Question(PROMPT, 40)
    said = runtime.decode(together, [question] * len(together), beam=1)
    by_itself = [runtime.decode([one], [question], beam=1)[0] for one in together]
    assert [one.tokens for one in said] == [one.tokens for one in by_itself]
    assert said[0].tokens != said[1].tokens
