"""`python -m tests.bench SUITE`: run a suite, print its figures as JSON, keep them in `bench/results/SUITE.json`."""

from __future__ import annotations

import fcntl
import importlib
import json
import sys
from pathlib import Path

RESULTS = Path("bench/results")
# Each module has `measure() -> dict`, and is imported only when asked for; with `merged(earlier, found)` it keeps
# figures of earlier runs.
SUITES = {
    "asr": "tests.bench.asr.suite",
    "assist": "tests.bench.assist.suite",
    "coverage": "tests.bench.coverage.suite",
    "delivery": "tests.bench.delivery",
    "redaction": "tests.bench.redaction",
    "ghosts": "tests.bench.ghosts",
    "languages": "tests.bench.languages",
}


def main(arguments: list[str]) -> int:
    """Run one suite. Exit code 2 where there is no such suite."""
    if len(arguments) != 1 or arguments[0] not in SUITES:
        print(f"usage: python -m tests.bench {{{','.join(SUITES)}}}", file=sys.stderr)
        return 2
    suite = importlib.import_module(SUITES[arguments[0]])
    found = suite.measure()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / f"{arguments[0]}.json").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another run of the suite may end at the same time
        file.seek(0)
        earlier = file.read()
        kept = suite.merged(json.loads(earlier or "{}"), found) if hasattr(suite, "merged") else found
        file.truncate(0)
        file.write(json.dumps(kept, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
