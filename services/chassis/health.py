"""Health and metrics over HTTP: `/healthz`, `/readyz`, `/metrics`.

`/healthz` answers 200 while the process runs and no component has declared itself failed; `/readyz` answers 200
when every component is ready, else 503 with those that are not. Thread-safe.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.chassis import metrics

STARTING = "service"


class Health:
    """What the components of a service say of themselves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {STARTING: "no component has reported yet"}
        self._failed: dict[str, str] = {}

    def waiting(self, component: str, why: str) -> None:
        """The component is not ready yet, or not any more, for a short stated reason."""
        with self._lock:
            self._waiting.pop(STARTING, None)
            self._waiting[component] = why
            metrics.READY.set(0)

    def ready(self, component: str) -> None:
        """The component works."""
        with self._lock:
            self._waiting.pop(STARTING, None)
            self._waiting.pop(component, None)
            self._failed.pop(component, None)
            metrics.READY.set(0 if self._waiting else 1)

    def failed(self, component: str, why: str) -> None:
        """The component cannot recover by itself: the process should be restarted."""
        with self._lock:
            self._failed[component] = why

    def report(self, *, readiness: bool) -> tuple[bool, dict[str, str]]:
        """Whether all is well, and what is not."""
        with self._lock:
            problems = {**self._failed, **(self._waiting if readiness else {})}
        return not problems, problems


class HealthServer:
    """Serves a Health on its own daemon thread; `port` is known after construction."""

    def __init__(self, health: Health, host: str, port: int) -> None:
        self._server = ThreadingHTTPServer((host, port), _handler(health))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            elif self.path in {"/healthz", "/readyz"}:
                well, problems = health.report(readiness=self.path == "/readyz")
                body = orjson.dumps({"status": "ok" if well else "unavailable", "problems": problems})
                self._answer(200 if well else 503, "application/json", body)
            else:
                self._answer(404, "application/json", b'{"error":"try /healthz, /readyz or /metrics"}')

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not news."""

    return Handler
