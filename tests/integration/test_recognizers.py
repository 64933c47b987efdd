"""What every engine and every model must do alike, on those that are installed: the contract of ``Recognizer``."""

from __future__ import annotations

from dataclasses import replace
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import soundfile

from services.chassis.errors import SettingError
from services.cli.domain.accuracy import bare
from services.transcriber.adapters import doubt, whisper_engine
from services.transcriber.app import load_engine
from services.transcriber.config import TranscriberSettings
from services.transcriber.domain.recognition import (
    BatchRecognizer,
    Quality,
    Recognition,
    RecognitionRequest,
    Recognizer,
)

CONVERSATION = Path(__file__).parents[1] / "data" / "conversations" / "broadband_outage.flac"
SPOKEN = "my name is emily how can i help you today"
PCM16 = soundfile.read(CONVERSATION, dtype="int16", always_2d=True)[0][700 * 8 : 6_300 * 8, 0].tobytes()


ENGINES = {
    "faster-whisper": {},
    "faster-whisper on ctranslate2": {"runtime": "ctranslate2"},
    "openai-whisper": {"engine": "openai-whisper"},
}


@pytest.fixture(scope="module", params=list(ENGINES))
def engine_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(ENGINES[request.param])


@pytest.fixture(scope="module", params=["tiny.en", "base"])
def engine(engine_settings: dict[str, Any], request: pytest.FixtureRequest) -> Recognizer:
    languages = "en" if request.param == "tiny.en" else "en,fr,es"
    try:
        return load_engine(TranscriberSettings(model_name=request.param, languages=languages, **engine_settings))
    except SettingError as error:
        pytest.skip(str(error))


def _request(pcm16: bytes, quality: Quality) -> RecognitionRequest:
    return RecognitionRequest(pcm16=pcm16, rate_hz=8_000, quality=quality)


def _check(recognition: Recognition, duration_ms: int) -> None:
    words = recognition.words
    assert [bare(word.text) for word in words][-10:] == SPOKEN.split()
    assert all(0 <= word.start_ms <= word.end_ms <= duration_ms for word in words)
    assert all(one.start_ms <= other.start_ms for one, other in pairwise(words))
    assert all(0.0 <= word.probability <= 1.0 for word in words)
    assert recognition.language == "en"
    assert recognition.mean_log_probability < 0


@pytest.mark.parametrize("quality", list(Quality))
def test_known_words_with_their_times(engine: Recognizer, quality: Quality) -> None:
    request = _request(PCM16, quality)
    _check(engine.recognize(request), request.duration_ms)


def test_a_final_is_the_same_in_any_company(engine: Recognizer) -> None:
    if not isinstance(engine, BatchRecognizer):
        pytest.skip("decodes one at a time")
    alone = _request(PCM16, Quality.FINAL)
    shorter = _request(PCM16[: len(PCM16) // 32 * 16], Quality.FINAL)
    key = engine.batch_key(alone)
    assert key == engine.batch_key(_request(PCM16, Quality.FINAL))
    company = [request for request in (shorter, alone) if key is None or engine.batch_key(request) == key]
    assert engine.recognize_batch([*company, alone])[-1] == engine.recognize(alone)
    assert key is None or key != engine.batch_key(_request(PCM16, Quality.PARTIAL))


def test_words_to_expect_and_the_language_are_the_requests_own(engine: Recognizer) -> None:
    """As those of a queue are; what a request does not say is as the engine was told."""
    if engine.identity.model != "base":
        pytest.skip("tiny.en has one language and gets worse with words")
    plain = _request(PCM16, Quality.FINAL)
    expected = replace(plain, languages=("en",), hot_words="Emilie, RingEX")
    assert [bare(word.text) for word in engine.recognize(expected).words][-7] == "emilie"
    assert engine.recognize(replace(plain, languages=("en",), hot_words="")).words == engine.recognize(plain).words
    assert engine.recognize(replace(plain, languages=("fr",))).language == "fr"
    if isinstance(engine, BatchRecognizer) and engine.batch_key(plain) is not None:
        assert engine.batch_key(expected) != engine.batch_key(plain)


def test_in_doubt_words_are_heard_behind_those_before_and_stay_apart_from_them(
    engine: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for bound in ("SURE", "SURE_OF_EACH"):  # no final stands
        monkeypatch.setattr(doubt, bound, {"tiny": 0.0, "larger": 0.0})
    cut = (4_600 - 700) * 16
    request = replace(_request(PCM16[cut:], Quality.AGAIN), before=(PCM16[: 2_200 * 16], PCM16[2_200 * 16 : cut]))
    heard = engine.recognize(request)
    assert [bare(word.text) for word in heard.words] == ["how", "can", "i", "help", "you", "today"]
    assert all(0 <= word.start_ms <= word.end_ms <= request.duration_ms for word in heard.words)
    assert not heard.doubtful
    if isinstance(engine, BatchRecognizer):
        assert engine.recognize(replace(request, quality=Quality.FINAL)).doubtful
    # Whether those before have been heard by this engine is not told by what it hears now.
    for pcm16 in request.before:
        engine.recognize(_request(pcm16, Quality.FINAL))
    assert engine.recognize(request) == heard


def test_the_identity_tells_what_runs_the_weights(engine: Recognizer, engine_settings: dict[str, Any]) -> None:
    runs = "whisper" if "engine" in engine_settings else engine_settings.get("runtime", "onnxruntime")
    assert engine.identity.version == f"{runs} {metadata.version('openai-whisper' if runs == 'whisper' else runs)}"


def test_silence_is_no_speech(engine: Recognizer) -> None:
    assert engine.recognize(_request(bytes(16_000), Quality.FINAL)).no_speech > 0.1


@pytest.mark.parametrize("runtime", ["onnxruntime", "ctranslate2"])
def test_as_many_tokens_are_decoded_as_the_speech_can_hold(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though CTranslate2 ends at half of the length that it is given."""
    engine = load_engine(TranscriberSettings(runtime=runtime))
    whole = engine.recognize(_request(PCM16, Quality.FINAL))
    monkeypatch.setattr(whisper_engine, "token_limit", lambda _: len(whole.words) + 8)
    assert engine.recognize(_request(PCM16, Quality.FINAL)) == whole


@pytest.mark.parametrize("runtime", ["onnxruntime", "ctranslate2"])
def test_of_a_partial_that_goes_round_in_circles_what_is_before_them_is_told(
    runtime: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load_engine(TranscriberSettings(runtime=runtime))
    whole = engine.recognize(_request(PCM16, Quality.PARTIAL))
    monkeypatch.setattr(whisper_engine, "suspicious", lambda *_, **__: True)
    monkeypatch.setattr(whisper_engine, "before_repeats", lambda _: 4)
    told = engine.recognize(_request(PCM16, Quality.PARTIAL))
    assert 0 < len(told.words) <= 4
    assert [word.text for word in told.words] == [word.text for word in whole.words[: len(told.words)]]
    final = engine.recognize(_request(PCM16, Quality.FINAL))
    assert final.doubtful
    assert not final.words
    monkeypatch.setattr(whisper_engine, "before_repeats", lambda _: 0)
    assert not engine.recognize(_request(PCM16, Quality.PARTIAL)).words


@pytest.mark.parametrize(
    ("changed", "setting"),
    [
        ({"languages": "fr"}, "TRANSCRIBER_LANGUAGES"),
        ({"vocabulary": "Emily"}, "TRANSCRIBER_VOCABULARY"),
    ],
)
def test_what_a_model_cannot_do_names_the_setting(changed: dict[str, str], setting: str) -> None:
    with pytest.raises(ValueError, match=setting):
        TranscriberSettings(**changed)  # type: ignore[arg-type]
