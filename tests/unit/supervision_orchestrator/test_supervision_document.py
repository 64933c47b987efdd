"""docs/supervision.md tells what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def test_tables_of_the_document_are_those_of_the_code() -> None:
    script = REPOSITORY / "docs" / "supervision_tables.py"

    checked = subprocess.run([sys.executable, str(script), "--check"], check=False, capture_output=True, text=True)

    assert checked.returncode == 0, checked.stderr or "run: python docs/supervision_tables.py"
