"""The identity provider over HTTP: its JWKS, found by the issuer's discovery document where no address is set."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import orjson

DISCOVERY = "/.well-known/openid-configuration"
MAX_BYTES = 1_000_000


class Provider:
    """`fetch` brings the key set; raises OSError or ValueError."""

    def __init__(self, *, jwks_url: str, issuer: str, timeout_ms: int) -> None:
        self._jwks_url = jwks_url
        self._issuer = issuer
        self._timeout_s = timeout_ms / 1000

    async def fetch(self) -> dict[str, Any]:
        """Ask, off the event loop."""
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> dict[str, Any]:
        url = self._jwks_url
        if not url:
            found = self._get(self._issuer.rstrip("/") + DISCOVERY)
            if found.get("issuer") != self._issuer:
                raise ValueError("the discovery document is of another issuer")
            url = str(found.get("jwks_uri", ""))
        return self._get(url)

    def _get(self, url: str) -> dict[str, Any]:
        if not may_be_asked(url):
            raise ValueError("not an https address")
        request = urllib.request.Request(url, headers={"Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
            body = answer.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError("too long")
        found = orjson.loads(body)
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
        return found


def may_be_asked(url: str) -> bool:
    """Whether keys may be fetched from there: over TLS, or from this machine."""
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    return parts.scheme == "https" or (parts.scheme == "http" and local)
