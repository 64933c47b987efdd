"""`bench/results/coverage.json`: the latest run of each kind, each with its options and the code that it ran."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KINDS = ("clean", "faults", "clean_killed", "faults_killed")
REPOSITORY = Path(__file__).resolve().parents[3]
CODE = (
    "services/chassis",
    "services/contracts",
    "services/event_ingestor",
    "services/supervision_orchestrator",
    "services/ringcentral_sim",
    "services/media_gateway/domain",
    "tests/bench/coverage",
)


def merged(earlier: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Kinds that were not run keep their figures; what is no kind is dropped."""
    runs = {**earlier, **found}
    return {kind: runs[kind] for kind in KINDS if kind in runs}


def code_digest() -> str:
    """Of the sources that the figures depend on: runs with one digest are runs of one state of the code."""
    digest = hashlib.sha256()
    for folder in CODE:
        for file in sorted((REPOSITORY / folder).rglob("*.py")):
            digest.update(str(file.relative_to(REPOSITORY)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
