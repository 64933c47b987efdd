"""A folder of articles: read as a whole, and looked at for change.

A change is known by names, sizes and times of the files, looked up once a second: that works on mounted ConfigMaps
and network folders, where notifications do not come.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from services.chassis.errors import SettingError
from services.insights.adapters.articles import READERS, ArticleError
from services.insights.domain.articles import Passage

SAMPLE_KNOWLEDGE = Path(__file__).resolve().parents[1] / "sample_knowledge"
LARGEST_BYTES = 20_000_000


def read_folder(folder: Path, base_url: str = "") -> tuple[Passage, ...]:
    """The passages of every article below the folder. `base_url` links what names no link of its own.

    Raises SettingError that names the file.
    """
    if not folder.is_dir():
        raise SettingError(f"INSIGHTS_KNOWLEDGE_DIR: {folder} is no folder")
    passages: list[Passage] = []
    for path in _articles(folder):
        name = path.relative_to(folder).as_posix()
        link = f"{base_url.rstrip('/')}/{quote(name)}" if base_url else ""
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise ArticleError(f"has more than {LARGEST_BYTES // 1_000_000} MB")
            passages += READERS[path.suffix.lower()](name, path.read_bytes(), link)
        except ArticleError as error:
            raise SettingError(f"INSIGHTS_KNOWLEDGE_DIR: {name} {error}") from None
        except OSError as error:
            raise SettingError(f"INSIGHTS_KNOWLEDGE_DIR: {name} cannot be read ({type(error).__name__})") from None
    if not passages:
        raise SettingError(f"INSIGHTS_KNOWLEDGE_DIR: {folder} holds no article ({', '.join(sorted(READERS))})")
    return tuple(passages)


def fingerprint(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when a file, or an article below a folder, does. Empty where nothing is there."""
    found = []
    for file in _articles(path) if path.is_dir() else [path]:
        try:
            state = file.stat()
        except OSError:
            continue
        found.append((str(file), state.st_size, state.st_mtime_ns))
    return tuple(found)


def _articles(folder: Path) -> Iterator[Path]:
    """In a fixed order; what is hidden (Kubernetes keeps a mounted volume's versions there) is left out."""
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.suffix.lower() in READERS and path.is_file():
            yield path
