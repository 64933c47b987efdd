"""The voice detector's own graph beside the one that its package ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile

from services.chassis.errors import Fatal
from services.transcriber.adapters.silero import CONTEXT_SAMPLES, FRAME_SAMPLES, SileroModel, silero_file

CONVERSATION = Path(__file__).parents[1] / "data" / "conversations" / "broadband_outage.flac"
SECONDS = 20


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    sound: np.ndarray = soundfile.read(CONVERSATION, dtype="int16", always_2d=True)[0][:, 0]
    return sound


@pytest.mark.parametrize("rate_hz", [8_000, 16_000])
def test_probabilities_are_those_of_the_shipped_network(samples: np.ndarray, rate_hz: int) -> None:
    frame, keep = FRAME_SAMPLES[rate_hz], CONTEXT_SAMPLES[rate_hz]
    # Noise, so that no frame counts as silent.
    loud = samples[: SECONDS * rate_hz // frame * frame] + np.arange(SECONDS * rate_hz // frame * frame) % 7 * 20
    pcm16 = loud.astype("<i2")
    shipped = onnxruntime.InferenceSession(str(silero_file()), providers=["CPUExecutionProvider"])
    state, context, expected = np.zeros((2, 1, 128), dtype=np.float32), np.zeros(keep, dtype=np.float32), []
    for part in (pcm16.astype(np.float32) / 32768).reshape(-1, frame):
        fed = {"input": np.concatenate([context, part])[np.newaxis], "state": state, "sr": np.array(rate_hz)}
        probability, state = shipped.run(None, fed)
        expected.append(float(probability[0, 0]))
        context = part[-keep:]
    assert min(expected) < 0.1 < 0.5 < max(expected)
    found = SileroModel().detector(rate_hz).probabilities(pcm16.tobytes())
    assert found == pytest.approx(expected, abs=1e-5)


def test_frames_at_once_are_as_frames_one_by_one(samples: np.ndarray) -> None:
    """Also where silence lies between, behind which the network begins afresh."""
    silence = np.zeros(8_000, dtype="<i2")
    pcm16 = np.concatenate([samples[8_000:40_000], silence, samples[40_000:72_064]]).astype("<i2").tobytes()
    model, size = SileroModel(), 2 * FRAME_SAMPLES[8_000]
    one_by_one, at_once = model.detector(8_000), model.detector(8_000)
    expected = [
        p for at in range(0, len(pcm16) - size + 1, size) for p in one_by_one.probabilities(pcm16[at : at + size])
    ]
    assert 0.0 in expected
    assert at_once.probabilities(pcm16) == pytest.approx(expected, abs=1e-5)


def test_another_file_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "silero_vad.onnx"
    other.write_bytes(silero_file().read_bytes().replace(b"stft.forward_basis_buffer", b"stft.forward_other_buffer"))
    with pytest.raises(Fatal, match="another network"):
        SileroModel(other).detector(8_000)
