"""`python -m tests`: all tests in two lanes at once; with arguments, pytest with these.

What plays calls, talks to brokers or looks at pages waits for real time and leaves much of the processor idle: there
the tests that only compute run beside it, behind everything else, and then those that need neither the broker nor the
pipeline that the first lane shares. Their output comes last.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress

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
STOP_S = 30
APART = (
    "tests/deploy",
    "tests/integration/test_ringcentral_sim_faults.py",
    "tests/integration/test_ringcentral_sim_floor.py",
    "tests/integration/test_ringcentral_sim_http.py",
    "tests/integration/test_ringcentral_sim_sip.py",
)
PYTEST = (sys.executable, "-m", "pytest")


def main(arguments: list[str]) -> int:
    """The first exit code that is not 0."""
    if arguments:
        return subprocess.run([*PYTEST, *arguments]).returncode
    ignored = [f"--ignore={path}" for path in (*COMPUTING, *APART)]
    aside = ["-o", "cache_dir=.pytest_cache/aside"]
    with tempfile.TemporaryFile() as output:
        shared = subprocess.Popen([*PYTEST, *ignored])
        computing = subprocess.Popen(
            [*PYTEST, *COMPUTING, *aside, "-o", f"timeout={COMPUTING_TIMEOUT_S}"],
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.nice(COMPUTING_NICENESS),
        )
        try:
            computed = computing.wait()
            apart = subprocess.run([*PYTEST, *APART, *aside], stdout=output, stderr=subprocess.STDOUT).returncode
            in_first_lane = shared.wait()
        finally:
            for lane in (shared, computing):
                with suppress(subprocess.TimeoutExpired):
                    lane.wait(STOP_S)  # whoever interrupts this one interrupts them
                lane.kill()
                lane.wait()
            output.seek(0)
            sys.stdout.flush()
            sys.stdout.buffer.write(output.read())
            sys.stdout.flush()
    return in_first_lane or computed or apart


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
