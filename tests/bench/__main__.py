"""`python -m tests.bench SUITE`: run a suite, print its figures as JSON, keep them in `bench/results/SUITE.json`."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

RESULTS = Path("bench/results")
# Each module has `measure() -> dict`, and is imported only when asked for; with `merged(earlier, found)` it keeps
# figures of earlier runs.
SUITES = {
    "coverage": "tests.bench.coverage.suite",
    "delivery": "tests.bench.delivery",
    "redaction": "tests.bench.redaction",
}


def main(arguments: list[str]) -> int:
    """Run one suite. Exit code 2 where there is no such suite."""
    if len(arguments) != 1 or arguments[0] not in SUITES:
        print(f"usage: python -m tests.bench {{{','.join(SUITES)}}}", file=sys.stderr)
        return 2
    suite, file = importlib.import_module(SUITES[arguments[0]]), RESULTS / f"{arguments[0]}.json"
    found = kept = suite.measure()
    if hasattr(suite, "merged"):
        kept = suite.merged(json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}, found)
    RESULTS.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
