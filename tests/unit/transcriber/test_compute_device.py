"""A device or a number format that this machine lacks is told by the name of its setting, before anything is loaded."""

from __future__ import annotations

import ctranslate2
import pytest

from services.chassis.errors import SettingError
from services.transcriber.app import check, load_engine
from services.transcriber.config import TranscriberSettings


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 0)


@pytest.mark.parametrize(
    ("environ", "fault"),
    [
        (
            {"TRANSCRIBER_DEVICE": "cuda", "TRANSCRIBER_COMPUTE_TYPE": "float16"},
            "TRANSCRIBER_DEVICE: cuda: no GPU is found",
        ),
        (
            {"TRANSCRIBER_COMPUTE_TYPE": "float16"},
            "TRANSCRIBER_COMPUTE_TYPE: float16 is not for this cpu; there are float32, int8, int8_float32",
        ),
    ],
)
def test_the_setting_is_named(
    environ: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert check() == 2
    assert fault in capsys.readouterr().err
    with pytest.raises(SettingError, match=fault):
        load_engine(TranscriberSettings())


def test_what_a_cpu_has_passes(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TRANSCRIBER_COMPUTE_TYPE", "int8_float32")
    assert check() == 0
    assert "is whole" in capsys.readouterr().out
