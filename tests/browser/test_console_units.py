"""The console's own unit tests (vitest)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UI = ROOT / "services" / "assist_gateway" / "ui"
PATH = f"{ROOT / '.venv' / 'node'}{os.pathsep}{os.environ.get('PATH', '')}"
"""With the Node.js that infra/setup/console.sh brings where the machine has none."""


@pytest.mark.timeout(120)
def test_they_pass() -> None:
    npm = shutil.which("npm", path=PATH)
    if npm is None or not (UI / "node_modules").is_dir():
        pytest.skip("the console's unit tests need Node.js and its packages: run `make ui`")
    ran = subprocess.run(
        [npm, "test", "--silent"], cwd=UI, env={**os.environ, "PATH": PATH}, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
