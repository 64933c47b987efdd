"""The SDK's HTTP client with time-outs, kept-alive connections and no request details in its errors.

The SDK's own client waits for ever, opens a session per call, and writes the request's headers (bearer token,
client secret) into the text of its exception. This one stands in its place under the SDK's Platform.
"""

from __future__ import annotations

import threading

import requests
from requests.adapters import BaseAdapter
from ringcentral.http.api_response import ApiResponse
from ringcentral.http.client import Client


class NotOk(Exception):
    """A reply outside 2xx, or none (`response` None); holds no request."""

    def __init__(self, response: requests.Response | None) -> None:
        super().__init__("no reply" if response is None else f"HTTP {response.status_code}")
        self.response = response


class TimedClient(Client):  # type: ignore[misc]  # the SDK is untyped
    """One `requests` session per thread; `adapter` replaces the network in tests."""

    def __init__(self, timeout_ms: int, adapter: BaseAdapter | None = None) -> None:
        super().__init__()
        self._timeout_s = timeout_ms / 1000
        self._adapter = adapter
        self._local = threading.local()

    def send(self, request: requests.Request) -> ApiResponse:
        """Send and wait; raises NotOk."""
        try:
            response = self._session().send(request.prepare(), timeout=self._timeout_s, allow_redirects=False)
        except (requests.RequestException, OSError):
            response = None
        if response is None or not response.ok or response.is_redirect:
            raise NotOk(response)
        return ApiResponse(None, response)

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            if self._adapter is not None:
                session.mount("http://", self._adapter)
                session.mount("https://", self._adapter)
        return session
