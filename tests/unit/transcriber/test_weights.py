"""Weights are looked at before they are loaded; what is wrong names the setting."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from services.chassis.errors import SettingError
from services.transcriber.adapters.weights import FILES, model_folder, verified


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"^TRANSCRIBER_MODEL_DIR: .* is not a folder$"):
        model_folder(str(tmp_path / "none"))


def test_a_missing_file(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(SettingError, match=r"^TRANSCRIBER_MODEL_DIR: tokenizer\.json is missing"):
        verified(folder, name="tiny.en", sha256="")


def test_weights_of_another_size(folder: Path) -> None:
    with pytest.raises(SettingError, match=r"^TRANSCRIBER_MODEL_DIR: model\.bin of tiny\.en should have 75537502"):
        verified(folder, name="tiny.en", sha256="")


def test_weights_of_another_hash(folder: Path) -> None:
    with pytest.raises(SettingError, match=r"^TRANSCRIBER_MODEL_DIR: model\.bin has SHA-256"):
        verified(folder, name="mine", sha256="0" * 64)


def test_own_weights_need_their_hash(folder: Path) -> None:
    with pytest.raises(SettingError, match=r"^TRANSCRIBER_MODEL_SHA256: is needed for mine"):
        verified(folder, name="mine", sha256="")
    digest = hashlib.sha256(b"model.bin").hexdigest()
    assert verified(folder, name="mine", sha256=digest) == folder
