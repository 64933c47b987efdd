"""A relay of TCP connections that can be cut: what stands between a page and the gateway when the network drops."""

from __future__ import annotations

import contextlib
import socket
import threading


class TcpRelay:
    """Relays to a port of this machine while it is up. Threads of its own."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._up = True
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection, and let none through until `mend`."""
        with self._lock:
            self._up = False
            broken, self._open = self._open, set()
        for side in broken:
            _close(side)

    def mend(self) -> None:
        """Let connections through again."""
        self._up = True

    def close(self) -> None:
        """For good."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                page, _ = self._listener.accept()
            except OSError:
                return
            if not self._up:
                _close(page)
                continue
            try:
                gateway = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                _close(page)
                continue
            with self._lock:
                self._open |= {page, gateway}
            for source, sink in ((page, gateway), (gateway, page)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open -= {source, sink}
            for side in (source, sink):
                _close(side)


def _close(side: socket.socket) -> None:
    with contextlib.suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
