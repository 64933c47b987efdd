"""Weights are looked at before they are loaded; what is wrong names the setting."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from services.chassis.errors import SettingError
from services.transcriber.adapters import weights
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


class _Installed:
    """Files of a package, as importlib gives them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = path.name

    def locate(self) -> Path:
        return self._path


def test_weights_in_two_parts_are_joined_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"one": [b"abc", "model.bin.part1"], "two": [b"defg", "model.bin.part2"]}
    digest = hashlib.sha256(b"abcdefg").hexdigest()
    known = weights.Known(("one", "two"), "transcriber_base", 7, digest)
    monkeypatch.setattr(weights, "KNOWN", {"base": known})
    packages = {}
    for package, (content, name) in parts.items():
        folder = tmp_path / package
        folder.mkdir()
        (folder / str(name)).write_bytes(bytes(content))  # type: ignore[arg-type]
        packages[package] = [_Installed(folder / str(name))]
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / "one" / name).write_text(name)
        packages["one"].append(_Installed(tmp_path / "one" / name))
    monkeypatch.setattr(weights.metadata, "files", lambda package: packages[package])
    cache = tmp_path / "cache"
    folder = verified(model_folder("", "base", cache=cache), name="base", sha256="")
    assert (folder / "model.bin").read_bytes() == b"abcdefg"
    (tmp_path / "one" / "model.bin.part1").unlink()
    assert model_folder("", "base", cache=cache) == folder


def test_weights_that_are_not_installed_name_setting_and_extra() -> None:
    with pytest.raises(SettingError, match=r"^TRANSCRIBER_MODEL_DIR: is needed for large"):
        model_folder("", "large")
