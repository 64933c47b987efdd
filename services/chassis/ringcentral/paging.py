"""RingCentral's lists, page after page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit


def follow_pages(
    get: Callable[[str], dict[str, Any]], path: str, query: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """The records of a list, by `navigation.nextPage.uri` until none is told.

    Only path and query of that address are used, so that every page comes from the configured server; an address
    that was read already ends the list.
    """
    asked = with_query(path, query)
    seen: set[str] = set()
    while asked not in seen:
        seen.add(asked)
        page = get(asked)
        yield from page.get("records") or []
        uri = ((page.get("navigation") or {}).get("nextPage") or {}).get("uri")
        if not uri:
            return
        parts = urlsplit(uri)
        asked = f"{parts.path}?{parts.query}" if parts.query else parts.path


def with_query(path: str, query: Mapping[str, str] | None) -> str:
    """The path with an encoded query string."""
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query)}"
