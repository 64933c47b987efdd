"""Recordings where the recorder put them: a folder, or whatever address fsspec knows.

A record says where the recorder sees its file; here it may be mounted elsewhere. So only the file's name is taken from
it, and looked for at the gateway's own setting: nothing outside that place can be asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fsspec

from services.chassis.errors import SettingError

BLOCK_BYTES = 65_536
RANGE = re.compile(r"bytes=(\d*)-(\d*)")
MEDIA_TYPES = {"flac": "audio/flac", "wav": "audio/wav"}


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `first` to `last`, both included, of `size`."""

    first: int
    last: int
    size: int

    @property
    def length(self) -> int:
        """How many."""
        return self.last - self.first + 1


class NotSatisfiable(Exception):
    """The range asked for lies outside the file."""


class Recordings:
    """Reads recordings; every method blocks and may be called on any thread."""

    def __init__(self, place: str) -> None:
        try:
            self._files, self._root = fsspec.url_to_fs(place)
        except (ValueError, ImportError, OSError) as error:
            raise SettingError(
                f"ASSIST_GATEWAY_RECORDINGS: {place} cannot be read from ({type(error).__name__})"
            ) from None

    def size(self, uri: str) -> int | None:
        """Bytes of the recording that a record names; None where it is not there (any more)."""
        path = self._path(uri)
        try:
            return int(self._files.size(path)) if path else None
        except (OSError, TypeError):
            return None

    def read(self, uri: str, span: Span) -> Iterator[bytes]:
        """Those bytes, in blocks."""
        with self._files.open(self._path(uri), "rb") as file:
            file.seek(span.first)
            left = span.length
            while left > 0:
                block: bytes = file.read(min(BLOCK_BYTES, left))
                if not block:
                    return
                left -= len(block)
                yield block

    def _path(self, uri: str) -> str:
        name = uri.rpartition("/")[2]
        return f"{self._root}/{name}" if name not in {"", ".", ".."} and "\\" not in name else ""


def span_of(header: str, size: int) -> Span | None:
    """What a `Range` header asks for (RFC 9110, 14); None for all of it, also where it is not one plain range.

    Raises NotSatisfiable.
    """
    found = RANGE.fullmatch(header.strip())
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first == "":
        length = min(int(last), size)
        span = Span(size - length, size - 1, size)
    else:
        span = Span(int(first), min(int(last), size - 1) if last else size - 1, size)
        if last and int(last) < int(first):
            return None
    if span.first >= size or span.length <= 0:
        raise NotSatisfiable
    return span


def media_type(record: dict[str, Any]) -> str:
    """Of a recording's file."""
    return MEDIA_TYPES.get(str(record.get("format", "flac")), "application/octet-stream")
