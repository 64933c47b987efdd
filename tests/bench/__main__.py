"""`python -m tests.bench SUITE`: run a suite, print its figures as JSON, keep them in `bench/results/SUITE.json`."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

RESULTS = Path("bench/results")
# Each module has `measure() -> dict`, and is imported only when asked for.
SUITES = {
    "assist": "tests.bench.assist.suite",
    "coverage": "tests.bench.coverage.suite",
    "redaction": "tests.bench.redaction",
}


def main(arguments: list[str]) -> int:
    """Run one suite. Exit code 2 where there is no such suite."""
    if len(arguments) != 1 or arguments[0] not in SUITES:
        print(f"usage: python -m tests.bench {{{','.join(SUITES)}}}", file=sys.stderr)
        return 2
    figures = importlib.import_module(SUITES[arguments[0]]).measure()
    text = json.dumps(figures, indent=2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{arguments[0]}.json").write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
