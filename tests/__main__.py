"""`python -m tests`: all tests in two lanes at once; with arguments, pytest with these.

What plays calls, talks to brokers or looks at pages waits for real time and leaves much of the processor idle: there
the tests that only compute run beside it, behind everything else. Their output comes last.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

COMPUTING = (
    "tests/unit",
    "tests/contract",
    "tests/integration/test_ctranslate2_runtime.py",
    "tests/integration/test_ghosts.py",
    "tests/integration/test_packed_runtime.py",
    "tests/integration/test_recognizers.py",
    "tests/integration/test_silero.py",
)
COMPUTING_NICENESS = 10
COMPUTING_TIMEOUT_S = 600
"""A test may take so long: it may have to wait for the processor."""
PYTEST = (sys.executable, "-m", "pytest")


def main(arguments: list[str]) -> int:
    """The first exit code that is not 0."""
    if arguments:
        return subprocess.run([*PYTEST, *arguments]).returncode
    ignored = [f"--ignore={path}" for path in COMPUTING]
    aside = ["-o", f"timeout={COMPUTING_TIMEOUT_S}", "-o", "cache_dir=.pytest_cache/computing"]
    with tempfile.TemporaryFile() as output:
        computing = subprocess.Popen(
            [*PYTEST, *COMPUTING, *aside],
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.nice(COMPUTING_NICENESS),
        )
        try:
            real_time = subprocess.run([*PYTEST, *ignored]).returncode
            print("Waiting for the tests that compute.", flush=True)
            computed = computing.wait()
        finally:
            computing.kill()
            computing.wait()
            output.seek(0)
            sys.stdout.flush()
            sys.stdout.buffer.write(output.read())
            sys.stdout.flush()
    return real_time or computed


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
