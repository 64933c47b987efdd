"""Our own decoder beside CTranslate2's, on the same weights and the same speech."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jiwer
import numpy as np
import onnxruntime
import pytest
import soundfile

from services.transcriber.adapters.decoder_graph import BLOCK, Graph, rounded_blocks
from services.transcriber.adapters.weights import model_folder
from services.transcriber.adapters.whisper_engine import WhisperEngine
from services.transcriber.domain.recognition import Quality, Recognition, RecognitionRequest

CONVERSATION = Path(__file__).parents[1] / "data" / "conversations" / "broadband_outage.flac"
HZ = 8_000


@pytest.fixture(scope="module")
def make_engine() -> Callable[[bool], WhisperEngine]:
    folder = model_folder("", "tiny.en", cache=Path("unused"))

    def make(own: bool) -> WhisperEngine:
        return WhisperEngine(
            folder, model_name="tiny.en", compute_type="int8", workers=1, short_windows=True, own_decoder=own
        )

    return make


@pytest.fixture(scope="module")
def turns() -> list[bytes]:
    audio = soundfile.read(CONVERSATION, dtype="int16", always_2d=True)[0]
    return [audio[at * HZ : (at + 4) * HZ, side].tobytes() for at in range(0, 60, 6) for side in (0, 1)]


def _heard(engine: WhisperEngine, pcm16: bytes, quality: Quality) -> Recognition:
    return engine.recognize(RecognitionRequest(pcm16=pcm16, rate_hz=HZ, quality=quality))


@pytest.mark.parametrize("quality", list(Quality))
def test_hears_what_ctranslate2_hears(make_engine, turns: list[bytes], quality: Quality) -> None:
    """But for roundings: both are in 8 bits, cut differently."""
    own, theirs = make_engine(True), make_engine(False)
    assert own.batches_pay != theirs.batches_pay
    pairs = [(_heard(own, turn, quality), _heard(theirs, turn, quality)) for turn in turns]
    ours_text, their_text = (" ".join(pair[side].text for pair in pairs) for side in (0, 1))
    assert len(their_text.split()) > 50
    assert jiwer.wer(their_text, ours_text) < 0.1
    apart = [abs(a.no_speech - b.no_speech) for a, b in pairs if a.words]
    assert float(np.median(apart)) < 0.05
    sure = [abs(a.mean_log_probability - b.mean_log_probability) for a, b in pairs if a.text == b.text and a.words]
    assert float(np.median(sure)) < 0.1


def test_several_threads_hear_the_same(make_engine, turns: list[bytes]) -> None:
    engine = make_engine(True)
    alone = [_heard(engine, turn, Quality.PARTIAL) for turn in turns]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda turn: _heard(engine, turn, Quality.PARTIAL), turns))
    assert together == alone


def test_rounded_products_are_near_and_a_row_does_not_depend_on_the_others() -> None:
    chance = np.random.default_rng(1)
    weight = chance.normal(size=(96, 2 * BLOCK)).astype(np.float32)
    bias = chance.normal(size=96).astype(np.float32)
    rows = chance.normal(size=(5, 2 * BLOCK)).astype(np.float32)
    rows[3] *= 1_000
    graph = Graph()
    graph.product("x", weight, bias, "y")
    run = onnxruntime.InferenceSession(graph.model({"x": ["rows", 2 * BLOCK]}, ["y"])).run
    together = run(None, {"x": rows})[0]
    exact = rows @ weight.T + bias
    assert (np.abs(together - exact).max(axis=1) < 0.03 * np.abs(exact).max(axis=1)).all()
    for number, row in enumerate(rows):
        assert run(None, {"x": row[np.newaxis]})[0][0] == pytest.approx(together[number], rel=1e-4, abs=1e-3)


def test_weights_are_rounded_to_half_a_step_of_their_block() -> None:
    weight = np.random.default_rng(2).normal(size=(8, 3 * BLOCK)).astype(np.float32)
    weight[2, :BLOCK] = 0
    rounded, scales = rounded_blocks(weight)
    apart = (rounded.astype(np.float32) - 128) * scales.reshape(8, 3, 1) - weight.reshape(8, 3, BLOCK)
    assert (np.abs(apart) <= scales.reshape(8, 3, 1) * 0.51).all()
