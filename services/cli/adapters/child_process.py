"""Start a child process that cannot outlive the one that started it.

The child writes to a log file, gets its own session (so that Ctrl-C in the terminal reaches only the parent,
which then stops its children in order), and on Linux the kernel kills it when the parent dies, however it
dies. Elsewhere `stop` at exit is what ends it.

Threading: start children from the main thread. Linux ties the child's life to the *thread* that started it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Runs between fork and exec of the real program. prctl(PR_SET_PDEATHSIG = 1, SIGKILL) survives exec; the
# check of the parent's id closes the gap in which the parent died before the call. argv: parent pid, then the
# command.
_LAUNCHER = """
import os, sys
if sys.platform == "linux":
    import ctypes
    ctypes.CDLL(None).prctl(1, 9, 0, 0, 0)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""


class ChildProcess:
    """One running child. `stop` is idempotent and safe at interpreter exit."""

    def __init__(self, process: subprocess.Popen[bytes], log_path: Path) -> None:
        self._process = process
        self.log_path = log_path
        atexit.register(self.kill)

    @classmethod
    def start(
        cls, command: Sequence[str], *, log_path: Path, env: Mapping[str, str], cwd: Path | None = None
    ) -> ChildProcess:
        """Start `command` with both its outputs appended to `log_path`.

        `env` is the child's whole environment. Raises OSError where the process cannot be made; a command
        that does not exist shows as an exit code of 1 and a traceback in the log.
        """
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log_file:
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _LAUNCHER, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        return cls(process, log_path)

    @property
    def pid(self) -> int:
        """Process id of the child; the launcher becomes the command, so it is the command's own."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs, else its exit code (negative: the signal that ended it)."""
        return self._process.poll()

    def stop(self, grace_s: float = 5.0) -> int:
        """SIGTERM, wait `grace_s`, SIGKILL. Returns the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=grace_s)
        return self.kill()

    def kill(self) -> int:
        """SIGKILL if it still runs, and reap it. Returns the exit code."""
        atexit.unregister(self.kill)
        if self._process.poll() is None:
            self._process.kill()
        return self._process.wait()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log, for an error message."""
        try:
            text = self.log_path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])
